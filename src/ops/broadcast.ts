// SPDX-License-Identifier: Apache-2.0
/**
 * Broadcasting of concrete shapes: for references, the offset of every element of an operand; for lowerings, the
 * loop a binary kernel walks. The loop is the output shape with axes of 1 dropped and neighbours merged wherever both
 * operands step evenly across them; the last one is the inner run, the others (at most five) are outer.
 */
import { broadcastDims, broadcastStrides, sizeOf } from '../tensor/shape.ts'
import { offsetsOf } from './elements.ts'

/** Offsets that read an operand of shape `dims` in the order of `target`'s elements; null when it is read as it lies. */
export function broadcastOffsets(dims: readonly number[], target: readonly number[]): Int32Array | null {
  if (sizeOf(dims) === sizeOf(target)) return null
  return offsetsOf(target, broadcastStrides(dims, target))
}

/** An operand of a reference: elements and shape. */
export interface Elements<T> {
  readonly values: ArrayLike<T>
  readonly dims: readonly number[]
}

/** f over broadcast operands: the results in row-major order, and their shape. */
export function mapBroadcast<T, R>(
  operands: readonly Elements<T>[],
  f: (...values: T[]) => R,
): { values: R[]; dims: number[] } {
  const dims = broadcastDims(...operands.map((operand) => operand.dims))
  const offsets = operands.map((operand) => broadcastOffsets(operand.dims, dims))
  const values = new Array<R>(sizeOf(dims))
  for (let i = 0; i < values.length; i++) {
    values[i] = f(...operands.map((operand, k) => operand.values[offsets[k]?.[i] ?? i]))
  }
  return { values, dims }
}

/** One axis of a loop: its length and the operands' strides in elements. */
export interface LoopAxis {
  readonly size: number
  readonly strides: readonly number[]
}

/** Axes of 1 dropped, neighbours merged where every operand steps evenly; never empty. */
export function collapse(dims: readonly number[], strides: readonly (readonly number[])[]): LoopAxis[] {
  const axes: LoopAxis[] = []
  for (let axis = 0; axis < dims.length; axis++) {
    if (dims[axis] === 1) continue
    const next = { size: dims[axis], strides: strides.map((own) => own[axis]) }
    const last = axes.at(-1)
    if (last !== undefined && last.strides.every((stride, k) => stride === next.strides[k] * next.size)) {
      axes[axes.length - 1] = { size: last.size * next.size, strides: next.strides }
    } else axes.push(next)
  }
  return axes.length > 0 ? axes : [{ size: 1, strides: strides.map(() => 0) }]
}

/** The largest divisor of `size` that is at most `limit`. */
export function divisorUpTo(size: number, limit: number): number {
  for (let divisor = Math.min(size, limit); divisor > 1; divisor--) if (size % divisor === 0) return divisor
  return 1
}

/** Offset of an operand at the i-th place (row-major) of these axes. */
export function offsetAt(axes: readonly LoopAxis[], operand: number, i: number): number {
  let offset = 0
  for (const { size, strides } of [...axes].reverse()) {
    offset += (i % size) * strides[operand]
    i = Math.floor(i / size)
  }
  return offset
}
