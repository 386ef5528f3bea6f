// SPDX-License-Identifier: Apache-2.0
/**
 * Between float32 and the 16-bit floats, bit for bit: IEEE 754 binary16, and bfloat16, which is the upper half of
 * binary32. Narrowing rounds to nearest, ties to even; NaN becomes the quiet one without a sign.
 */
import { loadUpTo4, storeUpTo4 } from '../simd/lanes'

/** dst = float32 of 16-bit floats, `count` of them. */
export function widenHalves(src: usize, dst: usize, count: u32, brain: bool): void {
  for (let left = <i32>count; left > 0; left -= 4, src += 8, dst += 16) {
    let x = i32x4.splat(0)
    if (left >= 4) x = v128.load64_zero(src)
    else {
      x = v128.load16_lane(src, x, 0)
      if (left > 1) x = v128.load16_lane(src, x, 1, 2)
      if (left > 2) x = v128.load16_lane(src, x, 2, 4)
    }
    storeUpTo4(dst, widened(i32x4.extend_low_i16x8_u(x), brain), left)
  }
}

/** dst = 16-bit floats of float32, `count` of them. */
export function narrowHalves(src: usize, dst: usize, count: u32, brain: bool): void {
  for (let left = <i32>count; left > 0; left -= 4, src += 16, dst += 8) {
    const wide = narrowed(loadUpTo4(src, left), brain)
    const x = i16x8.narrow_i32x4_u(wide, wide)
    if (left >= 4) v128.store64_lane(dst, x, 0)
    else {
      v128.store16_lane(dst, x, 0)
      if (left > 1) v128.store16_lane(dst, x, 1, 2)
      if (left > 2) v128.store16_lane(dst, x, 2, 4)
    }
  }
}

/** Exponent and fraction moved to where float32 has them; a factor of 2^112 mends the bias, of subnormal numbers too. */
// @ts-ignore: decorator
@inline
function widened(x: v128, brain: bool): v128 {
  if (brain) return i32x4.shl(x, 16)
  const sign = i32x4.shl(v128.and(x, i32x4.splat(0x8000)), 16)
  const moved = i32x4.shl(v128.and(x, i32x4.splat(0x7fff)), 13)
  const special = v128.and(i32x4.ge_s(moved, i32x4.splat(0x0f800000)), i32x4.splat(0x7f800000))
  const scaled = f32x4.mul(moved, i32x4.splat(0x77800000))
  return v128.or(v128.or(scaled, special), sign)
}

/**
 * Normal numbers are rounded by adding just less than half of what is cut, and the last bit kept; numbers below the
 * smallest normal one by adding 0.5, which leaves the subnormal fraction in the last bits.
 */
// @ts-ignore: decorator
@inline
function narrowed(x: v128, brain: bool): v128 {
  const positive = v128.and(x, i32x4.splat(0x7fffffff))
  const nan = i32x4.gt_s(positive, i32x4.splat(0x7f800000))
  const sign = v128.and(i32x4.shr_u(x, 16), i32x4.splat(0x8000))
  if (brain) {
    const odd = v128.and(i32x4.shr_u(positive, 16), i32x4.splat(1))
    const rounded = i32x4.shr_u(i32x4.add(i32x4.add(positive, i32x4.splat(0x7fff)), odd), 16)
    return v128.bitselect(i32x4.splat(0x7fc0), v128.or(rounded, sign), nan)
  }
  const odd = v128.and(i32x4.shr_u(positive, 13), i32x4.splat(1))
  // 0xc8000fff: the bias of the exponent mended, (15 - 127) << 23, and 0xfff
  const normal = i32x4.shr_u(i32x4.add(i32x4.add(positive, i32x4.splat(0xc8000fff)), odd), 13)
  const tiny = i32x4.sub(f32x4.add(positive, f32x4.splat(0.5)), i32x4.splat(0x3f000000))
  const finite = v128.bitselect(tiny, normal, i32x4.lt_s(positive, i32x4.splat(0x38800000)))
  const bounded = v128.bitselect(i32x4.splat(0x7c00), finite, i32x4.ge_s(positive, i32x4.splat(0x47800000)))
  return v128.bitselect(i32x4.splat(0x7e00), v128.or(bounded, sign), nan)
}
