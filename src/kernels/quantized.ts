// SPDX-License-Identifier: Apache-2.0
/**
 * Quantised graphs: numbers to 8 bits and back with given scales and zero points, operands of the byte products
 * (kernels/gemm.ts) made of tensors that are bytes already, and their exact sums to 8 bits. A zero point is one byte,
 * `signed` says how it and its tensor are read; null: 0. Rounding is to nearest, ties to even, in float32.
 */
import { kernels } from './row.ts'

const stageArgs = { src: 'ptr', dst: 'ptr', rows: 'u32', k: 'u32', ldd: 'u32', block: 'u32', flip: 'u32' } as const

export const quantized = kernels({
  /**
   * y = clamp(nearest(x / scale) + zero), float32 to bytes. Element i has the scale and zero of channel
   * (i / inner) % channels; a unit is a run of `inner` of the `size` elements, the last one may be shorter.
   */
  quantize_linear: {
    args: { x: 'ptr', y: 'ptr', size: 'u32', inner: 'u32', channels: 'u32', scale: 'ptr', zero: 'ptr', signed: 'u32' },
  },
  /** y = (x - zero) * scale, rounded once. Kinds 0 int8, 1 uint8, 2 int32, which is what the zero is as well. */
  dequantize_linear: {
    args: { x: 'ptr', y: 'ptr', size: 'u32', inner: 'u32', channels: 'u32', scale: 'ptr', zero: 'ptr', kind: 'u32' },
  },
  /**
   * Range, scale and zero point (uint8) of DynamicQuantizeLinear from what minmax_f32 wrote: lo = min(0, least), hi = max(0,
   * largest), scale = (hi - lo) / 255 (1 where that is below the smallest normal), zero = clamp(nearest(-lo / scale)). One unit.
   */
  quant_range: { args: { partial: 'ptr', parts: 'u32', scale: 'ptr', zero: 'ptr' } },
  /** params = {scale, zero + shift}, the record of kernels/gemm.ts; scale null: 1. One unit. */
  quant_params: { args: { scale: 'ptr', zero: 'ptr', params: 'ptr', signed: 'u32', shift: 'i32' } },
  /** dst[i * ldd + j] = src[i * k + j] ^ flip, bytes; 0 in columns k..ldd-1. A unit is `block` rows. */
  stage_u8: { args: stageArgs },
  /** The same to int16, flip 1: src is signed, 0: unsigned. */
  stage_i16: { args: stageArgs },
  /**
   * sums[i] = sum over k of q[i * ldq + j], less k times the zero of params (one for all). q is uint8, int8 or int16:
   * kind 0, 1, 2. A unit is one row.
   */
  row_sums: { args: { q: 'ptr', ldq: 'u32', params: 'ptr', sums: 'ptr', k: 'u32', kind: 'u32' } },
  /**
   * c[i][j] -= sums[i * groups + j / (n / groups)] * z[j], int32: what zero points of weights add to a product. z[j] is
   * byte j * zeroStep, xored with flip, signed. A unit is one row.
   */
  subtract_outer: {
    args: { c: 'ptr', n: 'u32', groups: 'u32', sums: 'ptr', zero: 'ptr', zeroStep: 'u32', flip: 'u32' },
  },
  /**
   * y[i][j] = clamp(nearest((x[i][j] + bias[j]) * scale[j * scaleStep]) + zero): int32 to bytes; the sum wraps, the product is
   * float32's. bias may be null. A unit is `block` of the `rows` rows of n.
   */
  requantize: {
    args: {
      x: 'ptr', y: 'ptr', rows: 'u32', n: 'u32', block: 'u32', bias: 'ptr', scale: 'ptr', scaleStep: 'u32', zero: 'ptr',
      signed: 'u32',
    },
  },
  /** dst[i] = table[src[i]], bytes, a table of 256. A unit is `block` elements. */
  lookup_u8: { args: { src: 'ptr', dst: 'ptr', size: 'u32', block: 'u32', table: 'ptr' } },
  /** y[b][j][i] = x[b][i][j], bytes: batch x rows x cols. A unit is a band of 8 input rows of one batch. */
  transpose_1: { args: { x: 'ptr', y: 'ptr', batch: 'u32', rows: 'u32', cols: 'u32' } },
})
