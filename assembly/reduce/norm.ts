// SPDX-License-Identifier: Apache-2.0
/**
 * Normalisation of rows: statistics of a row in two passes (mean, then squared distance from it), then one pass that
 * writes. A unit is one row; y = x is allowed. Rows of no columns write nothing. A row whose squares float32 cannot hold
 * is first written to y times a power of two and normalised from there, so that finite rows of any size come out right.
 */
import { InstanceNormF32Args, LayerNormF32Args, RmsNormF32Args } from '../generated/args'
import { keepPart, loadPart, storePart, sumLanes } from '../simd/lanes'
import { madd } from '../simd/madd'
import { splat } from '../simd/math'
import { foldRow, Sum } from './fold'

/**
 * Variances (with epsilon) from here to infinity keep their accuracy: squares that a smaller one is the mean of may have
 * lost bits to the least normal float32, 2^-126.
 */
// @ts-ignore: decorator
@inline
const LEAST_VARIANCE: f32 = 7.888609052210118e-31
/** 2^100 and its inverse bring the squares of rows above and below that to where the others are. */
// @ts-ignore: decorator
@inline
const RAISE: f32 = 1.2676506002282294e30
// @ts-ignore: decorator
@inline
const LOWER: f32 = 7.888609052210118e-31

/** Units [from, to): y = (x - mean) / sqrt(var + epsilon) * scale[col] + bias[col]; scale and bias may be null. */
// @ts-ignore: decorator
@inline
export function layerNorm(args: usize, from: u32, to: u32): void {
  const a = changetype<LayerNormF32Args>(args)
  const bytes = <usize>a.cols << 2
  for (let row = from; row < to; row++) {
    const y = a.y + <usize>row * bytes
    let x = a.x + <usize>row * bytes
    let mean = meanRow(x, a.cols)
    let variance = spread(x, a.cols, mean) / <f32>a.cols + a.epsilon
    if (!holds(variance)) {
      const by = moveRow(x, y, a.cols, variance, mean)
      x = y
      mean = meanRow(x, a.cols)
      variance = spread(x, a.cols, mean) / <f32>a.cols + a.epsilon * by * by
    }
    writeRow(x, y, a.cols, mean, splat(<f32>1 / sqrt<f32>(variance)), a.scale, a.bias)
  }
}

/** Units [from, to): y = x / sqrt(mean of squares + epsilon) * scale[col]; scale may be null. */
// @ts-ignore: decorator
@inline
export function rmsNorm(args: usize, from: u32, to: u32): void {
  const a = changetype<RmsNormF32Args>(args)
  const bytes = <usize>a.cols << 2
  for (let row = from; row < to; row++) {
    const y = a.y + <usize>row * bytes
    let x = a.x + <usize>row * bytes
    let square = spread(x, a.cols, splat(0)) / <f32>a.cols + a.epsilon
    if (!holds(square)) {
      const by = moveRow(x, y, a.cols, square, splat(0))
      x = y
      square = spread(x, a.cols, splat(0)) / <f32>a.cols + a.epsilon * by * by
    }
    writeRow(x, y, a.cols, splat(0), splat(<f32>1 / sqrt<f32>(square)), a.scale, 0)
  }
}

/** Units [from, to): as layerNorm, with scale and bias by row % channels; they may be null. */
// @ts-ignore: decorator
@inline
export function instanceNorm(args: usize, from: u32, to: u32): void {
  const a = changetype<InstanceNormF32Args>(args)
  const bytes = <usize>a.cols << 2
  for (let row = from; row < to; row++) {
    const y = a.y + <usize>row * bytes
    let x = a.x + <usize>row * bytes
    const channel = <usize>(row % a.channels) << 2
    let mean = meanRow(x, a.cols)
    let variance = spread(x, a.cols, mean) / <f32>a.cols + a.epsilon
    if (!holds(variance)) {
      const by = moveRow(x, y, a.cols, variance, mean)
      x = y
      mean = meanRow(x, a.cols)
      variance = spread(x, a.cols, mean) / <f32>a.cols + a.epsilon * by * by
    }
    const inverse = <f32>1 / sqrt<f32>(variance)
    const scale: f32 = a.scale ? f32.load(a.scale + channel) : 1
    const bias: f32 = a.bias ? f32.load(a.bias + channel) : 0
    affineRow(x, y, a.cols, mean, splat(inverse * scale), splat(bias))
  }
}

/** The mean in all lanes. */
function meanRow(x: usize, count: u32): v128 {
  return splat(foldRow<Sum>(x, count) / <f32>count)
}

/** Whether a variance is one to go on with; no for NaN. */
// @ts-ignore: decorator
@inline
function holds(variance: f32): bool {
  return variance >= LEAST_VARIANCE && variance < Infinity
}

/**
 * y = x times the power of two that a row of this variance needs, which is returned. Where it raises, what is raised is the
 * distance from the mean: rows of large numbers that are alike have a small variance too.
 */
// @ts-ignore: decorator
@inline
function moveRow(x: usize, y: usize, count: u32, variance: f32, mean: v128): f32 {
  const raises = variance < LEAST_VARIANCE
  const by = raises ? RAISE : LOWER
  writeRow(x, y, count, raises ? mean : splat(0), splat(by), 0, 0)
  return by
}

/** Sum of (x - mean)^2. */
function spread(x: usize, count: u32, mean: v128): f32 {
  let sum0 = splat(0)
  let sum1 = splat(0)
  let sum2 = splat(0)
  let sum3 = splat(0)
  const end = x + (<usize>count << 2)
  for (; x + 64 <= end; x += 64) {
    const d0 = f32x4.sub(v128.load(x), mean)
    const d1 = f32x4.sub(v128.load(x, 16), mean)
    const d2 = f32x4.sub(v128.load(x, 32), mean)
    const d3 = f32x4.sub(v128.load(x, 48), mean)
    sum0 = madd(d0, d0, sum0)
    sum1 = madd(d1, d1, sum1)
    sum2 = madd(d2, d2, sum2)
    sum3 = madd(d3, d3, sum3)
  }
  for (; x + 16 <= end; x += 16) {
    const d = f32x4.sub(v128.load(x), mean)
    sum0 = madd(d, d, sum0)
  }
  const rest = count & 3
  if (rest) {
    const d = keepPart(f32x4.sub(loadPart(x, rest), mean), rest)
    sum1 = madd(d, d, sum1)
  }
  return sumLanes(f32x4.add(f32x4.add(sum0, sum1), f32x4.add(sum2, sum3)))
}

/** y = (x - mean) * inverse * scale[i] + bias[i]. */
function writeRow(x: usize, y: usize, count: u32, mean: v128, inverse: v128, scale: usize, bias: usize): void {
  const end = x + ((<usize>count << 2) & ~15)
  const one = splat(1)
  const zero = splat(0)
  for (; x < end; x += 16, y += 16) {
    const normal = f32x4.mul(f32x4.sub(v128.load(x), mean), inverse)
    v128.store(y, madd(normal, scale ? v128.load(scale) : one, bias ? v128.load(bias) : zero))
    if (scale) scale += 16
    if (bias) bias += 16
  }
  const rest = count & 3
  if (!rest) return
  const normal = f32x4.mul(f32x4.sub(loadPart(x, rest), mean), inverse)
  storePart(y, madd(normal, scale ? loadPart(scale, rest) : one, bias ? loadPart(bias, rest) : zero), rest)
}

/** y = (x - mean) * scale + bias. */
function affineRow(x: usize, y: usize, count: u32, mean: v128, scale: v128, bias: v128): void {
  const end = x + ((<usize>count << 2) & ~15)
  for (; x < end; x += 16, y += 16) v128.store(y, madd(f32x4.sub(v128.load(x), mean), scale, bias))
  const rest = count & 3
  if (rest) storePart(y, madd(f32x4.sub(loadPart(x, rest), mean), scale, bias), rest)
}
