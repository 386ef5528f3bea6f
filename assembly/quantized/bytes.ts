// SPDX-License-Identifier: Apache-2.0
/** Tensors of bytes as operands of the byte products, and what their sums become. Rules: src/kernels/quantized.ts. */
import {
  LookupU8Args,
  RequantizeArgs,
  RowSumsArgs,
  StageU8Args,
  SubtractOuterArgs,
  Transpose1Args,
} from '../generated/args'
import { RowParams } from '../gemm/views'
import { narrowed, rounded, roundedOne, zeroAt } from './linear'

/** Units [from, to): rows of bytes as elements of T, u8 or i16. */
// @ts-ignore: decorator
@inline
export function stageRows<T>(args: usize, from: u32, to: u32): void {
  const g = changetype<StageU8Args>(args)
  const first = from * g.block
  const rows = min<u32>(to * g.block, g.rows) - first
  const src = g.src + <usize>first * g.k
  const dst = g.dst + <usize>first * g.ldd * sizeof<T>()
  if (g.k == g.ldd) {
    stageRun<T>(src, dst, rows * g.k, g.flip)
    return
  }
  for (let i: u32 = 0; i < rows; i++) {
    const to = dst + <usize>i * g.ldd * sizeof<T>()
    stageRun<T>(src + <usize>i * g.k, to, g.k, g.flip)
    for (let j = g.k; j < g.ldd; j++) store<T>(to + <usize>j * sizeof<T>(), 0)
  }
}

function stageRun<T>(src: usize, dst: usize, count: u32, flip: u32): void {
  const flips = i8x16.splat(<i8>flip)
  for (; count >= 16; count -= 16, src += 16, dst += 16 * sizeof<T>()) {
    const x = v128.load(src)
    if (sizeof<T>() == 1) v128.store(dst, v128.xor(x, flips))
    else {
      v128.store(dst, flip ? i16x8.extend_low_i8x16_s(x) : i16x8.extend_low_i8x16_u(x))
      v128.store(dst, flip ? i16x8.extend_high_i8x16_s(x) : i16x8.extend_high_i8x16_u(x), 16)
    }
  }
  for (; count; count--, src++, dst += sizeof<T>()) {
    if (sizeof<T>() == 1) store<u8>(dst, <u8>(load<u8>(src) ^ flip))
    else store<i16>(dst, flip ? <i16>load<i8>(src) : <i16>load<u8>(src))
  }
}

export function rowSums(args: usize, from: u32, to: u32): void {
  const g = changetype<RowSumsArgs>(args)
  const shift: usize = g.kind == 2 ? 1 : 0
  const less = <i32>g.k * changetype<RowParams>(g.params).zero
  for (let i = from; i < to; i++) {
    let q = g.q + ((<usize>i * g.ldq) << shift)
    let sums = i32x4.splat(0)
    let left = g.k
    for (; left >= 8; left -= 8, q += <usize>8 << shift) {
      const x = g.kind == 2 ? v128.load(q) : g.kind ? v128.load8x8_s(q) : v128.load8x8_u(q)
      sums = i32x4.add(sums, i32x4.extadd_pairwise_i16x8_s(x))
    }
    let sum = i32x4.extract_lane(sums, 0) + i32x4.extract_lane(sums, 1)
    sum += i32x4.extract_lane(sums, 2) + i32x4.extract_lane(sums, 3)
    for (; left; left--, q += <usize>1 << shift) {
      sum += g.kind == 2 ? <i32>load<i16>(q) : g.kind ? <i32>load<i8>(q) : <i32>load<u8>(q)
    }
    store<i32>(g.sums + (<usize>i << 2), sum - less)
  }
}

export function subtractOuter(args: usize, from: u32, to: u32): void {
  const g = changetype<SubtractOuterArgs>(args)
  const width = g.n / g.groups
  for (let i = from; i < to; i++) {
    let c = g.c + ((<usize>i * g.n) << 2)
    let zero = g.zero
    for (let group: u32 = 0; group < g.groups; group++) {
      const sum = load<i32>(g.sums + ((<usize>i * g.groups + group) << 2))
      for (let j: u32 = 0; j < width; j++, c += 4, zero += g.zeroStep) {
        store<i32>(c, load<i32>(c) - sum * <i32>(<i8>(load<u8>(zero) ^ g.flip)))
      }
    }
  }
}

export function requantizeRows(args: usize, from: u32, to: u32): void {
  const g = changetype<RequantizeArgs>(args)
  const first = from * g.block
  let rows = min<u32>(to * g.block, g.rows) - first
  let n = g.n
  let x = g.x + ((<usize>first * n) << 2)
  let y = g.y + <usize>first * n
  // one scale for all: rows are one long row
  if (!g.bias && !g.scaleStep) {
    n *= rows
    rows = 1
  }
  const zero = zeroAt(g.zero, g.signed)
  const least: i32 = g.signed ? -128 : 0
  const low = <f32>(least - zero)
  const high = low + 255
  const lows = f32x4.splat(low)
  const highs = f32x4.splat(high)
  const zeros = i32x4.splat(zero)
  const scaleStep = <usize>g.scaleStep << 2
  for (; rows; rows--) {
    let bias = g.bias
    let scale = g.scale
    const end = y + n
    for (; y + 16 <= end; y += 16, x += 64) {
      const a = rounded(scaled(x, bias, scale, scaleStep), lows, highs, zeros)
      const b = rounded(scaled(x + 16, bias ? bias + 16 : 0, scale + 4 * scaleStep, scaleStep), lows, highs, zeros)
      const c = rounded(scaled(x + 32, bias ? bias + 32 : 0, scale + 8 * scaleStep, scaleStep), lows, highs, zeros)
      const d = rounded(scaled(x + 48, bias ? bias + 48 : 0, scale + 12 * scaleStep, scaleStep), lows, highs, zeros)
      v128.store(y, narrowed(a, b, c, d))
      if (bias) bias += 64
      scale += 16 * scaleStep
    }
    for (; y < end; y++, x += 4, scale += scaleStep) {
      const sum = load<i32>(x) + (bias ? load<i32>(bias) : 0)
      store<u8>(y, roundedOne(<f32>sum * load<f32>(scale), low, high, zero))
      if (bias) bias += 4
    }
  }
}

/** Four sums plus their biases, times their scales. */
// @ts-ignore: decorator
@inline
function scaled(x: usize, bias: usize, scale: usize, scaleStep: usize): v128 {
  let sum = v128.load(x)
  if (bias) sum = i32x4.add(sum, v128.load(bias))
  return f32x4.mul(f32x4.convert_i32x4_s(sum), scaleStep ? v128.load(scale) : v128.load32_splat(scale))
}

export function lookUp(args: usize, from: u32, to: u32): void {
  const g = changetype<LookupU8Args>(args)
  const last = min<u32>(to * g.block, g.size)
  for (let i = from * g.block; i < last; i++) store<u8>(g.dst + i, load<u8>(g.table + load<u8>(g.src + i)))
}

/** Units [from, to): bands of 8 rows of one batch, in tiles of 8 x 8 bytes. */
export function transposeBytes(args: usize, from: u32, to: u32): void {
  const g = changetype<Transpose1Args>(args)
  const bands = (g.rows + 7) >> 3
  const matrix = <usize>g.rows * g.cols
  for (let unit = from; unit < to; unit++) {
    const batch = unit / bands
    const row = (unit - batch * bands) << 3
    const rows = min<u32>(8, g.rows - row)
    let src = g.x + <usize>batch * matrix + <usize>row * g.cols
    let dst = g.y + <usize>batch * matrix + row
    let j: u32 = 0
    if (rows == 8) for (; j + 8 <= g.cols; j += 8, src += 8, dst += <usize>g.rows << 3) tile8x8(src, dst, g.cols, g.rows)
    for (; j < g.cols; j++, src++, dst += g.rows) {
      for (let i: u32 = 0; i < rows; i++) store<u8>(dst + i, load<u8>(src + <usize>i * g.cols))
    }
  }
}

// @ts-ignore: decorator
@inline
function pairOf(src: usize, step: usize): v128 {
  const a = v128.load64_zero(src)
  const b = v128.load64_zero(src + step)
  return v128.shuffle<i8>(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
}

// @ts-ignore: decorator
@inline
function tile8x8(src: usize, dst: usize, srcStep: usize, dstStep: usize): void {
  const r01 = pairOf(src, srcStep)
  const r23 = pairOf(src + 2 * srcStep, srcStep)
  const r45 = pairOf(src + 4 * srcStep, srcStep)
  const r67 = pairOf(src + 6 * srcStep, srcStep)
  const low = v128.shuffle<i16>(r01, r23, 0, 8, 1, 9, 2, 10, 3, 11)
  const high = v128.shuffle<i16>(r01, r23, 4, 12, 5, 13, 6, 14, 7, 15)
  const lowBehind = v128.shuffle<i16>(r45, r67, 0, 8, 1, 9, 2, 10, 3, 11)
  const highBehind = v128.shuffle<i16>(r45, r67, 4, 12, 5, 13, 6, 14, 7, 15)
  storePair(dst, dstStep, v128.shuffle<i32>(low, lowBehind, 0, 4, 1, 5))
  storePair(dst + 2 * dstStep, dstStep, v128.shuffle<i32>(low, lowBehind, 2, 6, 3, 7))
  storePair(dst + 4 * dstStep, dstStep, v128.shuffle<i32>(high, highBehind, 0, 4, 1, 5))
  storePair(dst + 6 * dstStep, dstStep, v128.shuffle<i32>(high, highBehind, 2, 6, 3, 7))
}

// @ts-ignore: decorator
@inline
function storePair(dst: usize, step: usize, x: v128): void {
  v128.store64_lane(dst, x, 0)
  v128.store64_lane(dst + step, x, 1)
}
