// SPDX-License-Identifier: Apache-2.0
/** float32 to bytes and back by given scales and zero points, sixteen at a time. Rules: src/kernels/quantized.ts. */
import { DequantizeLinearArgs, QuantizeLinearArgs, QuantParamsArgs, QuantRangeArgs } from '../generated/args'
import { RowParams } from '../gemm/views'

/** Below it a range counts as empty, since its reciprocal may be infinite. */
// @ts-ignore: decorator
@inline
const SMALLEST_NORMAL: f32 = 1.17549435e-38

/** The zero point at `p`, which may be null. */
// @ts-ignore: decorator
@inline
export function zeroAt(p: usize, signed: u32): i32 {
  if (!p) return 0
  return signed ? <i32>load<i8>(p) : <i32>load<u8>(p)
}

/** Four numbers already divided by their scale as int32: rounded, clamped to [low, high], which hold no zero yet. */
// @ts-ignore: decorator
@inline
export function rounded(x: v128, low: v128, high: v128, zero: v128): v128 {
  const near = f32x4.pmin(f32x4.pmax(f32x4.nearest(x), low), high)
  return i32x4.add(i32x4.trunc_sat_f32x4_s(near), zero)
}

/** Sixteen bytes of four vectors of int32 that are in range. */
// @ts-ignore: decorator
@inline
export function narrowed(a: v128, b: v128, c: v128, d: v128): v128 {
  // the low bytes are those of either sign
  const mask = i32x4.splat(255)
  const low = i16x8.narrow_i32x4_u(v128.and(a, mask), v128.and(b, mask))
  const high = i16x8.narrow_i32x4_u(v128.and(c, mask), v128.and(d, mask))
  return i8x16.narrow_i16x8_u(low, high)
}

/** One number as `rounded` has it. */
// @ts-ignore: decorator
@inline
export function roundedOne(x: f32, low: f32, high: f32, zero: i32): u8 {
  return <u8>(<i32>min<f32>(max<f32>(nearest<f32>(x), low), high) + zero)
}

export function quantizeLinear(args: usize, from: u32, to: u32): void {
  const g = changetype<QuantizeLinearArgs>(args)
  for (let unit = from; unit < to; unit++) {
    const channel = unit % g.channels
    const first = unit * g.inner
    const count = min<u32>(g.inner, g.size - first)
    const scale = load<f32>(g.scale + (<usize>channel << 2))
    const zero = zeroAt(g.zero ? g.zero + channel : 0, g.signed)
    const least: i32 = g.signed ? -128 : 0
    const low = <f32>(least - zero)
    const high = low + 255
    const scales = f32x4.splat(scale)
    const lows = f32x4.splat(low)
    const highs = f32x4.splat(high)
    const zeros = i32x4.splat(zero)
    let x = g.x + (<usize>first << 2)
    let y = g.y + first
    const end = y + count
    for (; y + 16 <= end; y += 16, x += 64) {
      const a = rounded(f32x4.div(v128.load(x), scales), lows, highs, zeros)
      const b = rounded(f32x4.div(v128.load(x, 16), scales), lows, highs, zeros)
      const c = rounded(f32x4.div(v128.load(x, 32), scales), lows, highs, zeros)
      const d = rounded(f32x4.div(v128.load(x, 48), scales), lows, highs, zeros)
      v128.store(y, narrowed(a, b, c, d))
    }
    for (; y < end; y++, x += 4) {
      const value = load<f32>(x) / scale
      store<u8>(y, value == value ? roundedOne(value, low, high, zero) : <u8>zero)
    }
  }
}

export function dequantizeLinear(args: usize, from: u32, to: u32): void {
  const g = changetype<DequantizeLinearArgs>(args)
  for (let unit = from; unit < to; unit++) {
    const channel = unit % g.channels
    const first = unit * g.inner
    let count = min<u32>(g.inner, g.size - first)
    const scale = load<f32>(g.scale + (<usize>channel << 2))
    let y = g.y + (<usize>first << 2)
    if (g.kind == 2) {
      const zero = g.zero ? <i64>load<i32>(g.zero + (<usize>channel << 2)) : 0
      let x = g.x + (<usize>first << 2)
      for (; count; count--, x += 4, y += 4) store<f32>(y, <f32>(<f64>(<i64>load<i32>(x) - zero) * <f64>scale))
      continue
    }
    const signed = u32(g.kind == 0)
    const zero = zeroAt(g.zero ? g.zero + channel : 0, signed)
    const zeros = i32x4.splat(zero)
    const scales = f32x4.splat(scale)
    let x = g.x + first
    for (; count >= 8; count -= 8, x += 8, y += 32) {
      const half = signed ? v128.load8x8_s(x) : v128.load8x8_u(x)
      const a = i32x4.sub(i32x4.extend_low_i16x8_s(half), zeros)
      const b = i32x4.sub(i32x4.extend_high_i16x8_s(half), zeros)
      v128.store(y, f32x4.mul(f32x4.convert_i32x4_s(a), scales))
      v128.store(y, f32x4.mul(f32x4.convert_i32x4_s(b), scales), 16)
    }
    for (; count; count--, x++, y += 4) {
      store<f32>(y, <f32>((signed ? <i32>load<i8>(x) : <i32>load<u8>(x)) - zero) * scale)
    }
  }
}

export function quantRange(args: usize): void {
  const g = changetype<QuantRangeArgs>(args)
  let least: f32 = 0
  let largest: f32 = 0
  for (let i: u32 = 0, p = g.partial; i < g.parts; i++, p += 8) {
    least = min<f32>(least, load<f32>(p))
    largest = max<f32>(largest, load<f32>(p, 4))
  }
  const low = max<f32>(least, -f32.MAX_VALUE)
  const wide = min<f32>(min<f32>(largest, f32.MAX_VALUE) - low, f32.MAX_VALUE) / 255
  const scale: f32 = wide >= SMALLEST_NORMAL ? wide : 1
  store<f32>(g.scale, scale)
  store<u8>(g.zero, <u8>min<f32>(nearest<f32>(-low / scale), 255))
}

export function quantParams(args: usize): void {
  const g = changetype<QuantParamsArgs>(args)
  const record = changetype<RowParams>(g.params)
  record.scale = g.scale ? load<f32>(g.scale) : 1
  record.zero = zeroAt(g.zero, g.signed) + g.shift
}
