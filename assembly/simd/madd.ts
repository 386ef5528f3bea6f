// SPDX-License-Identifier: Apache-2.0
/**
 * Multiply-add over four float32 lanes. Relaxed builds use the relaxed instruction, which rounds once where the host
 * has a fused one; simd builds round twice. Kernels that need equal bits in all builds must not use it.
 */

/** Whether madd is a single instruction, which needs no register for the product. */
// @ts-ignore: decorator
@inline
export const MADD_IS_ONE: bool = ASC_FEATURE_RELAXED_SIMD

/** a * b + c. */
// @ts-ignore: decorator
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c)
  return f32x4.add(f32x4.mul(a, b), c)
}

/** c - a * b. */
// @ts-ignore: decorator
@inline
export function nmadd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_nmadd(a, b, c)
  return f32x4.sub(c, f32x4.mul(a, b))
}
