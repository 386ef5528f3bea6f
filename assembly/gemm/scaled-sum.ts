// SPDX-License-Identifier: Apache-2.0
/**
 * The ends of a block of K of a product whose weights have a scale per block: where its integers begin, and where they
 * go. They begin at the block's correction for zero points, one int16 pair step between a word of the row and a word of
 * the column (src/kernels/gemm.ts), so that the sum is the exact integer the scale belongs to. No step is fused: all
 * hosts and builds round alike.
 */

/** The words of four columns: their halves may lie apart. */
// @ts-ignore: decorator
@inline
export function words(terms: usize, apart: usize): v128 {
  return v128.or(v128.load(terms), v128.load(terms + apart))
}

/** The correction of one row for four columns. */
// @ts-ignore: decorator
@inline
export function start(row: v128, words: v128): v128 {
  return i32x4.dot_i16x8_s(words, row)
}

/** Adds a block's integers, scaled, to four float32 of C. */
// @ts-ignore: decorator
@inline
export function addScaled(c: usize, sum: v128, scales: usize): void {
  v128.store(c, f32x4.add(v128.load(c), f32x4.mul(f32x4.convert_i32x4_s(sum), v128.load(scales))))
}

/** Eight float32 of C before the first block. */
// @ts-ignore: decorator
@inline
export function setZero(c: usize): void {
  v128.store(c, i32x4.splat(0))
  v128.store(c, i32x4.splat(0), 16)
}
