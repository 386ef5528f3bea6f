// SPDX-License-Identifier: Apache-2.0
/** Packing and quantising: everything that turns a row-major matrix into what a GEMM reads. */
import { kernels } from './row.ts'

/**
 * Element (col j, depth i) of the source is at src[j * colStride + i * depthStride]. A unit is one panel of 8 columns
 * of one batch: batch x ceil(n / 8) of them. Layouts: kernels/gemm.ts.
 */
const packArgs = {
  src: 'ptr',
  dst: 'ptr',
  n: 'u32',
  k: 'u32',
  colStride: 'u32',
  depthStride: 'u32',
  batch: 'u32',
  batchSrc: 'u32',
  batchDstBytes: 'u32',
} as const

const packHalvesArgs = { src: 'ptr', dst: 'ptr', n: 'u32', k: 'u32', colStride: 'u32', flip: 'u32' } as const

const rowSumsArgs = { q: 'ptr', ldq: 'u32', sums: 'ptr', k: 'u32', block: 'u32', bias: 'i32' } as const

/** Scales are [n][ceil(k / block)]. */
const blockSumsArgs = {
  src: 'ptr', scales: 'ptr', sums: 'ptr', dst: 'ptr', shares: 'ptr', units: 'ptr', n: 'u32', k: 'u32', block: 'u32', colStride: 'u32',
} as const

export const pack = kernels({
  pack_f32_x8: { args: packArgs },
  /**
   * Also writes sums[j] = sum over k of column j (int32, one per column of the padded n, batch after batch). Bytes are xored
   * with `flip`: 128 turns uint8 into value - 128.
   */
  pack_s8_x8c4: { args: { ...packArgs, sums: 'ptr', flip: 'u32' } },
  pack_s8_x8c2: { args: { ...packArgs, sums: 'ptr', flip: 'u32' } },
  /**
   * What a product in blocks takes off for each unit of a row's zero (kernels/gemm.ts): sums[j] = sum over blocks of scale *
   * sum over the block of w, computed in float64, float32 for each column of n rounded up to 8, those past n 0. Element
   * (col j, depth i) is src[j * colStride + i]. And packs the scales: dst [n/8][blocks][8], 0 where all weights of a block are and
   * in columns past n. A unit is one panel of 8 columns.
   *
   * Where `units` is not null, a float32 per column of n rounded up to 8, scales become shares of a unit of their column, to the nearest:
   * shares [n/8][blocks][8] int16. The unit is the least that keeps shares in int16 and sums over 512 k (4 bits: 4096), from a multiple
   * of that on, of any byte times weight times share in int32. Sums and dst, which may be null, are of share * unit then.
   */
  block_sums_s8: { args: blockSumsArgs },
  /**
   * The same of halves of bytes as pack_s4_x8c4 takes them, less the zero point of the block, half j * zeroStride + block of
   * `zeros`, or less 8 where that is null. Where both it and `units` are not, words [n/8][blocks][8] int16 are share * (8 - zero), and
   * shares at most 4095.
   */
  block_sums_s4: { args: { ...blockSumsArgs, flip: 'u32', zeros: 'ptr', zeroStride: 'u32', words: 'ptr' } },
  /**
   * 4-bit panels (kernels/gemm.ts) of rows of halves of bytes, low halves first: element (col j, depth i) is half
   * j * colStride + i of src, xored with `flip` (8 turns two's complement into value + 8). A unit is one panel of 8
   * columns.
   */
  pack_s4_x8c4: { args: packHalvesArgs },
  pack_s4_x8c2: { args: packHalvesArgs },
  /** dst[i] = min(src[i], most) * times, unsigned: indices that kernels follow. A unit is `block` elements. */
  clip_u32: { args: { src: 'ptr', dst: 'ptr', size: 'u32', block: 'u32', most: 'u32', times: 'u32' } },
  /**
   * Zero points of 4-bit weights, half j * colStride + block of src: dst [n/8][blocks][8] int32, 8 - zero, 0 in columns
   * past n.
   */
  pack_zeros_s4: { args: { src: 'ptr', dst: 'ptr', n: 'u32', blocks: 'u32', colStride: 'u32' } },
  /**
   * Sums over blocks of rows that quantize_rows_u8 (_i16) wrote, as stored: sums [m][ceil(k / block)] words {sum, 0} of two
   * int16, `bias` as there. A unit is one row.
   */
  row_sums_u8: { args: rowSumsArgs },
  row_sums_i16: { args: rowSumsArgs },
  /**
   * dst[j * k + i] = src[j * k + i] * scale[j], int8 to f32: weights of kernels that compute in float. A unit is one
   * row j of n. transposed: dst[i * n + j].
   */
  dequantize_rows_s8: { args: { src: 'ptr', dst: 'ptr', scale: 'ptr', n: 'u32', k: 'u32', transposed: 'u32' } },
  /**
   * Per-row dynamic quantisation to 8 bits, asymmetric, zero always representable:
   * lo = min(0, row), hi = max(0, row), scale = (hi - lo) / 255 (1 when that is below the smallest normal float32, as it
   * is when hi = lo), zero = clamp(nearest(-lo / scale), 0, 255), q = clamp(nearest(x * (1 / scale)) + zero, 0, 255),
   * nearest = ties to even; every step, 1 / scale too, rounds to float32.
   * NaN takes no part in lo and hi and becomes zero; infinities and a difference hi - lo beyond float32 count as the
   * largest finite number.
   * Stored minus `bias` (0, or 128 where the dot's second operand is signed); params[row] = {scale, zero - bias}.
   * Columns k..ldq-1 are filled with 0. A unit is one row. q and x do not overlap.
   */
  quantize_rows_u8: { args: { x: 'ptr', ldx: 'u32', q: 'ptr', ldq: 'u32', params: 'ptr', m: 'u32', k: 'u32', bias: 'i32' } },
  /** The same into int16, for gemm_s8_pairs (bias 0). ldq in int16 elements. */
  quantize_rows_i16: { args: { x: 'ptr', ldx: 'u32', q: 'ptr', ldq: 'u32', params: 'ptr', m: 'u32', k: 'u32', bias: 'i32' } },
  /**
   * partial[unit] = {min, max} of x[unit * block .. ) clipped to size; 0 is not included here, NaN is passed over
   * ({inf, -inf} when there is nothing else). Several images: `images` runs of `size`, blocks counted per image.
   */
  minmax_f32: { args: { x: 'ptr', partial: 'ptr', images: 'u32', size: 'u32', block: 'u32' } },
  /**
   * Per-image quantisation: folds the image's `parts` partials to lo/hi, then as quantize_rows with one scale per image.
   * rows x k with strides ldx, ldq, images rows * ldx (ldq) apart; a unit is `block` rows of one image. Writes params[image] = {scale, zero - bias}
   * (every unit of an image writes the same bits).
   */
  quantize_image_u8: {
    args: { x: 'ptr', ldx: 'u32', q: 'ptr', ldq: 'u32', params: 'ptr', partial: 'ptr', parts: 'u32', images: 'u32', rows: 'u32', k: 'u32', block: 'u32', bias: 'i32' },
  },
  quantize_image_i16: {
    args: { x: 'ptr', ldx: 'u32', q: 'ptr', ldq: 'u32', params: 'ptr', partial: 'ptr', parts: 'u32', images: 'u32', rows: 'u32', k: 'u32', block: 'u32', bias: 'i32' },
  },
})
