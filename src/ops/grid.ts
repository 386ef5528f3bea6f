// SPDX-License-Identifier: Apache-2.0
/**
 * How work is cut into units: the one place where block sizes are chosen.
 *
 * A GEMM unit is a block of mb rows x nb columns, done a tile of rows at a time over all its columns. nb is as many
 * columns as keep their packed weights in the second-level cache and a tile's results in the first; mb is as many rows
 * as use those weights while they are there, and few enough that there are units for every thread. Nothing here asks
 * how many threads there are, so the cuts, and with them the results, are the same on every host.
 */

/** Multiple of the rows of the tallest tile, which is 6 or 4 by build and type (assembly/gemm/mac.ts); mb is a multiple of it. */
const tileRows = 12
/** Columns of a packed panel (the x8 of the kernels' names). */
export const panelColumns = 8
/** Half of the 512 KB that the smallest second-level caches of current hosts have. */
const weightBlockBytes = 256 * 1024
/** A tile of 6 rows of them is 12 KB: a good part of a 32 KB first-level cache. */
const mostColumns = 512
/** Gathered rows of a convolution: they stay in the second-level cache beside the weights. */
const gatheredBytes = 96 * 1024
/** Multiply-adds of a large unit: a fraction of a millisecond. */
const unitWork = 4 * 1024 * 1024
/** Units that a step is cut into where its size allows: enough for eight threads. */
const wantedUnits = 16
/** Multiply-adds below which cutting further costs more than it gives. */
const leastWork = 64 * 1024

export interface GemmGrid {
  readonly mb: number
  readonly nb: number
  /** Blocks of one batch. */
  readonly units: number
}

/** The least multiple of `step` that is >= `value`. */
export function roundUp(value: number, step: number): number {
  return Math.ceil(value / step) * step
}

/**
 * Blocks of an m x n x k product whose packed weights take `weightBytes` per element. `wholeRows`: rows are gathered
 * anew for every block (convolutions), so a block takes all columns where it can. `batch` products share the step.
 */
export function gemmGrid(
  shape: { readonly m: number; readonly n: number; readonly k: number; readonly batch?: number },
  weightBytes: number,
  wholeRows = false,
): GemmGrid {
  const m = Math.max(1, shape.m)
  const n = Math.max(1, shape.n)
  const k = Math.max(1, shape.k)
  const batch = shape.batch ?? 1
  const columns = roundUp(n, panelColumns)
  const cached = Math.floor(weightBlockBytes / (k * weightBytes) / panelColumns) * panelColumns
  let nb = Math.min(columns, mostColumns, Math.max(cached, wholeRows ? 256 : 32))
  const rows = Math.min(unitWork / (nb * k), wholeRows ? gatheredBytes / (k * 4) : m)
  let mb = Math.min(roundUp(m, tileRows), Math.max(tileRows, floorTo(rows, tileRows)))
  while (batch * blocks(m, mb) * blocks(n, nb) < wantedUnits) {
    if (mb > (wholeRows ? 1 : 2) * tileRows && mb * nb * k > 2 * leastWork) mb = roundUp(mb / 2, tileRows)
    else if (nb > 32 && Math.min(mb, m) * nb * k > 2 * leastWork) nb = roundUp(nb / 2, panelColumns)
    else break
  }
  return { mb, nb, units: blocks(m, mb) * blocks(n, nb) }
}

/** Elements of a block of a kernel that walks a flat range, and how many blocks there are. */
export function flatGrid(size: number): { readonly block: number; readonly units: number } {
  const block = 4096
  return { block, units: blocks(size, block) }
}

/** Units that make a grain of about 16 K elements when each unit handles `elements` of them. */
export function grainOf(elements: number): number {
  return Math.max(1, Math.floor(16384 / Math.max(1, elements)))
}

function blocks(size: number, block: number): number {
  return Math.ceil(size / block)
}

function floorTo(value: number, step: number): number {
  return Math.floor(value / step) * step
}
