// SPDX-License-Identifier: Apache-2.0
/**
 * Normalisation of rows: statistics of a row in two passes (mean, then squared distance from it), then one pass that
 * writes. A unit is one row; y = x is allowed. Rows of no columns write nothing.
 */
import { InstanceNormF32Args, LayerNormF32Args, RmsNormF32Args } from '../generated/args'
import { keepPart, loadPart, storePart, sumLanes } from '../simd/lanes'
import { madd } from '../simd/madd'
import { splat } from '../simd/math'
import { foldRow, Sum, SumSquare } from './fold'

/** Units [from, to): y = (x - mean) / sqrt(var + epsilon) * scale[col] + bias[col]; scale and bias may be null. */
// @ts-ignore: decorator
@inline
export function layerNorm(args: usize, from: u32, to: u32): void {
  const a = changetype<LayerNormF32Args>(args)
  const bytes = <usize>a.cols << 2
  for (let row = from; row < to; row++) {
    const x = a.x + <usize>row * bytes
    const mean = foldRow<Sum>(x, a.cols) / <f32>a.cols
    const inverse = <f32>1 / sqrt<f32>(spread(x, a.cols, splat(mean)) / <f32>a.cols + a.epsilon)
    writeRow(x, a.y + <usize>row * bytes, a.cols, splat(mean), splat(inverse), a.scale, a.bias)
  }
}

/** Units [from, to): y = x / sqrt(mean of squares + epsilon) * scale[col]; scale may be null. */
// @ts-ignore: decorator
@inline
export function rmsNorm(args: usize, from: u32, to: u32): void {
  const a = changetype<RmsNormF32Args>(args)
  const bytes = <usize>a.cols << 2
  for (let row = from; row < to; row++) {
    const x = a.x + <usize>row * bytes
    const inverse = <f32>1 / sqrt<f32>(foldRow<SumSquare>(x, a.cols) / <f32>a.cols + a.epsilon)
    writeRow(x, a.y + <usize>row * bytes, a.cols, splat(0), splat(inverse), a.scale, 0)
  }
}

/** Units [from, to): as layerNorm, with scale and bias by row % channels; they may be null. */
// @ts-ignore: decorator
@inline
export function instanceNorm(args: usize, from: u32, to: u32): void {
  const a = changetype<InstanceNormF32Args>(args)
  const bytes = <usize>a.cols << 2
  for (let row = from; row < to; row++) {
    const x = a.x + <usize>row * bytes
    const channel = <usize>(row % a.channels) << 2
    const mean = foldRow<Sum>(x, a.cols) / <f32>a.cols
    const inverse = <f32>1 / sqrt<f32>(spread(x, a.cols, splat(mean)) / <f32>a.cols + a.epsilon)
    const scale: f32 = a.scale ? f32.load(a.scale + channel) : 1
    const bias: f32 = a.bias ? f32.load(a.bias + channel) : 0
    affineRow(x, a.y + <usize>row * bytes, a.cols, splat(mean), splat(inverse * scale), splat(bias))
  }
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
