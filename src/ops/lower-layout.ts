// SPDX-License-Identifier: Apache-2.0
/**
 * Transposed matrices as steps. Axes of length 1 move for free: then the same memory serves and no step is emitted.
 */
import type { Lowering, Ref } from './lower.ts'

/** Whether both are the same bytes: an operand makes a Ref anew each time it is asked. */
export function samePlace(a: Ref, b: Ref): boolean {
  return a.id === b.id && a.offset === b.offset
}

/** y[b][j][i] = x[b][i][j] over float32 in a scratch buffer, or `x` itself where the bytes are the same. */
export function transposed(lowering: Lowering, x: Ref, batch: number, rows: number, cols: number): Ref {
  if (rows <= 1 || cols <= 1 || batch === 0) return x
  const y = lowering.scratch(batch * rows * cols * 4)
  transposeInto(lowering, x, y, batch, rows, cols)
  return y
}

/** The same into `y`, which is written in any case. */
export function transposeInto(lowering: Lowering, x: Ref, y: Ref, batch: number, rows: number, cols: number): void {
  if (batch * rows * cols === 0) return
  lowering.step({ kernel: 'transpose_4', units: batch * Math.ceil(rows / 8), args: { x, y, batch, rows, cols } })
}
