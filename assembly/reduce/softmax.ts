// SPDX-License-Identifier: Apache-2.0
/**
 * Softmax, its logarithm and log-sum-exp over rows: the largest value is taken off first, so that nothing overflows.
 * A NaN makes its row NaN, and so do a row of -inf and a row with +inf (inf - inf). Terms below e^-87.33 of the
 * largest count as 0. A unit is one row, in the fixed order of `foldRow`.
 */
import { ReduceLogSumExpF32Args, SoftmaxF32Args } from '../generated/args'
import { keepPart, loadPart, loadUpTo4, maxLanes, storePart, storeUpTo4, sumLanes } from '../simd/lanes'
import { expNormal, log, splat } from '../simd/math'

/** Units [from, to): y = e^(x - max) / sum. y = x is allowed. */
// @ts-ignore: decorator
@inline
export function softmax(args: usize, from: u32, to: u32): void {
  const a = changetype<SoftmaxF32Args>(args)
  const bytes = <usize>a.cols << 2
  for (let row = from; row < to; row++) {
    const y = a.y + <usize>row * bytes
    const x = a.x + <usize>row * bytes
    const sum = expRow(x, y, a.cols, splat(maxRow(x, a.cols)))
    scaleRow(y, a.cols, splat(1 / sum))
  }
}

/** Units [from, to): y = x - max - log(sum). y = x is allowed. */
// @ts-ignore: decorator
@inline
export function logSoftmax(args: usize, from: u32, to: u32): void {
  const a = changetype<SoftmaxF32Args>(args)
  const bytes = <usize>a.cols << 2
  for (let row = from; row < to; row++) {
    const x = a.x + <usize>row * bytes
    const largest = splat(maxRow(x, a.cols))
    const logSum = logOnce(splat(expSumRow(x, a.cols, largest)))
    subtractRow(x, a.y + <usize>row * bytes, a.cols, largest, logSum)
  }
}

/** Units [from, to): y[o][i] = log of the sum over r of e^x[o][r][i]; -inf for a column of -inf, +inf where one is. */
// @ts-ignore: decorator
@inline
export function logSumExp(args: usize, from: u32, to: u32): void {
  const a = changetype<ReduceLogSumExpF32Args>(args)
  const stride = <usize>a.inner << 2
  if (a.inner == 1) {
    const bytes = <usize>a.reduce << 2
    for (let o = from; o < to; o++) {
      const x = a.x + <usize>o * bytes
      const largest = finiteOrZero(splat(maxRow(x, a.reduce)))
      const sum = splat(expSumRow(x, a.reduce, largest))
      f32.store(a.y + (<usize>o << 2), f32x4.extract_lane(f32x4.add(logOnce(sum), largest), 0))
    }
    return
  }
  const blocks = (a.inner + a.block - 1) / a.block
  for (let unit = from; unit < to; unit++) {
    const o = unit / blocks
    const first = (unit - o * blocks) * a.block
    let left = min<u32>(a.block, a.inner - first)
    let x = a.x + <usize>o * a.reduce * stride + (<usize>first << 2)
    let y = a.y + <usize>o * stride + (<usize>first << 2)
    while (left) {
      const width = min<u32>(left, 4)
      let largest = splat(-Infinity)
      for (let r: u32 = 0, p = x; r < a.reduce; r++, p += stride) largest = f32x4.pmax(largest, loadUpTo4(p, width))
      largest = finiteOrZero(largest)
      let sum = splat(0)
      for (let r: u32 = 0, p = x; r < a.reduce; r++, p += stride) {
        sum = f32x4.add(sum, expNormal(f32x4.sub(loadUpTo4(p, width), largest)))
      }
      const result = f32x4.add(logOnce(sum), largest)
      storeUpTo4(y, result, width)
      left -= width
      x += 16
      y += 16
    }
  }
}

/** Once a row or a column: worth a call, not a copy. */
function logOnce(x: v128): v128 {
  return log(x)
}

/** 0 for infinities: e^(x - 0) is then their right limit. */
// @ts-ignore: decorator
@inline
function finiteOrZero(x: v128): v128 {
  return v128.and(x, f32x4.lt(f32x4.abs(x), splat(Infinity)))
}

/** Largest element; NaNs are passed over, they show in the sum. */
function maxRow(x: usize, count: u32): f32 {
  let largest0 = splat(-Infinity)
  let largest1 = largest0
  const end = x + (<usize>count << 2)
  for (; x + 32 <= end; x += 32) {
    largest0 = f32x4.pmax(largest0, v128.load(x))
    largest1 = f32x4.pmax(largest1, v128.load(x, 16))
  }
  largest0 = f32x4.pmax(largest0, largest1)
  for (; x < end; x += 4) largest0 = f32x4.pmax(largest0, v128.load32_splat(x))
  return maxLanes(largest0)
}

/** y = e^(x - largest); returns the sum. */
function expRow(x: usize, y: usize, count: u32, largest: v128): f32 {
  let sum0 = splat(0)
  let sum1 = splat(0)
  const end = x + (<usize>count << 2)
  for (; x + 32 <= end; x += 32, y += 32) {
    const e0 = expNormal(f32x4.sub(v128.load(x), largest))
    const e1 = expNormal(f32x4.sub(v128.load(x, 16), largest))
    v128.store(y, e0)
    v128.store(y, e1, 16)
    sum0 = f32x4.add(sum0, e0)
    sum1 = f32x4.add(sum1, e1)
  }
  if (x + 16 <= end) {
    const e = expNormal(f32x4.sub(v128.load(x), largest))
    v128.store(y, e)
    sum0 = f32x4.add(sum0, e)
    x += 16
    y += 16
  }
  const rest = count & 3
  if (rest) {
    const e = keepPart(expNormal(f32x4.sub(loadPart(x, rest), largest)), rest)
    storePart(y, e, rest)
    sum1 = f32x4.add(sum1, e)
  }
  return sumLanes(f32x4.add(sum0, sum1))
}

/** Sum of e^(x - largest). */
function expSumRow(x: usize, count: u32, largest: v128): f32 {
  let sum0 = splat(0)
  let sum1 = splat(0)
  const end = x + (<usize>count << 2)
  for (; x + 32 <= end; x += 32) {
    sum0 = f32x4.add(sum0, expNormal(f32x4.sub(v128.load(x), largest)))
    sum1 = f32x4.add(sum1, expNormal(f32x4.sub(v128.load(x, 16), largest)))
  }
  if (x + 16 <= end) {
    sum0 = f32x4.add(sum0, expNormal(f32x4.sub(v128.load(x), largest)))
    x += 16
  }
  const rest = count & 3
  if (rest) sum1 = f32x4.add(sum1, keepPart(expNormal(f32x4.sub(loadPart(x, rest), largest)), rest))
  return sumLanes(f32x4.add(sum0, sum1))
}

function scaleRow(y: usize, count: u32, scale: v128): void {
  const end = y + ((<usize>count << 2) & ~15)
  for (; y < end; y += 16) v128.store(y, f32x4.mul(v128.load(y), scale))
  const rest = count & 3
  if (rest) storePart(y, f32x4.mul(loadPart(y, rest), scale), rest)
}

function subtractRow(x: usize, y: usize, count: u32, first: v128, second: v128): void {
  const end = x + ((<usize>count << 2) & ~15)
  for (; x < end; x += 16, y += 16) v128.store(y, f32x4.sub(f32x4.sub(v128.load(x), first), second))
  const rest = count & 3
  if (rest) storePart(y, f32x4.sub(f32x4.sub(loadPart(x, rest), first), second), rest)
}
