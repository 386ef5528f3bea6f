// SPDX-License-Identifier: Apache-2.0
/** Kernels of src/kernels/pack.ts: panels of B, weights back to float32, activations to 8 bits. */
export { pack_f32_x8, pack_s8_x8c2, pack_s8_x8c4, dequantize_rows_s8 } from './pack/panels'
export { clip_u32 } from './pack/clip'
export { pack_s4_x8c2, pack_s4_x8c4 } from './pack/halves'
export { block_sums_s4, block_sums_s8, pack_zeros_s4, row_sums_i16, row_sums_u8 } from './pack/terms'
export {
  minmax_f32,
  quantize_image_i16,
  quantize_image_u8,
  quantize_rows_i16,
  quantize_rows_u8,
} from './pack/quantize'
