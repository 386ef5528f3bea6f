// SPDX-License-Identifier: Apache-2.0
/** Shapes of numpy.matmul, for MatMul and its integer siblings: the last two axes are matrices, those in front broadcast. */
import type { Dim } from '../ir/dim.ts'
import type { OpContext, ValueInfo } from './define.ts'
import { mayEqual } from './conv-types.ts'
import { broadcastOf, complaint, printDims } from './infer.ts'

/** Operand shapes with 1-D operands made matrices, and the dims of the result. */
export interface MatMulShape<D extends Dim> {
  readonly a: readonly D[]
  readonly b: readonly D[]
  /** Result dims of the matrix axes, without those that a 1-D operand leaves out. */
  readonly tail: readonly D[]
}

/** A 1-D left operand is a row, a 1-D right operand a column; `one` is the dim 1. */
export function matMulShape<D extends Dim>(a: readonly D[], b: readonly D[], one: D): MatMulShape<D> {
  const rows = a.length === 1 ? [] : [a[a.length - 2]]
  const cols = b.length === 1 ? [] : [b[b.length - 1]]
  return { a: a.length === 1 ? [one, a[0]] : a, b: b.length === 1 ? [b[0], one] : b, tail: [...rows, ...cols] }
}

/** Dims of the product; null where a rank is unknown. @throws GraphError naming the node for shapes that do not fit */
export function matMulDims(context: OpContext, a: ValueInfo, b: ValueInfo): Dim[] | null {
  if (a.dims === null || b.dims === null) return null
  if (a.dims.length === 0 || b.dims.length === 0) throw complaint(context, 'operands of rank >= 1', 'a scalar')
  const shape = matMulShape<Dim>(a.dims, b.dims, 1)
  const [inner, depth] = [shape.a[shape.a.length - 1], shape.b[shape.b.length - 2]]
  if (!mayEqual(inner, depth)) {
    throw complaint(context, 'equal inner dims', `${printDims(a.dims)} times ${printDims(b.dims)}`)
  }
  const fronts = [shape.a, shape.b].map((dims) => ({ dtype: a.dtype, dims: dims.slice(0, -2) }))
  return [...broadcastOf(context, fronts)!, ...shape.tail]
}
