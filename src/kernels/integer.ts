// SPDX-License-Identifier: Apache-2.0
/**
 * Integers, comparisons and choices: what shape arithmetic, masks and indices are made of. An argument `op`, `from` or
 * `to` picks the loop (codes.ts). Arithmetic wraps around.
 */
import { binaryArgs } from './elementwise.ts'
import { kernels } from './row.ts'

/** c = a op b over a broadcast loop (kernels/elementwise.ts), strides in elements. A unit is one inner run. */
const pairArgs = { ...binaryArgs, op: 'u32' } as const

/** The same of three operands. */
const selectArgs = {
  ...binaryArgs, m: 'ptr', mInner: 'u32', m0: 'u32', m1: 'u32', m2: 'u32', m3: 'u32', m4: 'u32',
} as const

const pair = { args: pairArgs }
const select = { args: selectArgs }

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
   * The k largest (`least`: smallest) of each run x[o][..length][i], best first, the lower index first where equal, NaN last:
   * y[o][..k][i] and their int64 indices. A unit is one (o, i); 1 <= k <= length.
   */
  top_k_f32: {
    args: { x: 'ptr', y: 'ptr', index: 'ptr', length: 'u32', inner: 'u32', k: 'u32', least: 'u32' },
  },
})
