// SPDX-License-Identifier: Apache-2.0
/**
 * GEMM family: C[m][n] = epilogue(A[m][k] * B[k][n]), B packed in panels of 8 columns.
 *
 * A unit is one block of the grid batch x ceil(m / mb) x ceil(n / nb), counted with n fastest, then m, then batch.
 * `mb` is best a multiple of 6 (the tallest tile), `nb` is a multiple of 8 except where it is n. Blocks decide in which
 * tile a row is summed, so results depend on mb and nb in the last bits (float32), never on who does which unit.
 * The batch strides advance a, b, c; C's columns past n are not touched (ldc may be larger: a view).
 *
 * Packed B, f32:      [n/8][k][8] float32, zero-filled columns.
 * Packed B, s8 c4:    [n/8][k/4][8][4] int8 (k rounded up to 4, zero-filled): one 32-byte group = 4 k of 8 columns.
 * Packed B, s8 c2:    [n/8][k/2][8][2] int8 (k rounded up to 2).
 * Quantised A:        gemm_s8_dot reads bytes, gemm_s8_pairs int16 values 0..255. Rows are read up to k rounded up to 4
 *                     (2): what lies there does not matter, B is 0, but it has to be memory.
 * The dot's A is what quantize_rows_u8 wrote with bias 0 where the host's second operand is unsigned, 128 where it is
 * signed; builds without relaxed SIMD read it as unsigned. k <= 65,000: the sums are int32.
 * Narrow weights:     w[2i] and w[2i + 1] of a column, where they have one sign, add up to at most 128 in magnitude, so that
 *                     with any unsigned bytes of A they give an int16: pmaddubsw, which saturates there, is exact then.
 *                     The narrow kernels do what those of the dot do with bias 0, by that instruction where rows are four, with scales in
 *                     blocks by shares of them then.
 *
 * Quantised C = (aScale[i] * wScale[j]) * (acc - aZero[i] * wSum[j]) + bias[j], where `aParams` is {f32 scale, i32 zero}
 * per row, `aParamsStride` rows apart (0: one for all rows; one per batch: `batchParams` apart). Where B has batches
 * (batchBBytes > 0), those of wScale are n apart, those of wSum n rounded up to 8. wScale null: C = acc - aZero[i] * wSum[j]
 * as int32, without an epilogue.
 *
 * Epilogue (see assembly/gemm/epilogue): y = act(c + bias[j] + residual[i][j]; p0, p1) * postScale + postShift.
 * bias may be null; residual may be null, has row stride ldr and batch stride batchR, and never shares a byte with C: raw
 * sums are written to C and finished there, so that a residual in its place would be lost. The planner gives each a place
 * of its own (runtime/arena.ts).
 * All addresses are multiples of 4, those of byte matrices of any size.
 */
import { type ByteDot, kernels } from './row.ts'

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
 * Weights with a scale per block of `block` k (32, 64 or 128), the last one shorter where k is not a multiple. One
 * batch. C = aScale[i] * (sum over blocks of wScale[j][block] * acc - aZero[i] * wSum[j]) + bias[j], where acc is the exact
 * int32 sum of a * w over the block, a as it is stored, and wSum the float32 sum over blocks of wScale * w (pack:
 * block_sums_s8, _s4). 4-bit weights are stored as 0..15; what they mean is that less 8, or less the zero point of the
 * block where wZeros is not null: words {8 - zero, 0 or -1} of two int16. They need rowSums [m][ceil(k / block)], words
 * {sum of a over the block, 0} (pack: row_sums_u8); for int8 weights that and wZeros are null.
 * wScale and wZeros are [n/8][ceil(k / block)][8], columns past n 0, as in wSum; scales of blocks of zeros are 0 where there are
 * neither shares nor float32 rows (pack: block_sums_s8, _s4).
 *
 * The kernels of pairs, where m >= 16 (4 bits in relaxed builds: always), fold scales into weights of int16: each is then off by at
 * most the 256th (4 bits: 2048th) part of the largest scale of its column, and the sum is exact over 256 k. They read no
 * rowSums then, which may be null. Their scratch is 192 bytes and two panels of k x 8 int16, k rounded up to 2.
 *
 * Packed B, s4 c4: [n/8][k/8][8][4] bytes (k rounded up to 8): low halves are a group of s8 c4, high halves the next.
 * Packed B, s4 c2: [n/8][k/4][8][2] bytes (k rounded up to 4), likewise. Behind n and k weights are 8. Rows of A are as long as that,
 * 0 behind k.
 */
const scaledArgs = {
  /** {f32 scale, i32 zero} per row. */
  aParams: 'ptr',
  rowSums: 'ptr',
  wScale: 'ptr',
  wSum: 'ptr',
  wZeros: 'ptr',
  block: 'u32',
  /** Room per thread for a tile of 6 x 8 float32, 224 bytes; 4-bit: and behind it for a panel of k x 8 int8. */
  scratch: 'ptr',
  scratchBytes: 'u32',
} as const

/** Shares of scales, wShares [n/8][ceil(k / block)][8] int16 and wUnits (pack: block_sums_s8, _s4); wSum and wScale go with them. */
const shareArgs = { wShares: 'ptr', wUnits: 'ptr' } as const

/**
 * Convolution as implicit GEMM over NHWC: the rows of A are output pixels, gathered tap by tap (kh, kw, channel) into
 * the thread's scratch (mb x ldp elements, ldp >= k rounded up to B's group), then multiplied as above. Pointwise ones
 * (1 x 1, stride 1, no padding) are read where they are. batch = images x groups: image = unit batch / groups.
 * m = outH * outW; n and k = kh * kw * channels are those of a group; lda is not used.
 * batchA, batchC, batchR, batchParams advance per image; aParamsStride is 0. Group g starts at input channel
 * g * channels and at column g * n of C, residual, bias and wScale; its B is g * batchBBytes on, its wSum g times n
 * rounded up to 8. Padding reads zero (f32) or the image's zero point (quantised).
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
  /** Bytes of one thread's scratch; the next thread's follows. */
  scratchBytes: 'u32',
  /** Elements between two gathered rows. */
  ldp: 'u32',
} as const

/** Hosts whose dot multiplies all signed by all unsigned (or signed) bytes exactly. */
const wholeBytes: readonly ByteDot[] = ['vnni', 'sdot']

/** Where there is no byte dot to go by; in relaxed builds what is for them is complete, not fast. */
const emulated: readonly ByteDot[] = ['none', 'broken']

export const gemm = kernels({
  gemm_f32: { args: { ...matrixArgs, ...gridArgs, ...epilogueArgs }, product: { family: 'gemm', weights: 'f32', form: 'float' } },
  gemm_s8_dot: { args: { ...matrixArgs, ...gridArgs, ...quantArgs, ...epilogueArgs }, product: { family: 'gemm', weights: 's8', form: 'dot', dots: wholeBytes } },
  gemm_s8_narrow: { args: { ...matrixArgs, ...gridArgs, ...quantArgs, ...epilogueArgs } },
  gemm_s8_pairs: { args: { ...matrixArgs, ...gridArgs, ...quantArgs, ...epilogueArgs }, product: { family: 'gemm', weights: 's8', form: 'pairs' } },
  gemm_s8_scaled_dot: { args: { ...matrixArgs, ...gridArgs, ...scaledArgs, ...epilogueArgs }, product: { family: 'gemm', weights: 's8 blocks', form: 'dot', dots: wholeBytes } },
  /** Four rows and more are multiplied by shares; its scratch is 256 bytes. */
  gemm_s8_scaled_narrow: { args: { ...matrixArgs, ...gridArgs, ...scaledArgs, ...shareArgs, ...epilogueArgs } },
  gemm_s8_scaled_pairs: { args: { ...matrixArgs, ...gridArgs, ...scaledArgs, ...epilogueArgs }, product: { family: 'gemm', weights: 's8 blocks', form: 'pairs' } },
  gemm_s4_scaled_dot: { args: { ...matrixArgs, ...gridArgs, ...scaledArgs, ...epilogueArgs }, product: { family: 'gemm', weights: 's4 blocks', form: 'dot', dots: wholeBytes, widens: true } },
  gemm_s4_scaled_pairs: { args: { ...matrixArgs, ...gridArgs, ...scaledArgs, ...epilogueArgs }, product: { family: 'gemm', weights: 's4 blocks', form: 'pairs', dots: emulated, widens: true } },
  /**
   * Panels of the dot with sums of 32 k in int16: exact where the host's 16-bit byte dot reads its second operand as
   * unsigned, or where all bytes of A are below 128. A is what quantize_rows_u8 wrote with bias 0. wZeros is [n/8][blocks][8] int16,
   * share * (8 - zero), wScale is not read. rowSums may be null where wZeros is. The scratch is 256 bytes, as many panels
   * of k x 8 int8 with k rounded up to 8 as 16 KB hold, one at least, and 8 bytes for each 32 k.
   */
  gemm_s4_scaled_short: { args: { ...matrixArgs, ...gridArgs, ...scaledArgs, ...shareArgs, ...epilogueArgs }, product: { family: 'gemm', weights: 's4 blocks', form: 'short', dots: ['pmaddubsw'], widens: true } },
  /**
   * A is float32 and not quantised: C = sum over k of a * w * wScale, with the panels of the dot. aParams, rowSums and wSum
   * are not read. One row (assembly/gemm/widened.ts) meets weights that are 2^24 times too large: its elements are below 2^80. The scratch is 64 bytes and two panels of float32, 2 x 8 x k rounded up to 8; for s8 a block may be
   * of any size that is a multiple of 4, for s4 of 8.
   */
  gemm_s8_scaled_f32: { args: { ...matrixArgs, ...gridArgs, ...scaledArgs, ...epilogueArgs } },
  gemm_s4_scaled_f32: { args: { ...matrixArgs, ...gridArgs, ...scaledArgs, ...epilogueArgs } },
  conv_f32: { args: { ...matrixArgs, ...gridArgs, ...convArgs, ...epilogueArgs }, product: { family: 'conv', weights: 'f32', form: 'float' } },
  conv_s8_dot: { args: { ...matrixArgs, ...gridArgs, ...convArgs, ...quantArgs, ...epilogueArgs }, product: { family: 'conv', weights: 's8', form: 'dot', dots: wholeBytes } },
  conv_s8_narrow: { args: { ...matrixArgs, ...gridArgs, ...convArgs, ...quantArgs, ...epilogueArgs } },
  conv_s8_pairs: { args: { ...matrixArgs, ...gridArgs, ...convArgs, ...quantArgs, ...epilogueArgs }, product: { family: 'conv', weights: 's8', form: 'pairs' } },
  /**
   * Depthwise convolution over dense NHWC, f32. weights [kh*kw][channels]. A unit is one output row of one image
   * (images * outH of them). One output channel per input channel (others go through conv_f32). The residual has ldr
   * elements per output pixel and batchR per image.
   */
  dwconv_f32: {
    args: {
      x: 'ptr', w: 'ptr', y: 'ptr', images: 'u32', channels: 'u32', inH: 'u32', inW: 'u32', outH: 'u32', outW: 'u32',
      kh: 'u32', kw: 'u32', strideH: 'u32', strideW: 'u32', padTop: 'i32', padLeft: 'i32', dilationH: 'u32', dilationW: 'u32',
      ...epilogueArgs,
    },
  },
})
