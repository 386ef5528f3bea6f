// SPDX-License-Identifier: Apache-2.0
/**
 * Steps of the element-wise kernels, for lowerings. A unary step is cut into runs of `runLength`; a binary step walks
 * the collapsed broadcast loop, and a loop that is one long run is cut into runs too, so that threads share it. Only
 * float32 has kernels: callers ask `isFloat32` first.
 */
import type { KernelName } from '../kernels/table.ts'
import { broadcastStrides, sizeOf } from '../tensor/shape.ts'
import { type LoopAxis, collapse, divisorUpTo } from './broadcast.ts'
import { flatGrid, grainOf } from './grid.ts'
import type { Lowering, Operand, Ref, StepSpec } from './lower.ts'

export type UnaryKernel = Extract<KernelName, `unary_${string}`>
export type BinaryKernel = Extract<KernelName, `binary_${string}`>

/** What a step reads: a place and the shape that lies there. */
export interface Place {
  readonly ref: Ref
  readonly dims: readonly number[]
}

/** Elements of a run that is worth a unit of its own: 16 KB of float32, half of a small first-level cache. */
const runLength = 4096

/** Dims a binary kernel has besides its inner run. */
const outerAxes = 5

/** True when every operand that is there is float32. */
export function isFloat32(...operands: readonly (Operand | null)[]): boolean {
  return operands.every((operand) => operand === null || operand.dtype === 'float32')
}

/** A place `bytes` further on. */
export function shifted(ref: Ref, bytes: number): Ref {
  return bytes === 0 ? ref : { id: ref.id, offset: ref.offset + bytes }
}

/** y = f(x; p0, p1) over `size` elements; nothing for 0 elements. x and y may be one place. */
export function emitUnary(lowering: Lowering, kernel: UnaryKernel, x: Ref, y: Ref, size: number, p0 = 0, p1 = 0): void {
  if (size === 0) return
  const { block, units } = flatGrid(size)
  lowering.step({ kernel, args: { x, y, size, block, p0, p1 }, units } as StepSpec)
}

/**
 * c = f(a, b) over the broadcast shape `dims`; c is dense. Nothing for 0 elements.
 * @returns false when the loop has more axes than the kernel
 */
export function emitBinary(
  lowering: Lowering,
  kernel: BinaryKernel,
  a: Place,
  b: Place,
  c: Ref,
  dims: readonly number[],
): boolean {
  if (sizeOf(dims) === 0) return true
  const loop = collapse(dims, [broadcastStrides(a.dims, dims), broadcastStrides(b.dims, dims)])
  const inner = loop.pop()!
  if (loop.length > outerAxes) return false
  if (loop.length === 0 && inner.size > runLength) emitLongRun(lowering, kernel, [a.ref, b.ref, c], inner)
  else emitLoop(lowering, kernel, [a.ref, b.ref, c], shortened(loop, inner))
  return true
}

/** A long inner run cut into even pieces where there are few of them and room for an axis. */
function shortened(loop: readonly LoopAxis[], inner: LoopAxis): LoopAxis[] {
  const units = loop.reduce((product, axis) => product * axis.size, 1)
  const piece = inner.size > runLength && units < 16 && loop.length < outerAxes ? divisorUpTo(inner.size, runLength) : 1
  if (piece < 64) return [...loop, inner]
  const pieces = { size: inner.size / piece, strides: inner.strides.map((stride) => stride * piece) }
  return [...loop, pieces, { size: piece, strides: inner.strides }]
}

function emitLongRun(lowering: Lowering, kernel: BinaryKernel, [a, b, c]: readonly Ref[], run: LoopAxis): void {
  const [aInner, bInner] = run.strides
  const pieces = Math.floor(run.size / runLength)
  const rest = run.size - pieces * runLength
  const axis = { size: pieces, strides: [aInner * runLength, bInner * runLength] }
  emitLoop(lowering, kernel, [a, b, c], [axis, { size: runLength, strides: run.strides }])
  if (rest === 0) return
  const done = pieces * runLength * 4
  const tail = [shifted(a, done * aInner), shifted(b, done * bInner), shifted(c, done)]
  emitLoop(lowering, kernel, tail, [{ size: rest, strides: run.strides }])
}

/** One step over a loop whose last axis is the inner run. */
function emitLoop(
  lowering: Lowering,
  kernel: BinaryKernel,
  [a, b, c]: readonly Ref[],
  loop: readonly LoopAxis[],
): void {
  const inner = loop[loop.length - 1]
  const one: LoopAxis = { size: 1, strides: [0, 0] }
  const outer = [...new Array<LoopAxis>(outerAxes - loop.length + 1).fill(one), ...loop.slice(0, -1)]
  const [s0, s1, s2, s3, s4] = outer
  const units = outer.reduce((product, axis) => product * axis.size, 1)
  const args = {
    a,
    b,
    c,
    inner: inner.size,
    aInner: inner.strides[0],
    bInner: inner.strides[1],
    d0: s0.size,
    d1: s1.size,
    d2: s2.size,
    d3: s3.size,
    d4: s4.size,
    a0: s0.strides[0],
    a1: s1.strides[0],
    a2: s2.strides[0],
    a3: s3.strides[0],
    a4: s4.strides[0],
    b0: s0.strides[1],
    b1: s1.strides[1],
    b2: s2.strides[1],
    b3: s3.strides[1],
    b4: s4.strides[1],
  }
  lowering.step({ kernel, args, units, grain: grainOf(inner.size) } as StepSpec)
}
