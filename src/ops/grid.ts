// SPDX-License-Identifier: Apache-2.0
/**
 * How work is cut into units: the one place where block sizes are chosen.
 *
 * A GEMM unit is a block of mb rows x nb columns. nb is as many columns as keep their packed weights in half of a
 * second-level cache; mb is as many rows as make the unit worth a thread's trip to the counter without pushing the
 * block of results out of the first-level cache. Nothing here asks how many threads there are, so the cuts, and with
 * them the results, are the same on every host.
 */

/** Rows of the tallest tile of the GEMM kernels; mb is a multiple of it. */
const tileRows = 6
/** Columns of a packed panel (the x8 of the kernels' names). */
export const panelColumns = 8
/** Half of the 512 KB that the smallest second-level caches of current hosts have. */
const weightBlockBytes = 256 * 1024
/** Results of a block, in bytes: most of a 32 KB first-level cache is left to weights and rows. */
const resultBlockBytes = 24 * 1024
/** Multiply-adds that make a unit: tens of microseconds on the slowest kernel. */
const unitWork = 512 * 1024
/** Units that a step of any size is cut into where its size allows: enough for eight threads. */
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
  let nb = Math.min(columns, wholeRows ? Math.max(cached, 256) : Math.max(cached, 32))
  let mb = Math.min(
    roundUp(m, tileRows),
    Math.max(tileRows, floorTo(Math.min(unitWork / (nb * k), resultBlockBytes / (nb * 4), 96), tileRows)),
  )
  while (batch * blocks(m, mb) * blocks(n, nb) < wantedUnits) {
    if (mb > 2 * tileRows && mb * nb * k > 2 * leastWork) mb = roundUp(mb / 2, tileRows)
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
