// SPDX-License-Identifier: Apache-2.0
/**
 * Sine and cosine of four float32 lanes. The argument loses its multiples of pi / 2 in float64, two lanes at a time, so
 * that nothing cancels up to 2^20 and what is beyond stays in [-1, 1]; the rest is polynomials over [-pi/4, pi/4].
 * Up to 2^20 the error is below 1.6 ulp, near multiples of pi / 2 too.
 */
import { splat } from './math'

/** 2 / pi. */
// @ts-ignore: decorator
@inline
const TWO_OVER_PI: f64 = 0.6366197723675814
/** pi / 2 in two parts (Cody and Waite 1980): the first has 33 bits, so that k * HALF_PI_HIGH is exact for k < 2^20. */
// @ts-ignore: decorator
@inline
const HALF_PI_HIGH: f64 = 1.57079632673412561417
// @ts-ignore: decorator
@inline
const HALF_PI_LOW: f64 = 6.07710050650619224932e-11

/** Multiples of pi / 2 nearest to two lanes. */
// @ts-ignore: decorator
@inline
function turnsOf(x: v128): v128 {
  return f64x2.nearest(f64x2.mul(x, f64x2.splat(TWO_OVER_PI)))
}

/** x - k * pi / 2, kept in [-1, 1] where k is too large to say. */
// @ts-ignore: decorator
@inline
function restOf(x: v128, k: v128): v128 {
  const rest = f64x2.sub(
    f64x2.sub(x, f64x2.mul(k, f64x2.splat(HALF_PI_HIGH))),
    f64x2.mul(k, f64x2.splat(HALF_PI_LOW)),
  )
  return f64x2.max(f64x2.min(rest, f64x2.splat(1)), f64x2.splat(-1))
}

/** k modulo 4, as int32 in the low two lanes. */
// @ts-ignore: decorator
@inline
function quadrantOf(k: v128): v128 {
  const fours = f64x2.floor(f64x2.mul(k, f64x2.splat(0.25)))
  return i32x4.trunc_sat_f64x2_s_zero(f64x2.sub(k, f64x2.mul(fours, f64x2.splat(4))))
}

/** sin(x + quarter * pi / 2); quarters as int32. */
// @ts-ignore: decorator
@inline
export function sine(x: v128, quarter: v128): v128 {
  const low = f64x2.promote_low_f32x4(x)
  const high = f64x2.promote_low_f32x4(v128.shuffle<i64>(x, x, 1, 0))
  const lowTurns = turnsOf(low)
  const highTurns = turnsOf(high)
  const r = v128.shuffle<i64>(
    f32x4.demote_f64x2_zero(restOf(low, lowTurns)),
    f32x4.demote_f64x2_zero(restOf(high, highTurns)),
    0,
    2,
  )
  const q = i32x4.add(v128.shuffle<i64>(quadrantOf(lowTurns), quadrantOf(highTurns), 0, 2), quarter)
  const z = f32x4.mul(r, r)
  // coefficients: minimax over [-pi/4, pi/4], Moshier's Cephes library, sinf
  let s = f32x4.add(f32x4.mul(z, splat(-1.9515295891e-4)), splat(8.3321608736e-3))
  s = f32x4.add(f32x4.mul(s, z), splat(-1.6666654611e-1))
  s = f32x4.add(f32x4.mul(f32x4.mul(s, z), r), r)
  let c = f32x4.add(f32x4.mul(z, splat(2.443315711809948e-5)), splat(-1.388731625493765e-3))
  c = f32x4.add(f32x4.mul(c, z), splat(4.166664568298827e-2))
  c = f32x4.add(f32x4.sub(f32x4.mul(f32x4.mul(c, z), z), f32x4.mul(z, splat(0.5))), splat(1))
  const odd = i32x4.eq(v128.and(q, i32x4.splat(1)), i32x4.splat(1))
  const sign = i32x4.shl(v128.and(q, i32x4.splat(2)), 30)
  return v128.xor(v128.bitselect(c, s, odd), sign)
}
