// SPDX-License-Identifier: Apache-2.0
/** Element-wise kernels over float32: one row per function. */
import { kernels } from './row.ts'

/** y[i] = f(x[i]; p0, p1). A unit is a run of `block` elements. In place (y = x) is allowed. */
const unaryArgs = { x: 'ptr', y: 'ptr', size: 'u32', block: 'u32', p0: 'f32', p1: 'f32' } as const

/**
 * c = f(a, b) over the broadcast shape outer x inner. outer is up to five dims d0..d4 (d4 fastest); a and b advance
 * by their strides (elements) per outer dim and by aInner/bInner (0 or 1) inside. c is dense. A unit is one inner run.
 * In place is allowed where the operand is not broadcast.
 */
export const binaryArgs = {
  a: 'ptr', b: 'ptr', c: 'ptr', inner: 'u32', aInner: 'u32', bInner: 'u32',
  d0: 'u32', d1: 'u32', d2: 'u32', d3: 'u32', d4: 'u32',
  a0: 'u32', a1: 'u32', a2: 'u32', a3: 'u32', a4: 'u32',
  b0: 'u32', b1: 'u32', b2: 'u32', b3: 'u32', b4: 'u32',
} as const

const unary = { args: unaryArgs }
const binary = { args: binaryArgs }

export const elementwise = kernels({
  unary_abs_f32: unary,
  unary_neg_f32: unary,
  unary_sqrt_f32: unary,
  unary_reciprocal_f32: unary,
  unary_exp_f32: unary,
  unary_log_f32: unary,
  unary_floor_f32: unary,
  unary_ceil_f32: unary,
  unary_round_f32: unary,
  unary_erf_f32: unary,
  unary_relu_f32: unary,
  /** p0 = min, p1 = max. */
  unary_clip_f32: unary,
  /** p0 = alpha. */
  unary_leaky_relu_f32: unary,
  /** p0 = alpha. */
  unary_elu_f32: unary,
  /** p0 = alpha, p1 = beta. */
  unary_hard_sigmoid_f32: unary,
  unary_hard_swish_f32: unary,
  unary_sigmoid_f32: unary,
  unary_silu_f32: unary,
  unary_tanh_f32: unary,
  unary_gelu_f32: unary,
  unary_gelu_tanh_f32: unary,
  unary_softplus_f32: unary,
  /** sin(x + p0 pi / 2), p0 0 or 1. Near to the last place up to 2^20; what is beyond has lost its angle in float32 already. */
  unary_sin_f32: unary,
  /** y = x * p0 + p1. */
  unary_affine_f32: unary,
  binary_add_f32: binary,
  binary_sub_f32: binary,
  binary_mul_f32: binary,
  binary_div_f32: binary,
  binary_min_f32: binary,
  binary_max_f32: binary,
  binary_pow_f32: binary,
  /** a >= 0 ? a : a * b. */
  binary_prelu_f32: binary,
  /**
   * Pairs of channels of each head turned: (a, b) to (a cos - b sin, a sin + b cos), pairs (i, i + half) or neighbours
   * (`interleaved`), the other channels of the `size` copied. Strides in elements; row r of cos and sin, [rows, half], is
   * that of unit r, or of `places[r]` (int64, clamped). A unit is one place of one sequence, all heads. y = x is allowed.
   */
  rotary_f32: {
    args: {
      x: 'ptr', y: 'ptr', cos: 'ptr', sin: 'ptr', places: 'ptr', rows: 'u32', sequence: 'u32', heads: 'u32', size: 'u32',
      half: 'u32', batchStride: 'u32', placeStride: 'u32', headStride: 'u32', interleaved: 'u32',
    },
  },
})
