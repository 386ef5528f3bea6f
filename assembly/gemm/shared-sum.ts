// SPDX-License-Identifier: Apache-2.0
/**
 * Products whose weights have a scale per block of K, where scales are int16 shares of a unit of their column (src/kernels/pack.ts):
 * pairs of products are multiplied by shares as they are added up in int32, and no block ends. What comes of that here.
 */
import { copyRows, TILE_ROW } from './columns'
import { addScaled } from './scaled-sum'
import { RowParams, Shared } from './views'

/** A thread's scratch: a tile of 32 float32, as many int32, and what is behind them. */
export const SUMS: usize = 128
export const PANEL: usize = 256

/** Eight shares at `shares` as pairs: of columns 0..3 and 4..7. */
// @ts-ignore: decorator
@inline
export function lowShares(shares: v128): v128 {
  return v128.shuffle<i16>(shares, shares, 0, 0, 1, 1, 2, 2, 3, 3)
}

// @ts-ignore: decorator
@inline
export function highShares(shares: v128): v128 {
  return v128.shuffle<i16>(shares, shares, 4, 4, 5, 5, 6, 6, 7, 7)
}

/** Four columns of two rows: int32 times units, `first`: less what zeros of rows take, else added to what is there. */
// @ts-ignore: decorator
@inline
export function finishColumns(
  c0: usize,
  c1: usize,
  zero0: v128,
  zero1: v128,
  sum0: v128,
  sum1: v128,
  units: usize,
  wSum: usize,
  first: bool,
): void {
  const unit = v128.load(units)
  let y0: v128, y1: v128
  if (first) {
    const sums = v128.load(wSum)
    y0 = f32x4.mul(zero0, sums)
    y1 = f32x4.mul(zero1, sums)
  } else {
    y0 = v128.load(c0)
    y1 = v128.load(c1)
  }
  v128.store(c0, addScaled(y0, sum0, unit))
  v128.store(c1, addScaled(y1, sum1, unit))
}

/**
 * The int32 of a tile, behind its float32 in scratch, as float32 in `cols` columns of C: `first`: less what zeros of rows take, else added to
 * what is there. Tiles of 8 columns may have fewer; wider ones are whole.
 */
export function settle(
  s: Shared,
  first: bool,
  scratch: usize,
  row: u32,
  rows: u32,
  col: u32,
  cols: u32,
  c: usize,
  ldc: usize,
): void {
  const whole = (cols & 7) == 0
  const width = whole ? <usize>cols << 2 : TILE_ROW
  const sums = s.wSum + (<usize>col << 2)
  const units = s.wUnits - s.wSum
  let params = s.aParams + <usize>row * offsetof<RowParams>()
  const step = whole ? ldc : TILE_ROW
  let to = whole ? c : scratch
  let from = scratch + SUMS
  for (let r: u32 = 0; r < rows; ++r) {
    const zero = zeroOf(params)
    for (let j: usize = 0; j < width; j += 16) {
      const at = sums + j
      const y = first ? f32x4.mul(zero, v128.load(at)) : v128.load(to + j)
      v128.store(to + j, addScaled(y, v128.load(from + j), v128.load(at + units)))
    }
    params += offsetof<RowParams>()
    from += width
    to += step
  }
  if (!whole) copyRows(scratch, c, ldc, rows, cols)
}

/** The same of 4 rows x 8 columns, in one go. */
export function settle4x8(s: Shared, first: bool, scratch: usize, row: u32, col: u32, cols: u32, c: usize, ldc: usize): void {
  const params = s.aParams + <usize>row * offsetof<RowParams>()
  const sums = s.wSum + (<usize>col << 2)
  const units = s.wUnits + (<usize>col << 2)
  const whole = cols >= 8
  const step = whole ? ldc : TILE_ROW
  let c0 = whole ? c : scratch
  let c1 = c0 + step
  let zero0 = zeroOf(params)
  let zero1 = zeroOf(params + offsetof<RowParams>())
  const at = scratch + SUMS
  finishColumns(c0, c1, zero0, zero1, v128.load(at), v128.load(at, 32), units, sums, first)
  finishColumns(c0 + 16, c1 + 16, zero0, zero1, v128.load(at, 16), v128.load(at, 48), units + 16, sums + 16, first)
  zero0 = zeroOf(params + 2 * offsetof<RowParams>())
  zero1 = zeroOf(params + 3 * offsetof<RowParams>())
  c0 = c1 + step
  c1 = c0 + step
  finishColumns(c0, c1, zero0, zero1, v128.load(at, 64), v128.load(at, 96), units, sums, first)
  finishColumns(c0 + 16, c1 + 16, zero0, zero1, v128.load(at, 80), v128.load(at, 112), units + 16, sums + 16, first)
  if (!whole) copyRows(scratch, c, ldc, 4, cols)
}

/** What is taken off for a row's zero, for each column's sum. */
// @ts-ignore: decorator
@inline
function zeroOf(params: usize): v128 {
  return f32x4.splat(<f32>-changetype<RowParams>(params).zero)
}
