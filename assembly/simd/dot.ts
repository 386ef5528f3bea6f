// SPDX-License-Identifier: Apache-2.0
/**
 * Integer dot steps: four int32 accumulators, each fed by the four bytes (or two int16) of its lane.
 *
 * Relaxed builds issue `i32x4.relaxed_dot_i8x16_i7x16_add_s`, whose second operand a host reads as unsigned or as
 * signed bytes: the start-up probe says which, and the host stores activations accordingly (0..255, or less 128). Simd
 * builds compute what a host with an unsigned operand does, exactly, so that the byte kernels mean the same in every
 * build; there they are slow, and the pair step is the fast one.
 */

/** Whether dotU8 is a single instruction, which needs no register for a product. */
// @ts-ignore: decorator
@inline
export const DOT_IS_ONE: bool = ASC_FEATURE_RELAXED_SIMD

/** acc[l] + sum over i of signed w[4l+i] * a[4l+i]; `a` is unsigned, or signed on relaxed hosts that read it so. */
// @ts-ignore: decorator
@inline
export function dotU8(w: v128, a: v128, acc: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return i32x4.relaxed_dot_i8x16_i7x16_add_s(w, a, acc)
  return addPairs(
    i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_s(w), i16x8.extend_low_i8x16_u(a)),
    i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_s(w), i16x8.extend_high_i8x16_u(a)),
    acc,
  )
}

/** acc[l] + w[2l] * a[2l] + w[2l+1] * a[2l+1] over int16: exact in every build and on every host. */
// @ts-ignore: decorator
@inline
export function dotPairs(w: v128, a: v128, acc: v128): v128 {
  return i32x4.add(i32x4.dot_i16x8_s(w, a), acc)
}

/** acc + (lo0+lo1, lo2+lo3, hi0+hi1, hi2+hi3). */
// @ts-ignore: decorator
@inline
function addPairs(lo: v128, hi: v128, acc: v128): v128 {
  return i32x4.add(
    i32x4.add(v128.shuffle<i32>(lo, hi, 0, 2, 4, 6), v128.shuffle<i32>(lo, hi, 1, 3, 5, 7)),
    acc,
  )
}

/**
 * Eight int16 sums of two products each, signed w times the bytes of `a`: exact where the bytes of `a` are below 128.
 * Relaxed hosts differ beyond that (sign of `a`, saturation); simd builds read `a` as unsigned and wrap.
 */
// @ts-ignore: decorator
@inline
export function dotBytes16(w: v128, a: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return v128.relaxed_dot<i16>(w, a)
  const lo = i16x8.mul(i16x8.extend_low_i8x16_s(w), i16x8.extend_low_i8x16_u(a))
  const hi = i16x8.mul(i16x8.extend_high_i8x16_s(w), i16x8.extend_high_i8x16_u(a))
  return i16x8.add(
    v128.shuffle<i16>(lo, hi, 0, 2, 4, 6, 8, 10, 12, 14),
    v128.shuffle<i16>(lo, hi, 1, 3, 5, 7, 9, 11, 13, 15),
  )
}

/**
 * The 32 four-bit weights of `w` (0..15) against two vectors of activations: acc + all their products, lane by lane.
 * Relaxed: bytes, the nibbles as second operand, where every host is exact for any signed activation. Simd: `a` holds
 * int16, and each nibble position is a pair step with it.
 */
// @ts-ignore: decorator
@inline
export function dotNibbles(w: v128, a: v128, acc: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) {
    const mask = i8x16.splat(15)
    const low = i32x4.relaxed_dot_i8x16_i7x16_add_s(a, v128.and(w, mask), acc)
    return i32x4.relaxed_dot_i8x16_i7x16_add_s(a, v128.and(i16x8.shr_u(w, 4), mask), low)
  }
  const mask = i16x8.splat(15)
  const even = dotPairs(v128.and(i16x8.shr_u(w, 4), mask), a, dotPairs(v128.and(w, mask), a, acc))
  return dotPairs(i16x8.shr_u(w, 12), a, dotPairs(v128.and(i16x8.shr_u(w, 8), mask), a, even))
}
