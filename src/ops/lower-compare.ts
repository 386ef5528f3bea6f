// SPDX-License-Identifier: Apache-2.0
/** Steps for comparisons, logic and choices (kernels/integer.ts) over a broadcast loop. */
import { compareOps } from '../kernels/codes.ts'
import type { Dtype } from '../tensor/dtype.ts'
import { emitBroadcast } from './lower-elementwise.ts'
import { widthOf } from './lower-move.ts'
import type { Lowering, Operand } from './lower.ts'

export type CompareOp = (typeof compareOps)[number]

const comparisons = {
  float32: ['compare_f32', 4],
  int32: ['compare_i32', 4],
  int64: ['compare_i64', 8],
  bool: ['compare_u8', 1],
  uint8: ['compare_u8', 1],
} as const satisfies Partial<Record<Dtype, unknown>>

/** Not of numbers. */
const logic: readonly CompareOp[] = ['And', 'Or', 'Xor']

type Compared = Pick<Operand, 'dtype' | 'dims' | 'ref'>

/** c = a op b as bools. @returns false where there is no kernel */
export function emitComparison(
  lowering: Lowering,
  op: CompareOp,
  [a, b]: readonly [Compared, Compared],
  c: Omit<Compared, 'dtype'>,
): boolean {
  const [kernel, width] = comparisons[a.dtype as keyof typeof comparisons] ?? []
  if (kernel === undefined || width === undefined || a.dtype !== b.dtype) return false
  if (logic.includes(op) && kernel !== 'compare_u8') return false
  const operands = [
    { name: 'a', width, ref: a.ref, dims: a.dims },
    { name: 'b', width, ref: b.ref, dims: b.dims },
  ] as const
  const words = { op: compareOps.indexOf(op) }
  return emitBroadcast(lowering, kernel, operands, { ref: c.ref, width: 1, words }, c.dims)
}

/** c = m ? a : b. @returns false where there is no kernel */
export function emitSelect(lowering: Lowering, m: Operand, [a, b]: readonly [Operand, Operand], c: Operand): boolean {
  const width = widthOf(a.dtype)
  if (width === null) return false
  const operands = [
    { name: 'm', width: 1, ref: m.ref, dims: m.dims },
    { name: 'a', width, ref: a.ref, dims: a.dims },
    { name: 'b', width, ref: b.ref, dims: b.dims },
  ] as const
  return emitBroadcast(lowering, `select_${width}`, operands, { ref: c.ref, width }, c.dims)
}
