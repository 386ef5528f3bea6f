// SPDX-License-Identifier: Apache-2.0
/**
 * Elementary functions over four float32 lanes. No tables, no branches, no calls: polynomials and selects.
 *
 * NaN gives NaN everywhere; infinities give the limits. `polynomial fit` means a Remez exchange in float64 with the
 * weight that makes the error of the result relative; the stated errors are the largest over the float32 values of
 * the domain, in units in the last place (ulp) of a correctly rounded result, without a fused multiply-add.
 */
import { madd, nmadd } from './madd'

// @ts-ignore: decorator
@inline
export function splat(x: f32): v128 {
  return f32x4.splat(x)
}

/** 1.5 * 2^23: adding it to |x| < 2^22 rounds x to an integer (ties to even) held in the low bits of the sum. */
// @ts-ignore: decorator
@inline
const ROUND_BIAS: f32 = 12582912.0
/** The bits of ROUND_BIAS. */
// @ts-ignore: decorator
@inline
const ROUND_BITS: i32 = 0x4b400000
/** ln 2 in two parts (Cody and Waite 1980): the first has 9 trailing zero bits, so that n * LN2_HIGH is exact. */
// @ts-ignore: decorator
@inline
const LN2_HIGH: f32 = 0.693359375
// @ts-ignore: decorator
@inline
const LN2_LOW: f32 = -2.12194440e-4
// @ts-ignore: decorator
@inline
const LOG2_E: f32 = 1.44269504088896341
/** Smallest x for which exp(x) is a normal float32: ln 2^-126. */
// @ts-ignore: decorator
@inline
const EXP_NORMAL: f32 = -87.33654

/** Nearest integer, ties to even. */
// @ts-ignore: decorator
@inline
export function roundEven(x: v128): v128 {
  return f32x4.nearest(x)
}

/** Lanes where x is NaN come from `x`, the others from `y`. */
// @ts-ignore: decorator
@inline
export function keepNaN(x: v128, y: v128): v128 {
  return v128.bitselect(y, x, f32x4.eq(x, x))
}

/** e^r - 1 for |r| <= ln2/2: r + r^2 P(r), polynomial fit, error 3.1e-9 of e^r. */
// @ts-ignore: decorator
@inline
function expm1Reduced(r: v128): v128 {
  let p = splat(0.001381459878757596)
  p = madd(p, r, splat(0.008368716575205326))
  p = madd(p, r, splat(0.04166838899254799))
  p = madd(p, r, splat(0.1666652113199234))
  p = madd(p, r, splat(0.4999999403953552))
  return madd(p, f32x4.mul(r, r), r)
}

// @ts-ignore: decorator
@inline
function expReduced(r: v128): v128 {
  return f32x4.add(expm1Reduced(r), splat(1))
}

/** 2^n as a float32 for lanes of n in -126..128 (128 gives infinity). */
// @ts-ignore: decorator
@inline
function powerOfTwo(n: v128): v128 {
  return i32x4.shl(i32x4.add(n, i32x4.splat(127)), 23)
}

/** 2^n of lanes that hold n as ROUND_BITS + n: those bits are shifted out, and what is left is added to the bits of 1. */
// @ts-ignore: decorator
@inline
function powerOfRounded(biased: v128): v128 {
  return i32x4.add(i32x4.shl(biased, 23), i32x4.splat(0x3f800000))
}

/** e^x, over the whole range and with denormal results; error below 1.1 ulp. */
// @ts-ignore: decorator
@inline
export function exp(x: v128): v128 {
  // 2^n is applied in two halves: neither leaves the normal range, and the result is rounded once.
  const clamped = f32x4.pmin(f32x4.pmax(x, splat(-104)), splat(89))
  const biased = madd(clamped, splat(LOG2_E), splat(ROUND_BIAS))
  const n = i32x4.sub(biased, i32x4.splat(ROUND_BITS))
  const nf = f32x4.sub(biased, splat(ROUND_BIAS))
  const r = nmadd(nf, splat(LN2_LOW), nmadd(nf, splat(LN2_HIGH), clamped))
  const half = i32x4.shr_s(n, 1)
  return f32x4.mul(f32x4.mul(expReduced(r), powerOfTwo(half)), powerOfTwo(i32x4.sub(n, half)))
}

/**
 * e^x where denormal results are of no use: 0 below -87.33654, infinity from 88.3763 on, else error below 1.1 ulp.
 * Never computes with denormals, which cost hosts over a hundred cycles each.
 */
// @ts-ignore: decorator
@inline
export function expNormal(x: v128): v128 {
  const clamped = f32x4.pmin(f32x4.pmax(x, splat(EXP_NORMAL)), splat(88.7))
  const biased = madd(clamped, splat(LOG2_E), splat(ROUND_BIAS))
  const nf = f32x4.sub(biased, splat(ROUND_BIAS))
  const r = nmadd(nf, splat(LN2_LOW), nmadd(nf, splat(LN2_HIGH), clamped))
  return v128.andnot(f32x4.mul(expReduced(r), powerOfRounded(biased)), f32x4.lt(x, splat(EXP_NORMAL)))
}

/**
 * Natural logarithm; 0 gives -inf, negatives NaN. x = m * 2^n with m in [sqrt(1/2), sqrt(2));
 * log m = f - f^2/2 + f^3 P(f), f = m - 1, polynomial fit, relative error 5.9e-9. Error below 1.5 ulp.
 */
// @ts-ignore: decorator
@inline
export function log(x: v128): v128 {
  const small = f32x4.lt(x, splat(1.17549435e-38))
  const scaled = v128.bitselect(f32x4.mul(x, splat(8388608)), x, small)
  // Subtracting the bits of sqrt(1/2) makes the exponent field count from there.
  const above = i32x4.sub(scaled, i32x4.splat(0x3f3504f3))
  const exponent = i32x4.sub(i32x4.shr_s(above, 23), v128.and(small, i32x4.splat(23)))
  const m = i32x4.add(v128.and(above, i32x4.splat(0x007fffff)), i32x4.splat(0x3f3504f3))
  const n = f32x4.convert_i32x4_s(exponent)
  const f = f32x4.sub(m, splat(1))
  const ff = f32x4.mul(f, f)
  let p = splat(-0.07634498924016953)
  p = madd(p, f, splat(0.1276157796382904))
  p = madd(p, f, splat(-0.13160182535648346))
  p = madd(p, f, splat(0.14201757311820984))
  p = madd(p, f, splat(-0.16623356938362122))
  p = madd(p, f, splat(0.20001226663589478))
  p = madd(p, f, splat(-0.2500081956386566))
  p = madd(p, f, splat(0.3333333134651184))
  p = f32x4.mul(f32x4.mul(p, f), ff)
  p = madd(n, splat(LN2_LOW), p)
  p = nmadd(ff, splat(0.5), p)
  const y = madd(n, splat(LN2_HIGH), f32x4.add(f, p))
  const positive = f32x4.gt(x, splat(0))
  const atEdge = v128.bitselect(splat(-Infinity), splat(NaN), f32x4.eq(x, splat(0)))
  const finite = f32x4.lt(x, splat(Infinity))
  return v128.bitselect(v128.bitselect(y, x, finite), atEdge, positive)
}

/** log(1 + e) for e in [0, 1], correct for small e: log(u) + (e - (u - 1)) / u with u = 1 + e rounded. */
// @ts-ignore: decorator
@inline
export function log1pUnit(e: v128): v128 {
  const u = f32x4.add(e, splat(1))
  return f32x4.add(log(u), f32x4.div(f32x4.sub(e, f32x4.sub(u, splat(1))), u))
}

/** tanh; |x| < 0.625: x + x^3 P(x^2), polynomial fit, relative error 4.4e-9; else 1 - 2 / (e^2|x| + 1). Below 2 ulp. */
// @ts-ignore: decorator
@inline
export function tanh(x: v128): v128 {
  const a = f32x4.abs(x)
  const z = f32x4.mul(x, x)
  let p = splat(-0.005704987328499556)
  p = madd(p, z, splat(0.0206390880048275))
  p = madd(p, z, splat(-0.05373971536755562))
  p = madd(p, z, splat(0.13331441581249237))
  p = madd(p, z, splat(-0.3333328068256378))
  const near = madd(f32x4.mul(p, z), x, x)
  const e = expNormal(f32x4.pmin(f32x4.add(a, a), splat(20)))
  const far = f32x4.sub(splat(1), f32x4.div(splat(2), f32x4.add(e, splat(1))))
  const signed = v128.bitselect(x, far, i32x4.splat(0x80000000))
  return keepNaN(x, v128.bitselect(near, signed, f32x4.lt(a, splat(0.625))))
}

/**
 * Error function; |x| < 0.9: x + x P(x^2); else 1 - e^-Q(|x|), which is 1 in float32 from 4 on. Polynomial fits,
 * relative errors 2.2e-8 and 1.7e-9. Below 2 ulp.
 */
// @ts-ignore: decorator
@inline
export function erf(x: v128): v128 {
  const a = f32x4.pmin(f32x4.abs(x), splat(4))
  const z = f32x4.mul(a, a)
  let p = splat(-0.0005862074322067201)
  p = madd(p, z, splat(0.004967504646629095))
  p = madd(p, z, splat(-0.026748862117528915))
  p = madd(p, z, splat(0.11281320452690125))
  p = madd(p, z, splat(-0.37612447142601013))
  p = madd(p, z, splat(0.12837913632392883))
  const near = madd(p, a, a)
  let q = splat(-0.0001981563400477171)
  q = madd(q, a, splat(0.003064932534471154))
  q = madd(q, a, splat(-0.02231321483850479))
  q = madd(q, a, splat(0.10410994291305542))
  q = madd(q, a, splat(0.6369799375534058))
  q = madd(q, a, splat(1.1277952194213867))
  q = madd(q, a, splat(0.00016690025222487748))
  const far = f32x4.sub(splat(1), expNormal(f32x4.neg(q)))
  const y = v128.bitselect(near, far, f32x4.lt(a, splat(0.9)))
  return keepNaN(x, v128.bitselect(x, y, i32x4.splat(0x80000000)))
}

/** 1 / (1 + e^-x); 0 for x below -88.3763. Below 2.5 ulp. */
// @ts-ignore: decorator
@inline
export function sigmoid(x: v128): v128 {
  return f32x4.div(splat(1), f32x4.add(splat(1), expNormal(f32x4.neg(x))))
}

/** e^x - 1 for x <= 0, correct near 0: 2^n (e^r - 1) + (2^n - 1). -1 from -18 down. Below 1.5 ulp. */
// @ts-ignore: decorator
@inline
export function expm1Negative(x: v128): v128 {
  const clamped = f32x4.pmax(x, splat(-18))
  const biased = madd(clamped, splat(LOG2_E), splat(ROUND_BIAS))
  const scale = powerOfRounded(biased)
  const nf = f32x4.sub(biased, splat(ROUND_BIAS))
  const r = nmadd(nf, splat(LN2_LOW), nmadd(nf, splat(LN2_HIGH), clamped))
  return madd(expm1Reduced(r), scale, f32x4.sub(scale, splat(1)))
}
