// SPDX-License-Identifier: Apache-2.0
/** Data movement: no arithmetic. `width` in names is the element's bytes. */
import { kernels } from './row.ts'

/**
 * dst[d0..d5] = src[d0..d5] over six dims (leading ones 1), strides in elements, negative allowed. Covers transpose,
 * slice, concat, expand, split, flip. A unit is one (d0, d1, d2, d3, d4): a run of d5 elements.
 */
const copyArgs = {
  src: 'ptr', dst: 'ptr',
  d0: 'u32', d1: 'u32', d2: 'u32', d3: 'u32', d4: 'u32', d5: 'u32',
  s0: 'i32', s1: 'i32', s2: 'i32', s3: 'i32', s4: 'i32', s5: 'i32',
  t0: 'i32', t1: 'i32', t2: 'i32', t3: 'i32', t4: 'i32', t5: 'i32',
} as const
const copy = { args: copyArgs }

const transpose = { args: { x: 'ptr', y: 'ptr', batch: 'u32', rows: 'u32', cols: 'u32' } } as const

const elementsArgs = {
  src: 'ptr', index: 'ptr', dst: 'ptr', axis: 'u32', count: 'u32', inner: 'u32', width: 'u32', indexBytes: 'u32',
} as const

const tuplesArgs = {
  src: 'ptr', index: 'ptr', dst: 'ptr', depth: 'u32', rowBytes: 'u32', perBatch: 'u32', batchBytes: 'u32',
  d0: 'u32', d1: 'u32', d2: 'u32', d3: 'u32',
} as const

export const move = kernels({
  copy_1: copy,
  copy_2: copy,
  copy_4: copy,
  copy_8: copy,
  /** y[b][j][i] = x[b][i][j], 4-byte elements: batch x rows x cols. A unit is a band of 8 input rows of one batch. */
  transpose_4: transpose,
  /** The same of 1-byte and of 2-byte elements. */
  transpose_1: transpose,
  transpose_2: transpose,
  /** Contiguous copy of `bytes`; a unit is `block` bytes. */
  copy_bytes: { args: { src: 'ptr', dst: 'ptr', bytes: 'u32', block: 'u32' } },
  /** dst[i] = value's bits, `size` 4-byte elements; a unit is `block` elements. */
  fill_4: { args: { dst: 'ptr', size: 'u32', block: 'u32', value: 'u32' } },
  /**
   * Gather along one axis: dst[o][i] = src[o][index[i]] with rows of `rowBytes`; indices are int32 (indexBytes 4) or
   * int64 (8), negative counts from the end, out of range is clamped. A unit is one (o, i).
   */
  gather_rows: { args: { src: 'ptr', index: 'ptr', dst: 'ptr', outer: 'u32', axis: 'u32', count: 'u32', rowBytes: 'u32', indexBytes: 'u32' } },
  /**
   * dst[o][j][i] = src[o][index[o][j][i]][i], elements of `width` bytes; `count` is the length of j. Indices as of
   * gather_rows. A unit is one o.
   */
  gather_elements: { args: elementsArgs },
  /** dst[o][index[o][j][i]][i] = src[o][j][i]; the last of equal indices stays. */
  scatter_elements: { args: elementsArgs },
  /**
   * dst[t] = src[tuple t], runs of `rowBytes`: a tuple is `depth` int64, indices of the dims d0, d1, …; the data of
   * `perBatch` tuples in a row begin `batchBytes` behind those of the ones before. A unit is one t.
   */
  gather_tuples: { args: tuplesArgs },
  /** dst[tuple t] = src[t]. Of equal tuples the last stays where one thread does all. */
  scatter_tuples: { args: tuplesArgs },
  /** y = x where column - row >= k (`upper`) or <= k, else 0: matrices of elements of `width` bytes. A unit is a row. y = x is allowed. */
  triangle: { args: { x: 'ptr', y: 'ptr', rows: 'u32', cols: 'u32', width: 'u32', k: 'i32', upper: 'u32' } },
  /** dst = f32(src): s8, u8, i32, i64 (kind 0..3), bool (1), float16 (4) and bfloat16 (5). A unit is `block` elements. */
  cast_to_f32: { args: { src: 'ptr', dst: 'ptr', size: 'u32', block: 'u32', kind: 'u32' } },
  /** dst = truncated src: s32 or s64 (kind 2, 3), saturating, NaN to 0; float16 or bfloat16 (4, 5): rounded to nearest even. */
  cast_from_f32: { args: { src: 'ptr', dst: 'ptr', size: 'u32', block: 'u32', kind: 'u32' } },
})
