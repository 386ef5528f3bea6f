// SPDX-License-Identifier: Apache-2.0
/** Stores of panels of a matrix, of whose last one the columns may not all be there. */

/** Writes the first `cols` (1..7) of the 8 lanes of `low` and `high` to `c` and nothing beyond them. */
// @ts-ignore: decorator
@inline
export function storeColumns(c: usize, low: v128, high: v128, cols: u32): void {
  let left = low
  if (cols & 4) {
    v128.store(c, low)
    c += 16
    left = high
  }
  if (cols & 2) {
    v128.store64_lane(c, left, 0)
    c += 8
    left = v128.shuffle<i32>(left, left, 2, 3, 2, 3)
  }
  if (cols & 1) v128.store32_lane(c, left, 0)
}

/** Bytes between two rows of a tile in scratch. */
export const TILE_ROW: usize = 32

/** The first `cols` columns, 8 at most, of a tile in scratch to C. */
export function copyRows(tile: usize, c: usize, ldc: usize, rows: u32, cols: u32): void {
  for (; rows != 0; --rows) {
    const low = v128.load(tile)
    const high = v128.load(tile, 16)
    if (cols >= 8) {
      v128.store(c, low)
      v128.store(c, high, 16)
    } else {
      storeColumns(c, low, high, cols)
    }
    tile += TILE_ROW
    c += ldc
  }
}
