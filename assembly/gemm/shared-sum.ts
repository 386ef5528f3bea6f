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
    const zero = f32x4.splat(<f32>-changetype<RowParams>(params).zero)
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
