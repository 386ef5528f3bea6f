// SPDX-License-Identifier: Apache-2.0
/**
 * The ends of a block of K of a product whose weights have a scale per block: where its integers go. Those begin at what the
 * zero points of 4-bit weights add (src/kernels/gemm.ts), so that the sum is the exact integer that the scale belongs to;
 * what the zeros of rows take off is summed over all blocks of a column when weights are packed, and is there before the first.
 * No step is fused: hosts and builds that store rows alike round alike.
 */
import { RowParams, Scaled } from './views'

/** What a tile in the thread's scratch begins with: numbers of its product that are wanted once a block. Rows of 8 float32 follow. */
@unmanaged
@final
export class Tile {
  /** Groups of the panel that are not done, and of a block. */
  groups: usize
  block: usize
  /** Words of the panel's zero points or 0, sums of the first row over blocks, and bytes from one row's to the next. */
  zeros: usize
  rowSums: usize
  rowStep: usize
}

/** Four float32 of C and a block's integers, scaled. */
// @ts-ignore: decorator
@inline
export function addScaled(c: v128, sum: v128, scale: v128): v128 {
  return f32x4.add(c, f32x4.mul(f32x4.convert_i32x4_s(sum), scale))
}

/**
 * What C holds before the first block: for `rows` rows from `row` on, `cols` columns from `col` on, both
 * multiples of 8, what the row's zero takes off.
 */
export function begin(s: Scaled, row: u32, rows: u32, col: u32, cols: u32, c: usize, ldc: usize): void {
  const width = <usize>cols << 2
  const sums = s.wSum + (<usize>col << 2)
  let params = s.aParams + <usize>row * offsetof<RowParams>()
  for (; rows != 0; --rows) {
    const zero = f32x4.splat(<f32>-changetype<RowParams>(params).zero)
    for (let j: usize = 0; j < width; j += 16) v128.store(c + j, f32x4.mul(zero, v128.load(sums + j)))
    params += offsetof<RowParams>()
    c += ldc
  }
}
