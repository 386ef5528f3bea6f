// SPDX-License-Identifier: Apache-2.0
/**
 * Steps for integers, bools and comparisons (kernels/integer.ts): element-wise over a broadcast loop, choices, and casts
 * between the types that shape arithmetic, masks and indices have.
 */
import { castKinds, compareOps, integerOps } from '../kernels/integer.ts'
import type { Dtype } from '../tensor/dtype.ts'
import { flatGrid } from './grid.ts'
import { type Place, emitBroadcast } from './lower-elementwise.ts'
import { widthOf } from './lower-move.ts'
import type { Lowering, Operand, Ref } from './lower.ts'

export type IntegerOp = (typeof integerOps)[number]
export type CompareOp = (typeof compareOps)[number]

/** Operations whose bits do not depend on whether the type has a sign. */
const signless: readonly IntegerOp[] = ['Add', 'Sub', 'Mul', 'And', 'Or', 'Xor']

const arithmetic: Readonly<Partial<Record<Dtype, readonly ['binary_i32' | 'binary_i64', number, signed: boolean]>>> = {
  int32: ['binary_i32', 4, true],
  uint32: ['binary_i32', 4, false],
  int64: ['binary_i64', 8, true],
  uint64: ['binary_i64', 8, false],
}

/** c = a op b in 32- and 64-bit integers. @returns false where there is no kernel */
export function emitIntegers(
  lowering: Lowering,
  op: IntegerOp,
  dtype: Dtype,
  [a, b]: readonly [Place, Place],
  c: Place,
): boolean {
  const [kernel, width, signed] = arithmetic[dtype] ?? []
  if (kernel === undefined || width === undefined || (!signed && !signless.includes(op))) return false
  const operands = [
    { name: 'a', width, ref: a.ref, dims: a.dims },
    { name: 'b', width, ref: b.ref, dims: b.dims },
  ] as const
  const words = { op: integerOps.indexOf(op) }
  return emitBroadcast(lowering, kernel as never, operands, { ref: c.ref, width, words }, c.dims)
}

const comparisons = {
  float32: ['compare_f32', 4],
  int32: ['compare_i32', 4],
  int64: ['compare_i64', 8],
  bool: ['compare_u8', 1],
  uint8: ['compare_u8', 1],
} as const satisfies Partial<Record<Dtype, unknown>>

/** c = a op b as bools. @returns false where there is no kernel */
export function emitComparison(
  lowering: Lowering,
  op: CompareOp,
  [a, b]: readonly [Operand, Operand],
  c: Operand,
): boolean {
  const [kernel, width] = comparisons[a.dtype as keyof typeof comparisons] ?? []
  if (kernel === undefined || width === undefined) return false
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

/** dst = src as another type, `size` elements. @returns false where there is no kernel for the two types */
export function emitCast(
  lowering: Lowering,
  [from, src]: readonly [Dtype, Ref],
  [to, dst]: readonly [Dtype, Ref],
  size: number,
): boolean {
  const [source, target] = [from, to].map((dtype) => (castKinds as readonly Dtype[]).indexOf(dtype))
  if (source < 0 || target < 0) return false
  const { block, units } = flatGrid(size)
  const args = { src, dst, size, block }
  if (to === 'float32') {
    lowering.step({ kernel: 'cast_to_f32', args: { ...args, kind: from === 'bool' ? 1 : source }, units })
  } else if (from === 'float32' && (to === 'int32' || to === 'int64')) {
    lowering.step({ kernel: 'cast_from_f32', args: { ...args, kind: target }, units })
  } else {
    lowering.step({ kernel: 'cast_any', args: { ...args, from: source, to: target }, units })
  }
  return true
}
