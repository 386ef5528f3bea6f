// SPDX-License-Identifier: Apache-2.0
/** Arithmetic on concrete shapes: sizes, strides, broadcasting, axes. */
import { GraphError } from '../base/errors.ts'

/** Longest shape: above what any model has; the length of a list in a file, or one that a run gives, may be anything. */
export const mostRank = 64

/** Number of elements of a shape; 1 for rank 0. */
export function sizeOf(dims: readonly number[]): number {
  let size = 1
  for (const dim of dims) size *= dim
  return size
}

/** Row-major strides in elements. */
export function stridesOf(dims: readonly number[]): number[] {
  const strides = new Array<number>(dims.length)
  let step = 1
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    strides[axis] = step
    step *= dims[axis]
  }
  return strides
}

/** Axis counted from the front. @throws GraphError when out of [-rank, rank) */
export function normalizeAxis(axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    throw new GraphError({ where: 'axis', expected: `an integer in [${-rank}, ${rank})`, got: String(axis) })
  }
  return axis < 0 ? axis + rank : axis
}

/** NumPy broadcasting of concrete shapes. @throws GraphError when two dims differ and neither is 1 */
export function broadcastDims(...shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length))
  const result = new Array<number>(rank).fill(1)
  for (const shape of shapes) {
    for (let i = 0; i < shape.length; i++) {
      const axis = rank - shape.length + i
      if (shape[i] === result[axis] || shape[i] === 1) continue
      if (result[axis] !== 1) {
        throw new GraphError({
          where: 'broadcast',
          expected: 'equal dims or 1',
          got: shapes.map((s) => `[${s.join(', ')}]`).join(' and '),
        })
      }
      result[axis] = shape[i]
    }
  }
  return result
}

/** Strides (elements) that read `dims` as if broadcast to `target`: 0 along stretched axes. */
export function broadcastStrides(dims: readonly number[], target: readonly number[]): number[] {
  const own = stridesOf(dims)
  const lead = target.length - dims.length
  return target.map((_, axis) => (axis < lead || dims[axis - lead] === 1 ? 0 : own[axis - lead]))
}
