// SPDX-License-Identifier: Apache-2.0
/** Loops of kernels with two broadcast operands: every tail, stride and kind of inner run. */

export interface Broadcast {
  readonly dims: readonly [number, number, number, number, number]
  readonly a: readonly [number, number, number, number, number]
  readonly b: readonly [number, number, number, number, number]
  readonly inner: readonly [size: number, a: 0 | 1, b: 0 | 1]
}

const zero = [0, 0, 0, 0, 0] as const
export const broadcasts: readonly Broadcast[] = [
  { dims: [1, 1, 1, 1, 1], a: zero, b: zero, inner: [37, 1, 1] },
  { dims: [1, 1, 1, 1, 1], a: zero, b: zero, inner: [5, 1, 0] },
  { dims: [1, 1, 1, 1, 1], a: zero, b: zero, inner: [64, 0, 1] },
  { dims: [1, 1, 1, 1, 3], a: [0, 0, 0, 0, 1], b: zero, inner: [7, 0, 0] },
  { dims: [1, 1, 1, 2, 3], a: [0, 0, 0, 21, 7], b: [0, 0, 0, 0, 7], inner: [7, 1, 1] },
  { dims: [2, 1, 3, 2, 2], a: [12, 12, 4, 2, 1], b: [0, 0, 16, 0, 8], inner: [8, 0, 1] },
  { dims: [2, 3, 1, 2, 2], a: [120, 40, 40, 20, 10], b: [0, 4, 4, 0, 2], inner: [1, 1, 0] },
]

/** Whether the operand is read in the order of the result, each element once: then the result may take its place. */
export function isDense(shape: Broadcast, operand: 'a' | 'b'): boolean {
  const { dims, inner } = shape
  if (inner[operand === 'a' ? 1 : 2] === 0) return false
  let dense = inner[0]
  for (let d = 4; d >= 0; d--) {
    if (dims[d] !== 1 && shape[operand][d] !== dense) return false
    dense *= dims[d]!
  }
  return true
}

/** Elements an operand spans. */
export const span = (strides: readonly number[], dims: readonly number[], inner: number): number =>
  strides.reduce((sum, stride, i) => sum + stride * (dims[i]! - 1), 0) + inner
