// SPDX-License-Identifier: Apache-2.0
/**
 * The loop nests of one or two float32 rows and a panel of int8 or of halves of bytes, with a scale per block of K. Weights
 * become integers in the top bits of a lane, where their sign is and nothing has to be shifted back, and then float32,
 * which are 2^24 or 2^28 times too large; a block's sums take its scale, which is as much too small. So rows may have
 * elements up to 2^80. Rows are read up to k rounded up to 8, 0 behind k. Sums go to `c`, rows of 8 in scratch. Questions
 * within a group keep the compiler from doing one sum after the other, which takes more registers than there are.
 */
import { madd } from '../simd/madd'

/** Byte 1 of each lane in its top, 0 below. */
// @ts-ignore: decorator
@inline
export function byte1(x: v128): v128 {
  return i8x16.swizzle(x, i8x16(-1, -1, -1, 1, -1, -1, -1, 5, -1, -1, -1, 9, -1, -1, -1, 13))
}

/** Byte 2. */
// @ts-ignore: decorator
@inline
export function byte2(x: v128): v128 {
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

/** Halves 0..15 less 8, in two's complement. */
// @ts-ignore: decorator
@inline
export function signed(x: v128): v128 {
  return v128.xor(x, i8x16.splat(-120))
}

/** float32 of the low half of the top byte of each lane, times 2^28; below that byte is 0. */
// @ts-ignore: decorator
@inline
export function lowHalf(x: v128): v128 {
  return f32x4.convert_i32x4_s(i32x4.shl(x, 4))
}

/** Of its high half, whatever is below. */
// @ts-ignore: decorator
@inline
export function highHalf(x: v128): v128 {
  return f32x4.convert_i32x4_s(v128.and(x, i32x4.splat(0xf0000000)))
}

/** Four scales, times 2^-24, or 2^-28 for 4 bits. */
// @ts-ignore: decorator
@inline
export function scaleOf(bits: u32, at: usize): v128 {
  return f32x4.mul(v128.load(at), f32x4.splat(bits == 4 ? 3.725290298461914e-9 : 5.9604644775390625e-8))
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
    t0 = madd(f32x4.add(c0, d0), scaleOf(8, scales), t0)
    t1 = madd(f32x4.add(c1, d1), scaleOf(8, scales + 16), t1)
    scales += 32
  }
  v128.store(c, t0)
  v128.store(c, t1, 16)
}

/** 1 row x 8 columns of halves without zero points. */
export function halves1x8(a: usize, b: usize, k: u32, block: u32, scales: usize, c: usize): void {
  let t0 = i32x4.splat(0)
  let t1 = i32x4.splat(0)
  while (k != 0) {
    let left = min(block, k)
    k -= left
    let c0 = i32x4.splat(0)
    let c1 = i32x4.splat(0)
    let d0 = i32x4.splat(0)
    let d1 = i32x4.splat(0)
    let x: v128, y: v128, w0: v128, w1: v128
    for (;;) {
      const low = signed(v128.load(b))
      const high = signed(v128.load(b, 16))
      x = v128.load32_splat(a)
      y = v128.load32_splat(a, 16)
      w0 = i32x4.shl(low, 24)
      w1 = i32x4.shl(high, 24)
      c0 = madd(x, lowHalf(w0), c0)
      d0 = madd(y, highHalf(w0), d0)
      c1 = madd(x, lowHalf(w1), c1)
      d1 = madd(y, highHalf(w1), d1)
      if (left == 1) break
      x = v128.load32_splat(a, 4)
      y = v128.load32_splat(a, 20)
      w0 = byte1(low)
      w1 = byte1(high)
      c0 = madd(x, lowHalf(w0), c0)
      d0 = madd(y, highHalf(w0), d0)
      c1 = madd(x, lowHalf(w1), c1)
      d1 = madd(y, highHalf(w1), d1)
      if (left == 2) break
      x = v128.load32_splat(a, 8)
      y = v128.load32_splat(a, 24)
      w0 = byte2(low)
      w1 = byte2(high)
      c0 = madd(x, lowHalf(w0), c0)
      d0 = madd(y, highHalf(w0), d0)
      c1 = madd(x, lowHalf(w1), c1)
      d1 = madd(y, highHalf(w1), d1)
      if (left == 3) break
      x = v128.load32_splat(a, 12)
      y = v128.load32_splat(a, 28)
      c0 = madd(x, highHalf(i32x4.shl(low, 4)), c0)
      d0 = madd(y, highHalf(low), d0)
      c1 = madd(x, highHalf(i32x4.shl(high, 4)), c1)
      d1 = madd(y, highHalf(high), d1)
      a += 32
      b += 32
      if (left <= 8) break
      left -= 8
    }
    t0 = madd(f32x4.add(c0, d0), scaleOf(4, scales), t0)
    t1 = madd(f32x4.add(c1, d1), scaleOf(4, scales + 16), t1)
    scales += 32
  }
  v128.store(c, t0)
  v128.store(c, t1, 16)
}

/** 2 rows x 8 columns of int8. */
export function widened2x8(
  a0: usize,
  lda: usize,
  b: usize,
  k: u32,
  block: u32,
  scales: usize,
  c: usize,
): void {
  let a1 = a0 + lda
  let t00 = i32x4.splat(0)
  let t01 = i32x4.splat(0)
  let t10 = i32x4.splat(0)
  let t11 = i32x4.splat(0)
  while (k != 0) {
    let left = min(block, k)
    k -= left
    let c00 = i32x4.splat(0)
    let c01 = i32x4.splat(0)
    let c10 = i32x4.splat(0)
    let c11 = i32x4.splat(0)
    let d00 = i32x4.splat(0)
    let d01 = i32x4.splat(0)
    let d10 = i32x4.splat(0)
    let d11 = i32x4.splat(0)
    let x: v128, w0: v128, w1: v128
    for (;;) {
      const low = v128.load(b)
      const high = v128.load(b, 16)
      w0 = widen0(low)
      w1 = widen0(high)
      x = v128.load32_splat(a0)
      c00 = madd(x, w0, c00)
      c01 = madd(x, w1, c01)
      x = v128.load32_splat(a1)
      c10 = madd(x, w0, c10)
      c11 = madd(x, w1, c11)
      if (left == 1) break
      w0 = widen1(low)
      w1 = widen1(high)
      x = v128.load32_splat(a0, 4)
      d00 = madd(x, w0, d00)
      d01 = madd(x, w1, d01)
      x = v128.load32_splat(a1, 4)
      d10 = madd(x, w0, d10)
      d11 = madd(x, w1, d11)
      if (left == 2) break
      w0 = widen2(low)
      w1 = widen2(high)
      x = v128.load32_splat(a0, 8)
      c00 = madd(x, w0, c00)
      c01 = madd(x, w1, c01)
      x = v128.load32_splat(a1, 8)
      c10 = madd(x, w0, c10)
      c11 = madd(x, w1, c11)
      if (left == 3) break
      w0 = widen3(low)
      w1 = widen3(high)
      x = v128.load32_splat(a0, 12)
      d00 = madd(x, w0, d00)
      d01 = madd(x, w1, d01)
      x = v128.load32_splat(a1, 12)
      d10 = madd(x, w0, d10)
      d11 = madd(x, w1, d11)
      a0 += 16
      a1 += 16
      b += 32
      left -= 4
      if (left == 0) break
    }
    const scale0 = scaleOf(8, scales)
    const scale1 = scaleOf(8, scales + 16)
    scales += 32
    t00 = madd(f32x4.add(c00, d00), scale0, t00)
    t01 = madd(f32x4.add(c01, d01), scale1, t01)
    t10 = madd(f32x4.add(c10, d10), scale0, t10)
    t11 = madd(f32x4.add(c11, d11), scale1, t11)
  }
  v128.store(c, t00)
  v128.store(c, t01, 16)
  v128.store(c, t10, 32)
  v128.store(c, t11, 48)
}
