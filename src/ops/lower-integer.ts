// SPDX-License-Identifier: Apache-2.0
/** Steps for the arithmetic of 32- and 64-bit integers (kernels/integer.ts) over a broadcast loop. */
import { integerOps } from '../kernels/codes.ts'
import type { Dtype } from '../tensor/dtype.ts'
import { type Place, emitBroadcast } from './lower-elementwise.ts'
import type { Lowering } from './lower.ts'

export type IntegerOp = (typeof integerOps)[number]

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
