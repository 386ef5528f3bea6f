// SPDX-License-Identifier: Apache-2.0
/**
 * Integers, comparisons and choices: what shape arithmetic, masks and indices are made of. An argument `op`, `from` or
 * `to` picks the loop. Arithmetic wraps around.
 */
import { kernels } from './row.ts'

/** Outer dims and strides as in kernels/elementwise.ts, in elements; c is dense. A unit is one inner run. */
const pairArgs = {
  a: 'ptr', b: 'ptr', c: 'ptr', inner: 'u32', aInner: 'u32', bInner: 'u32',
  d0: 'u32', d1: 'u32', d2: 'u32', d3: 'u32', d4: 'u32',
  a0: 'u32', a1: 'u32', a2: 'u32', a3: 'u32', a4: 'u32',
  b0: 'u32', b1: 'u32', b2: 'u32', b3: 'u32', b4: 'u32',
  op: 'u32',
} as const

const selectArgs = {
  m: 'ptr', a: 'ptr', b: 'ptr', c: 'ptr', inner: 'u32', mInner: 'u32', aInner: 'u32', bInner: 'u32',
  d0: 'u32', d1: 'u32', d2: 'u32', d3: 'u32', d4: 'u32',
  m0: 'u32', m1: 'u32', m2: 'u32', m3: 'u32', m4: 'u32',
  a0: 'u32', a1: 'u32', a2: 'u32', a3: 'u32', a4: 'u32',
  b0: 'u32', b1: 'u32', b2: 'u32', b3: 'u32', b4: 'u32',
} as const

const pair = { args: pairArgs }
const select = { args: selectArgs }

/** Numbers of `op` of binary_i32 and binary_i64. Mod has the divisor's sign, Rem the dividend's; by zero both give 0, as Div. */
export const integerOps = ['Add', 'Sub', 'Mul', 'Div', 'Mod', 'Rem', 'Min', 'Max', 'And', 'Or', 'Xor'] as const
/** Numbers of `op` of compare_*; the last three are for bools. */
export const compareOps = ['Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual', 'And', 'Or', 'Xor'] as const
/** Numbers of `op` of reduce_i32 and reduce_i64. */
export const reduceOps = ['Sum', 'Max', 'Min', 'Prod'] as const
/** Numbers of `from` and `to` of cast_any. */
export const castKinds = ['int8', 'uint8', 'int32', 'int64', 'float32', 'bool'] as const

const reduce_ = { args: { x: 'ptr', y: 'ptr', outer: 'u32', reduce: 'u32', inner: 'u32', block: 'u32', op: 'u32' } } as const
const extreme = { args: { x: 'ptr', y: 'ptr', reduce: 'u32', inner: 'u32', least: 'u32', last: 'u32' } } as const
const running = {
  args: { x: 'ptr', y: 'ptr', length: 'u32', inner: 'u32', exclusive: 'u32', reverse: 'u32', product: 'u32' },
} as const

export const integer = kernels({
  binary_i32: pair,
  binary_i64: pair,
  /** c is one byte an element: 1 where it holds. Nothing but Equal and the logic makes sense of bools. */
  compare_f32: pair,
  compare_i32: pair,
  compare_i64: pair,
  compare_u8: pair,
  /** c = m (bytes) ? a : b, elements of that many bytes. */
  select_1: select,
  select_2: select,
  select_4: select,
  select_8: select,
  /** dst[i] = src[i] == 0: bools. A unit is `block` elements. */
  not_u8: { args: { src: 'ptr', dst: 'ptr', size: 'u32', block: 'u32' } },
  /**
   * dst = src as another type. Float to integer cuts the fraction and saturates, NaN gives 0; integer to integer keeps
   * the low bits; to bool is x != 0. Not from float32 to itself. A unit is `block` elements.
   */
  cast_any: { args: { src: 'ptr', dst: 'ptr', size: 'u32', block: 'u32', from: 'u32', to: 'u32' } },
  /** y[o][i] = fold over r of x[o][r][i]. A unit is one (o, run of `block` of inner). */
  reduce_i32: reduce_,
  reduce_i64: reduce_,
  /**
   * y[o][i] (int64) = the r of the largest (`least`: smallest) x[o][r][i], the first or the `last` of equal ones. NaN is
   * neither larger nor smaller. A unit is one (o, i).
   */
  arg_extreme_f32: extreme,
  arg_extreme_i32: extreme,
  arg_extreme_i64: extreme,
  /** y[o][r][i] = sum or product of x[o][..r][i] (float32: in float64). A unit is one (o, i). y = x is allowed. */
  running_f32: running,
  running_i32: running,
  running_i64: running,
  /**
   * The k largest (`least`: smallest) of each run x[o][..length][i], best first, the lower index first where equal:
   * y[o][..k][i] and their int64 indices. A unit is one (o, i); 1 <= k <= length.
   */
  top_k_f32: {
    args: { x: 'ptr', y: 'ptr', index: 'ptr', length: 'u32', inner: 'u32', k: 'u32', least: 'u32' },
  },
})
