// SPDX-License-Identifier: Apache-2.0
/**
 * Dynamic quantisation of float32 to 8 bits, asymmetric, zero always representable. The rule is in
 * src/kernels/pack.ts, step for step in float32, so that a scalar version gets the same integers.
 *
 * NaN takes no part in a range and is stored as zero; infinities count as the largest finite number.
 */
import { MinmaxF32Args, QuantizeImageU8Args, QuantizeRowsU8Args } from '../generated/args'
import { RowParams } from '../gemm/views'
import { ceilDiv } from '../units'

/** 1.5 * 2^23: added to |x| < 2^22 it rounds x to an integer, ties to even, in the low bits of the sum. */
// @ts-ignore: decorator
@inline
const ROUND_BIAS: f32 = 12582912
// @ts-ignore: decorator
@inline
const ROUND_BITS: i32 = 0x4b400000
/** Below it a range counts as empty, since its reciprocal may be infinite. */
// @ts-ignore: decorator
@inline
const SMALLEST_NORMAL: f32 = 1.17549435e-38

/** {least, largest} of `count` float32 in the first two lanes; {inf, -inf} when there are none but NaN. */
function extentOf(x: usize, count: u32): v128 {
  const none = f32x4.replace_lane(f32x4.splat(-Infinity), 0, Infinity)
  let low0 = f32x4.splat(Infinity)
  let low1 = low0
  let high0 = f32x4.splat(-Infinity)
  let high1 = high0
  let i: u32 = 0
  // pmin(a, b) is b < a ? b : a: a NaN in b is passed over.
  for (; i + 8 <= count; i += 8) {
    const v0 = v128.load(x + (<usize>i << 2))
    const v1 = v128.load(x + (<usize>i << 2), 16)
    low0 = f32x4.pmin(low0, v0)
    low1 = f32x4.pmin(low1, v1)
    high0 = f32x4.pmax(high0, v0)
    high1 = f32x4.pmax(high1, v1)
  }
  low0 = f32x4.pmin(low0, low1)
  high0 = f32x4.pmax(high0, high1)
  for (; i < count; ++i) {
    const v = v128.load32_splat(x + (<usize>i << 2))
    low0 = f32x4.pmin(low0, v)
    high0 = f32x4.pmax(high0, v)
  }
  low0 = f32x4.pmin(low0, v128.shuffle<i32>(low0, low0, 2, 3, 0, 1))
  low0 = f32x4.pmin(low0, v128.shuffle<i32>(low0, low0, 1, 0, 3, 2))
  high0 = f32x4.pmax(high0, v128.shuffle<i32>(high0, high0, 2, 3, 0, 1))
  high0 = f32x4.pmax(high0, v128.shuffle<i32>(high0, high0, 1, 0, 3, 2))
  return v128.shuffle<i32>(f32x4.pmin(none, low0), high0, 0, 4, 0, 4)
}

/** The least value of a range, made finite and not above 0. */
// @ts-ignore: decorator
@inline
function lowOf(least: f32): f32 {
  return max<f32>(min<f32>(0, least), -f32.MAX_VALUE)
}

/** Real width of a step for values from lowOf(least) to `largest`. */
// @ts-ignore: decorator
@inline
function scaleOf(low: f32, largest: f32): f32 {
  const high = min<f32>(max<f32>(0, largest), f32.MAX_VALUE)
  const scale = min<f32>(high - low, f32.MAX_VALUE) / 255
  return scale >= SMALLEST_NORMAL ? scale : 1
}

/** The integer that stands for 0. */
// @ts-ignore: decorator
@inline
function zeroOf(low: f32, scale: f32): i32 {
  return <i32>min<f32>(nearest<f32>(-low / scale), 255)
}

/**
 * Four float32 at `x` as int32, which saturate to 0..255: what is in the range is at most 510 steps away, infinities are
 * beyond int16 with their sign.
 */
// @ts-ignore: decorator
@inline
function quantize4(x: usize, inverse: v128, round: v128, unround: v128): v128 {
  const v = v128.load(x)
  const scaled = f32x4.mul(v128.and(v, f32x4.eq(v, v)), inverse)
  return i32x4.sub(f32x4.add(scaled, round), unround)
}

/** `count` float32 as elements T (u8 or i16), minus `bias`; elements up to `stored` are 0. */
function quantizeRun<T>(x: usize, q: usize, count: u32, stored: u32, scale: f32, zero: i32, bias: i32): void {
  const inverse = <f32>1 / scale
  const inverses = f32x4.splat(inverse)
  // A constant would be built anew at each use; count is below 2^31.
  const round = f32x4.splat(ROUND_BIAS + <f32>(count >> 31))
  const unround = i32x4.splat(ROUND_BITS - zero)
  const most = i16x8.splat(255)
  const biases = sizeof<T>() == 1 ? i8x16.splat(<i8>bias) : i16x8.splat(<i16>bias)
  const lanes: u32 = 16 / sizeof<T>()
  let i: u32 = 0
  if (count >= lanes) {
    for (;;) {
      const at = x + (<usize>i << 2)
      const low = i16x8.narrow_i32x4_s(
        quantize4(at, inverses, round, unround),
        quantize4(at + 16, inverses, round, unround),
      )
      if (sizeof<T>() == 1) {
        const high = i16x8.narrow_i32x4_s(
          quantize4(at + 32, inverses, round, unround),
          quantize4(at + 48, inverses, round, unround),
        )
        v128.store(q + i, i8x16.sub(i8x16.narrow_i16x8_u(low, high), biases))
      } else {
        v128.store(q + (<usize>i << 1), i16x8.sub(i16x8.min_s(i16x8.max_s(low, i16x8.splat(0)), most), biases))
      }
      if (i == count - lanes) break
      i = min(i + lanes, count - lanes)
    }
    i = count
  }
  for (; i < count; ++i) {
    const v = load<f32>(x + (<usize>i << 2))
    const scaled = v == v ? v * inverse : 0
    const near = <i32>nearest<f32>(min<f32>(max<f32>(scaled, <f32>(-zero)), <f32>(<i32>255 - zero)))
    store<T>(q + <usize>i * sizeof<T>(), <T>(near + zero - bias))
  }
  for (; i < stored; ++i) store<T>(q + <usize>i * sizeof<T>(), 0)
}

/** Rows, each with a range of its own. The rows of arguments of both widths are one. */
// @ts-ignore: decorator
@inline
function quantizeRows<T>(args: usize, from: u32, to: u32): void {
  const s = changetype<QuantizeRowsU8Args>(args)
  for (let row = from; row < to; ++row) {
    const x = s.x + ((<usize>row * s.ldx) << 2)
    const extent = extentOf(x, s.k)
    const low = lowOf(f32x4.extract_lane(extent, 0))
    const scale = scaleOf(low, f32x4.extract_lane(extent, 1))
    const zero = zeroOf(low, scale)
    writeParams(s.params, row, scale, zero - s.bias)
    quantizeRun<T>(x, s.q + <usize>row * s.ldq * sizeof<T>(), s.k, s.ldq, scale, zero, s.bias)
  }
}

/** Blocks of rows of an image, which has one range. The rows of arguments of both widths are one. */
// @ts-ignore: decorator
@inline
function quantizeImage<T>(args: usize, from: u32, to: u32): void {
  const s = changetype<QuantizeImageU8Args>(args)
  const blocks = ceilDiv(s.rows, s.block)
  for (let unit = from; unit < to; ++unit) {
    const image = unit / blocks
    let least: f32 = 0
    let largest: f32 = 0
    let part = s.partial + ((<usize>image * s.parts) << 3)
    for (let i: u32 = 0; i < s.parts; ++i) {
      least = min<f32>(least, load<f32>(part))
      largest = max<f32>(largest, load<f32>(part, 4))
      part += 8
    }
    const low = lowOf(least)
    const scale = scaleOf(low, largest)
    const zero = zeroOf(low, scale)
    writeParams(s.params, image, scale, zero - s.bias)
    const first = (unit % blocks) * s.block
    const rows = min(s.block, s.rows - first)
    const above = <usize>image * s.rows + first
    let x = s.x + ((above * s.ldx) << 2)
    let q = s.q + above * s.ldq * sizeof<T>()
    if (s.ldx == s.k && s.ldq == s.k) {
      quantizeRun<T>(x, q, rows * s.k, rows * s.k, scale, zero, s.bias)
      continue
    }
    for (let row: u32 = 0; row < rows; ++row) {
      quantizeRun<T>(x, q, s.k, s.ldq, scale, zero, s.bias)
      x += <usize>s.ldx << 2
      q += <usize>s.ldq * sizeof<T>()
    }
  }
}

function writeParams(params: usize, index: u32, scale: f32, zero: i32): void {
  const record = changetype<RowParams>(params + <usize>index * offsetof<RowParams>())
  record.scale = scale
  record.zero = zero
}

export function quantize_rows_u8(args: usize, from: u32, to: u32, thread: u32): void {
  quantizeRows<u8>(args, from, to)
}

export function quantize_rows_i16(args: usize, from: u32, to: u32, thread: u32): void {
  quantizeRows<i16>(args, from, to)
}

export function quantize_image_u8(args: usize, from: u32, to: u32, thread: u32): void {
  quantizeImage<u8>(args, from, to)
}

export function quantize_image_i16(args: usize, from: u32, to: u32, thread: u32): void {
  quantizeImage<i16>(args, from, to)
}

/** {least, largest} of each block of each image. */
export function minmax_f32(args: usize, from: u32, to: u32, thread: u32): void {
  const s = changetype<MinmaxF32Args>(args)
  const blocks = ceilDiv(s.size, s.block)
  for (let unit = from; unit < to; ++unit) {
    const first = (unit % blocks) * s.block
    const x = s.x + ((<usize>(unit / blocks) * s.size + first) << 2)
    const extent = extentOf(x, min(s.block, s.size - first))
    v128.store64_lane(s.partial + (<usize>unit << 3), extent, 0)
  }
}
