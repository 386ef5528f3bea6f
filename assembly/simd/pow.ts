// SPDX-License-Identifier: Apache-2.0
/**
 * Power over four float32 lanes, with IEEE 754's special cases (`pow`): pow(x, 0) = pow(1, y) = 1, a negative base has
 * a value for integer exponents only. Exponents 2, 3 and 0.5 in all lanes at once take a short way; anything else goes
 * lane by lane through float64, where 2^(y log2 x) loses nothing that float32 could show.
 */
import { splat } from './math'

/** x^y lane by lane. Error below 1 ulp. */
// @ts-ignore: decorator
@inline
export function pow(x: v128, y: v128): v128 {
  if (v128.all_true<i32>(f32x4.eq(y, splat(2)))) return f32x4.mul(x, x)
  if (v128.all_true<i32>(f32x4.eq(y, splat(3)))) return f32x4.mul(f32x4.mul(x, x), x)
  if (v128.all_true<i32>(v128.and(f32x4.eq(y, splat(0.5)), f32x4.ge(x, splat(0))))) return f32x4.sqrt(f32x4.abs(x))
  return powLanes(x, y)
}

function powLanes(x: v128, y: v128): v128 {
  let r = splat(powLane(f32x4.extract_lane(x, 0), f32x4.extract_lane(y, 0)))
  r = f32x4.replace_lane(r, 1, powLane(f32x4.extract_lane(x, 1), f32x4.extract_lane(y, 1)))
  r = f32x4.replace_lane(r, 2, powLane(f32x4.extract_lane(x, 2), f32x4.extract_lane(y, 2)))
  return f32x4.replace_lane(r, 3, powLane(f32x4.extract_lane(x, 3), f32x4.extract_lane(y, 3)))
}

function powLane(x: f32, y: f32): f32 {
  if (y == 0 || x == 1) return 1
  if (x != x || y != y) return x + y
  const whole = nearest<f32>(y) == y
  // From 2^24 on every float32 is even.
  const odd = whole && abs<f32>(y) < 16777216 && (<i32>y & 1) != 0
  if (x < 0 && !whole && x != -Infinity) return NaN
  const sign: f32 = odd && (reinterpret<u32>(x) >> 31) != 0 ? -1 : 1
  const base = abs<f32>(x)
  if (base == 0) return y < 0 ? sign * Infinity : sign * 0
  if (base == Infinity) return y < 0 ? sign * 0 : sign * Infinity
  if (base == 1) return sign
  return sign * <f32>exp2(<f64>y * log2(<f64>base))
}

/**
 * log2 of a positive float64 that is normal: m 2^n with m in [sqrt(1/2), sqrt(2)), log m = 2 atanh(s),
 * s = (m - 1) / (m + 1), by its Taylor series to s^15; relative error below 1e-12.
 */
// @ts-ignore: decorator
@inline
function log2(x: f64): f64 {
  const above = reinterpret<i64>(x) - 0x3fe6a09e667f3bcd
  const n = <f64>(above >> 52)
  const m = reinterpret<f64>((above & 0x000fffffffffffff) + 0x3fe6a09e667f3bcd)
  const s = (m - 1) / (m + 1)
  const z = s * s
  let p: f64 = 1.0 / 15
  p = p * z + 1.0 / 13
  p = p * z + 1.0 / 11
  p = p * z + 1.0 / 9
  p = p * z + 1.0 / 7
  p = p * z + 1.0 / 5
  p = p * z + 1.0 / 3
  p = p * z + 1.0
  return n + s * p * 2.8853900817779268
}

/** 2^x; the part after the point by the Taylor series of e^(r ln 2) to r^9; relative error below 1e-11. */
// @ts-ignore: decorator
@inline
function exp2(x: f64): f64 {
  const clamped = min<f64>(max<f64>(x, -1000), 1000)
  const n = nearest<f64>(clamped)
  const r = (clamped - n) * 0.6931471805599453
  let p: f64 = 1.0 / 362880
  p = p * r + 1.0 / 40320
  p = p * r + 1.0 / 5040
  p = p * r + 1.0 / 720
  p = p * r + 1.0 / 120
  p = p * r + 1.0 / 24
  p = p * r + 1.0 / 6
  p = p * r + 0.5
  p = p * r + 1.0
  p = p * r + 1.0
  return p * reinterpret<f64>((<i64>n + 1023) << 52)
}
