// SPDX-License-Identifier: Apache-2.0
/** Stores of the last panel of a matrix, whose columns are not all there. */

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
