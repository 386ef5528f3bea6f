// SPDX-License-Identifier: Apache-2.0
/** Steps that the attention operators of ONNX and of ONNX Runtime share: where heads lie, caches, and what is done to scores. */
import { sizeOf, stridesOf } from '../tensor/shape.ts'
import type { Place } from './lower-attention.ts'
import { emitComparison, emitSelect } from './lower-compare.ts'
import { emitUnary, shifted } from './lower-elementwise.ts'
import { copyElements } from './lower-move.ts'
import type { Lowering, Operand, Ref } from './lower.ts'

/** Where the heads of an operand are: [batch, heads, sequence, size], or [batch, sequence, heads * size]. */
export function placeOf({ ref, dims }: Pick<Operand, 'ref' | 'dims'>, heads: number): Place {
  if (dims.length === 4) return { ref, dims, strides: stridesOf(dims) }
  const [batch, sequence, hidden] = dims
  const size = hidden / heads
  return { ref, dims: [batch, heads, sequence, size], strides: [sequence * hidden, size, hidden, 1] }
}

/** Dense float32 of this node's own. */
export function floatsAt(ref: Ref, dims: readonly number[]): Operand {
  return { name: '', dtype: 'float32', dims, size: sizeOf(dims), ref, constant: false }
}

export function numberAt(lowering: Lowering, value: number): Operand {
  return floatsAt(lowering.table(Float32Array.of(value)), [])
}

/** Elements of heads from one place to another. @returns false when there is no kernel */
export function copyHeads(lowering: Lowering, { ref, dims, strides }: Place, to: Pick<Place, 'ref' | 'strides'>) {
  return copyElements(lowering, { width: 4, dims, source: ref, strides, target: to.ref, targetStrides: to.strides })
}

/** Earlier places of each head, then those of now, in one dense buffer. */
export function joinHeads(lowering: Lowering, past: Operand | null, now: Place, target: Ref): Place | null {
  const [batch, heads, sequence, size] = now.dims
  const earlier = past?.dims[2] ?? 0
  const dims = [batch, heads, earlier + sequence, size]
  const strides = stridesOf(dims)
  const isDone =
    (!past || copyHeads(lowering, placeOf(past, heads), { ref: target, strides })) &&
    copyHeads(lowering, now, { ref: shifted(target, earlier * size * 4), strides })
  return isDone ? { ref: target, dims, strides } : null
}

/** scores = cap * tanh(scores / cap), where the cap is more than 0. */
export function capScores(lowering: Lowering, { ref, dims }: Place, cap: number): void {
  const size = sizeOf(dims)
  if (!(cap > 0)) return
  emitUnary(lowering, 'unary_affine_f32', ref, ref, size, 1 / cap, 0)
  emitUnary(lowering, 'unary_tanh_f32', ref, ref, size)
  emitUnary(lowering, 'unary_affine_f32', ref, ref, size, cap, 0)
}

/** Scores where the condition, which broadcasts to them, does not hold; elsewhere `value`. @returns false where there is no kernel */
export function replaceScores(
  lowering: Lowering,
  { ref, dims }: Place,
  where: Pick<Operand, 'ref' | 'dims'>,
  value: number,
): boolean {
  const all = floatsAt(ref, dims)
  return emitSelect(lowering, { ...all, ...where, dtype: 'bool' }, [numberAt(lowering, value), all], all)
}

/** Zeros for rows whose largest score was -inf: all of them masked. Softmax made NaN of them. @param most that largest, [.., 1] */
export function clearMasked(lowering: Lowering, weights: Place, most: Operand): boolean {
  const closed = { ref: lowering.scratch(most.size), dims: most.dims }
  return (
    emitComparison(lowering, 'Equal', [most, numberAt(lowering, -Infinity)], closed) &&
    replaceScores(lowering, weights, closed, 0)
  )
}
