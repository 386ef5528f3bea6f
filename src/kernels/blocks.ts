// SPDX-License-Identifier: Apache-2.0
/**
 * How a product is cut into units: blocks of mb rows x nb columns, each done a tile of rows at a time over all its
 * columns. nb is as many columns as keep their packed weights in the second-level cache and a tile's results in the
 * first, in whole tiles; mb is as many rows as use those weights while they are there. Several threads get more and
 * smaller units. Results do not depend on any of it: every element is summed in the order of k whatever the tile.
 */

/** Multiple of the rows of the tallest tile, which is 6 or 4 by build and type (assembly/gemm/mac.ts); mb is a multiple of it. */
const tileRows = 12
/** Columns of a packed panel (the x8 of the kernels' names). */
export const panelColumns = 8
/** Columns of the tiles of one row, and of two or three (assembly/gemm/flat-tile.ts). */
const flatColumns = [32, 16, 16] as const
/** A quarter of the 512 KB that the smallest second-level caches of current hosts have, which two threads may share. */
const weightBlockBytes = 128 * 1024
/** Columns below which reading the rows anew for each block costs more than weights that do not stay. */
const leastColumns = 64
/** A tile of 6 rows of them is 12 KB: a good part of a 32 KB first-level cache. */
const mostColumns = 512
/** Gathered rows of a convolution: they are read where they were written, which is a first-level cache of 32 KB. */
const gatheredBytes = 24 * 1024
/** The same where one panel reads them, once: what a unit costs beside that counts more. */
const oncePanelBytes = 96 * 1024
/** Multiply-adds of a large unit: a fraction of a millisecond. */
const unitWork = 4 * 1024 * 1024
/** Units that a step is cut into for several threads where its size allows: enough for eight. */
const wantedUnits = 16
/** Multiply-adds below which cutting further costs more than it gives. */
const leastWork = 64 * 1024
/** Units for each of several threads: what the last unit lets the others wait for is a small part of the step then. */
const evenUnits = 32
/** Multiply-adds of a unit that is cut for that: some ten microseconds, beside which taking one is nothing. */
const evenWork = 256 * 1024
/** Rows over which widening a panel is little work, and bytes of rows that stay in the second-level cache from panel to panel. */
const widenedRows = 96
const widenedBytes = 128 * 1024
/** Columns that wide panels are made for: rows that stay in the second-level cache are read anew for each such stretch. */
const widenedColumns = 64

export interface Blocks {
  readonly mb: number
  readonly nb: number
  /** Blocks of one batch. */
  readonly units: number
}

/** `batch` products of m x k and k x n share a step. */
export interface BlockShape {
  readonly m: number
  readonly n: number
  readonly k: number
  readonly batch?: number
}

/** What of the kernel and the host matters. */
export interface BlockTraits {
  /** Bytes of an element of the packed weights. */
  readonly weightBytes: number
  readonly threads: number
  /** Rows are gathered anew for every block, so a block takes all columns where it can. */
  readonly gathers?: boolean
  /**
   * Panels are widened anew for every block, so a block takes many rows where it can; for each panel all rows are read
   * again, whose elements have so many bytes.
   */
  readonly widens?: number
}

/** The blocks of a product. */
export function blocksOf(shape: BlockShape, { weightBytes, threads, gathers = false, widens = 0 }: BlockTraits): Blocks {
  const m = Math.max(1, shape.m)
  const n = Math.max(1, shape.n)
  const k = Math.max(1, shape.k)
  const batch = shape.batch ?? 1
  const tile = flatColumns[m - 1] ?? panelColumns
  const columns = roundUp(n, panelColumns)
  const cached = floorTo(weightBlockBytes / (k * weightBytes), tile)
  // weights that are used once gain nothing by staying
  const most = m < 4 ? columns : Math.min(mostColumns, Math.max(cached, gathers ? 256 : leastColumns))
  let nb = roundUp(n / count(n, Math.min(columns, most)), tile)
  const rows = gathers
    ? floorTo((n <= panelColumns ? oncePanelBytes : gatheredBytes) / (k * 4), tileRows)
    : widens
      ? Math.max(widenedRows, widenedBytes / (k * widens))
      : Math.min(unitWork / (nb * k), m)
  // a rest of less than half a block is shared out: it would read the weights once more for a few rows
  const shared = gathers ? Math.ceil : Math.round
  const parts = Math.max(1, shared(m / Math.max(tileRows, rows)))
  let mb = roundUp(m / parts, tileRows)
  if (threads > 1) {
    const leastRows = (gathers ? 1 : widens ? 4 : 2) * tileRows
    for (;;) {
      const units = batch * count(m, mb) * count(n, nb)
      if (units >= evenUnits * threads) break
      const least = 2 * (units < wantedUnits ? leastWork : evenWork)
      const columnsGo = Math.min(mb, m) * nb * k > least && (!gathers || units < wantedUnits)
      if (widens && nb > widenedColumns && columnsGo) nb = roundUp(nb / 2, tile)
      else if (mb > leastRows && mb * nb * k > least) mb = roundUp(mb / 2, tileRows)
      else if (nb > 32 && columnsGo) nb = roundUp(nb / 2, tile)
      else break
    }
    // blocks of one size
    mb = roundUp(m / count(m, mb), tileRows)
    nb = roundUp(n / count(n, nb), tile)
  }
  return { mb, nb, units: count(m, mb) * count(n, nb) }
}

/** The least multiple of `step` that is >= `value`. */
export function roundUp(value: number, step: number): number {
  return Math.ceil(value / step) * step
}

function floorTo(value: number, step: number): number {
  return Math.floor(value / step) * step
}

function count(size: number, block: number): number {
  return Math.ceil(size / block)
}
