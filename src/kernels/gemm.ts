// SPDX-License-Identifier: Apache-2.0
/**
 * GEMM family: C[m][n] = epilogue(A[m][k] * B[k][n]), B packed in panels of 8 columns.
 *
 * A unit is one block of the grid batch x ceil(m / mb) x ceil(n / nb), counted with n fastest, then m, then batch.
 * `mb` and `nb` are multiples of the tile except in the last block. The batch strides advance a, b, c.
 *
 * Packed B, f32:      [n/8][k][8] float32, zero-filled columns.
 * Packed B, s8 c4:    [n/8][k/4][8][4] int8 (k rounded up to 4, zero-filled): one 32-byte group = 4 k of 8 columns.
 * Packed B, s8 c2:    [n/8][k/2][8][2] int8 (k rounded up to 2).
 * Quantised A:        gemm_s8_dot reads bytes (lda rounded up to 4, the fill is the zero point's multiple of nothing: B is 0 there);
 *                     gemm_s8_pairs reads int16 (lda even), values 0..255.
 *
 * Quantised C = aScale[i] * wScale[j] * (acc - aZero[i] * wSum[j]) + bias[j], where `aParams` is {f32 scale, i32 zero}
 * per row, `aParamsStride` rows apart (0: one for all rows; one per batch: `batchParams` apart).
 *
 * Epilogue (see assembly/epilogue): y = act(c + bias[j] + residual[i][j]; p0, p1) * postScale + postShift.
 * bias may be null; residual may be null, has row stride ldr and batch stride like c's.
 */
import { kernels } from './row.ts'

/** Activation numbers of the epilogue; the order is ABI. */
export const activations = ['None', 'Relu', 'Clip', 'LeakyRelu', 'HardSigmoid', 'HardSwish', 'Sigmoid', 'Silu', 'Tanh', 'Gelu', 'GeluTanh'] as const
export type Activation = (typeof activations)[number]

/** Arguments every epilogue takes. p0/p1: Clip min/max, LeakyRelu alpha, HardSigmoid alpha/beta. */
export const epilogueArgs = {
  bias: 'ptr',
  residual: 'ptr',
  ldr: 'u32',
  batchR: 'u32',
  activation: 'u32',
  p0: 'f32',
  p1: 'f32',
  postScale: 'f32',
  postShift: 'f32',
} as const

const gridArgs = {
  batch: 'u32',
  m: 'u32',
  n: 'u32',
  k: 'u32',
  mb: 'u32',
  nb: 'u32',
} as const

const matrixArgs = {
  a: 'ptr',
  lda: 'u32',
  batchA: 'u32',
  b: 'ptr',
  /** Bytes between the packed B of two batches; 0: shared. */
  batchBBytes: 'u32',
  c: 'ptr',
  ldc: 'u32',
  batchC: 'u32',
} as const

const quantArgs = {
  aParams: 'ptr',
  aParamsStride: 'u32',
  batchParams: 'u32',
  wScale: 'ptr',
  wSum: 'ptr',
} as const

/**
 * Convolution as implicit GEMM over NHWC: the rows of A are output pixels, gathered tap by tap into the thread's
 * scratch (rows x k elements, stride `ldp`), then multiplied as above. batch = images x groups: image = unit batch / groups.
 * m = outH * outW; k = kh * kw * channels (of a group). Padding reads zero (f32) or the image's zero point (quantised).
 * C of group g starts at column g * n; ldc is the whole row. b of group g is g * batchBBytes on.
 */
const convArgs = {
  groups: 'u32',
  inH: 'u32',
  inW: 'u32',
  outW: 'u32',
  kh: 'u32',
  kw: 'u32',
  strideH: 'u32',
  strideW: 'u32',
  padTop: 'i32',
  padLeft: 'i32',
  dilationH: 'u32',
  dilationW: 'u32',
  /** Channels of a group. */
  channels: 'u32',
  /** Elements between two pixels of the input. */
  pixelStride: 'u32',
  scratch: 'ptr',
  scratchBytes: 'u32',
  /** Elements between two gathered rows. */
  ldp: 'u32',
} as const

export const gemm = kernels({
  gemm_f32: { args: { ...matrixArgs, ...gridArgs, ...epilogueArgs } },
  gemm_s8_dot: { args: { ...matrixArgs, ...gridArgs, ...quantArgs, ...epilogueArgs } },
  gemm_s8_pairs: { args: { ...matrixArgs, ...gridArgs, ...quantArgs, ...epilogueArgs } },
  conv_f32: { args: { ...matrixArgs, ...gridArgs, ...convArgs, ...epilogueArgs } },
  conv_s8_dot: { args: { ...matrixArgs, ...gridArgs, ...convArgs, ...quantArgs, ...epilogueArgs } },
  conv_s8_pairs: { args: { ...matrixArgs, ...gridArgs, ...convArgs, ...quantArgs, ...epilogueArgs } },
  /**
   * Depthwise convolution over NHWC, f32. weights [kh*kw][channels]. A unit is one output row of one image
   * (n = images * outH). multiplier: output channels per input channel is 1 (others go through conv_f32).
   */
  dwconv_f32: {
    args: {
      x: 'ptr', w: 'ptr', y: 'ptr', images: 'u32', channels: 'u32', inH: 'u32', inW: 'u32', outH: 'u32', outW: 'u32',
      kh: 'u32', kw: 'u32', strideH: 'u32', strideW: 'u32', padTop: 'i32', padLeft: 'i32', dilationH: 'u32', dilationW: 'u32',
      ...epilogueArgs,
    },
  },
})
