// SPDX-License-Identifier: Apache-2.0
/**
 * The loop nest of one float32 row and a panel of int8 with a scale per block of K. Weights become integers in the top byte
 * of a lane, where their sign is and nothing has to be shifted back, and then float32, which are 2^24 times too large; a
 * block's sums take its scale, which is as much too small. So rows may have elements up to 2^80. Rows are read up to k
 * rounded up to 4.
 */
import { madd } from '../simd/madd'

/** Byte 1 of each lane in its top, 0 below. */
// @ts-ignore: decorator
@inline
function byte1(x: v128): v128 {
  return i8x16.swizzle(x, i8x16(-1, -1, -1, 1, -1, -1, -1, 5, -1, -1, -1, 9, -1, -1, -1, 13))
}

/** Byte 2. */
// @ts-ignore: decorator
@inline
function byte2(x: v128): v128 {
  return i8x16.swizzle(x, i8x16(-1, -1, -1, 2, -1, -1, -1, 6, -1, -1, -1, 10, -1, -1, -1, 14))
}

/** float32 of byte 0 of each lane, of byte 1, 2, 3, times 2^24. */
// @ts-ignore: decorator
@inline
export function widen0(x: v128): v128 {
  return f32x4.convert_i32x4_s(i32x4.shl(x, 24))
}

// @ts-ignore: decorator
@inline
export function widen1(x: v128): v128 {
  return f32x4.convert_i32x4_s(byte1(x))
}

// @ts-ignore: decorator
@inline
export function widen2(x: v128): v128 {
  return f32x4.convert_i32x4_s(byte2(x))
}

// @ts-ignore: decorator
@inline
export function widen3(x: v128): v128 {
  return f32x4.convert_i32x4_s(v128.and(x, i32x4.splat(0xff000000)))
}

/** Four scales, times 2^-24. */
// @ts-ignore: decorator
@inline
export function scaleOf(at: usize): v128 {
  return f32x4.mul(v128.load(at), f32x4.splat(5.9604644775390625e-8))
}

/** 1 row x 8 columns of int8. */
export function widened1x8(a: usize, b: usize, k: u32, block: u32, scales: usize, c: usize): void {
  let t0 = i32x4.splat(0)
  let t1 = i32x4.splat(0)
  while (k != 0) {
    const here = min(block, k)
    k -= here
    const end = b + (((<usize>here + 3) & ~3) << 3)
    let c0 = i32x4.splat(0)
    let c1 = i32x4.splat(0)
    let d0 = i32x4.splat(0)
    let d1 = i32x4.splat(0)
    let x: v128
    do {
      const low = v128.load(b)
      const high = v128.load(b, 16)
      x = v128.load32_splat(a)
      c0 = madd(x, widen0(low), c0)
      c1 = madd(x, widen0(high), c1)
      x = v128.load32_splat(a, 4)
      d0 = madd(x, widen1(low), d0)
      d1 = madd(x, widen1(high), d1)
      x = v128.load32_splat(a, 8)
      c0 = madd(x, widen2(low), c0)
      c1 = madd(x, widen2(high), c1)
      x = v128.load32_splat(a, 12)
      d0 = madd(x, widen3(low), d0)
      d1 = madd(x, widen3(high), d1)
      a += 16
      b += 32
    } while (b != end)
    t0 = madd(f32x4.add(c0, d0), scaleOf(scales), t0)
    t1 = madd(f32x4.add(c1, d1), scaleOf(scales + 16), t1)
    scales += 32
  }
  v128.store(c, t0)
  v128.store(c, t1, 16)
}
