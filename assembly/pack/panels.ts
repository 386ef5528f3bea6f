// SPDX-License-Identifier: Apache-2.0
/**
 * Packing of B into panels of 8 columns (layouts: src/kernels/gemm.ts). A unit is one panel of one batch. Columns past
 * n and depths past k are zero, so that the loop nests need no tails. The source may lie either way round: strides
 * say, and the two dense directions have their own loops.
 */
import { DequantizeRowsS8Args, PackF32X8Args, PackS8X8c2Args, PackS8X8c4Args } from '../generated/args'
import { ceilDiv } from '../units'

/** [k][8] float32. */
export function pack_f32_x8(args: usize, from: u32, to: u32, thread: u32): void {
  const s = changetype<PackF32X8Args>(args)
  const panels = ceilDiv(s.n, 8)
  const k = s.k
  const colStep = <usize>s.colStride << 2
  const depthStep = <usize>s.depthStride << 2
  for (let unit = from; unit < to; ++unit) {
    const batch = unit / panels
    const panel = unit % panels
    const cols = min<u32>(s.n - panel * 8, 8)
    let src = s.src + ((<usize>batch * s.batchSrc) << 2) + <usize>(panel * 8) * colStep
    let dst = s.dst + <usize>batch * s.batchDstBytes + <usize>panel * k * 32
    let i: u32 = 0
    if (cols == 8 && s.colStride == 1) {
      for (; i < k; ++i) {
        v128.store(dst, v128.load(src))
        v128.store(dst, v128.load(src, 16), 16)
        src += depthStep
        dst += 32
      }
    } else if (cols == 8 && s.depthStride == 1) {
      for (; i + 4 <= k; i += 4) {
        transpose4x4(src, colStep, dst)
        transpose4x4(src + 4 * colStep, colStep, dst + 16)
        src += 16
        dst += 128
      }
    }
    for (; i < k; ++i) {
      for (let j: u32 = 0; j < 8; ++j) {
        store<f32>(dst + (<usize>j << 2), j < cols ? load<f32>(src + <usize>j * colStep) : 0)
      }
      src += depthStep
      dst += 32
    }
  }
}

/** Four columns of four depths, transposed into four lines of 8. */
// @ts-ignore: decorator
@inline
function transpose4x4(src: usize, colStep: usize, dst: usize): void {
  const a = v128.load(src)
  const b = v128.load(src + colStep)
  const c = v128.load(src + 2 * colStep)
  const d = v128.load(src + 3 * colStep)
  const abLow = v128.shuffle<i32>(a, b, 0, 4, 1, 5)
  const cdLow = v128.shuffle<i32>(c, d, 0, 4, 1, 5)
  const abHigh = v128.shuffle<i32>(a, b, 2, 6, 3, 7)
  const cdHigh = v128.shuffle<i32>(c, d, 2, 6, 3, 7)
  v128.store(dst, v128.shuffle<i64>(abLow, cdLow, 0, 2))
  v128.store(dst, v128.shuffle<i64>(abLow, cdLow, 1, 3), 32)
  v128.store(dst, v128.shuffle<i64>(abHigh, cdHigh, 0, 2), 64)
  v128.store(dst, v128.shuffle<i64>(abHigh, cdHigh, 1, 3), 96)
}

/** [k/4][8][4] int8 and column sums. */
export function pack_s8_x8c4(args: usize, from: u32, to: u32, thread: u32): void {
  packBytes(changetype<PackS8X8c4Args>(args), 2, from, to)
}

/** [k/2][8][2] int8 and column sums. The rows of arguments of both layouts are one. */
export function pack_s8_x8c2(args: usize, from: u32, to: u32, thread: u32): void {
  packBytes(changetype<PackS8X8c4Args>(changetype<usize>(changetype<PackS8X8c2Args>(args))), 1, from, to)
}

/** Panels of groups of 1 << shift depths. */
function packBytes(s: PackS8X8c4Args, shift: u32, from: u32, to: u32): void {
  const panels = ceilDiv(s.n, 8)
  const k = s.k
  const size: u32 = 1 << shift
  const groups = ceilDiv(k, size)
  const panelBytes = <usize>groups << (3 + shift)
  for (let unit = from; unit < to; ++unit) {
    const batch = unit / panels
    const panel = unit % panels
    const dst = s.dst + <usize>batch * s.batchDstBytes + <usize>panel * panelBytes
    const sums = s.sums + (<usize>unit << 5)
    for (let j: u32 = 0; j < 8; ++j) {
      const col = panel * 8 + j
      const src = s.src + <usize>batch * s.batchSrc + <usize>col * s.colStride
      const to = dst + (<usize>j << shift)
      const sum = col < s.n ? packColumn(src, s.depthStride, k, to, shift, s.flip) : zeroColumn(k, to, shift)
      store<i32>(sums + (<usize>j << 2), sum)
    }
  }
}

/** One column: group g goes to `to` + g * (8 << shift). Returns its sum. */
function packColumn(src: usize, depthStride: usize, k: u32, to: usize, shift: u32, flip: u32): i32 {
  const step: usize = 8 << shift
  const size: u32 = 1 << shift
  let sum: i32 = 0
  let i: u32 = 0
  for (; i + size <= k; i += size) {
    for (let g: u32 = 0; g < size; ++g) {
      const value = <i8>(load<u8>(src) ^ flip)
      store<i8>(to + g, value)
      sum += value
      src += depthStride
    }
    to += step
  }
  if (i < k) {
    for (let g: u32 = 0; g < size; ++g) {
      const value: i8 = i + g < k ? <i8>(load<u8>(src) ^ flip) : 0
      store<i8>(to + g, value)
      sum += value
      src += depthStride
    }
  }
  return sum
}

/** A column past n. */
function zeroColumn(k: u32, to: usize, shift: u32): i32 {
  const size: u32 = 1 << shift
  for (let i: u32 = 0; i < k; i += size) {
    for (let g: u32 = 0; g < size; ++g) store<i8>(to + g, 0)
    to += 8 << shift
  }
  return 0
}

/** float32 rows of int8 rows and their scales. */
export function dequantize_rows_s8(args: usize, from: u32, to: u32, thread: u32): void {
  const s = changetype<DequantizeRowsS8Args>(args)
  const k = s.k
  for (let j = from; j < to; ++j) {
    const scale = load<f32>(s.scale + (<usize>j << 2))
    const src = s.src + <usize>j * k
    let i: u32 = 0
    if (s.transposed) {
      let dst = s.dst + (<usize>j << 2)
      const step = <usize>s.n << 2
      for (; i < k; ++i) {
        store<f32>(dst, <f32>load<i8>(src + i) * scale)
        dst += step
      }
      continue
    }
    const dst = s.dst + ((<usize>j * k) << 2)
    const scales = f32x4.splat(scale)
    for (; i + 8 <= k; i += 8) {
      const half = v128.load8x8_s(src + i)
      const at = dst + (<usize>i << 2)
      v128.store(at, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(half)), scales))
      v128.store(at, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(half)), scales), 16)
    }
    for (; i < k; ++i) store<f32>(dst + (<usize>i << 2), <f32>load<i8>(src + i) * scale)
  }
}
