// SPDX-License-Identifier: Apache-2.0
/**
 * Steps of the element-wise kernels, for lowerings. A unary step is cut into runs of `runLength`; a binary step walks
 * the collapsed broadcast loop, and a loop that is one long run is cut into runs too, so that threads share it. The
 * kernels of this file are float32's (callers ask `isFloat32` first); lower-integer.ts has those of other types.
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

/** Kernels that walk a broadcast loop: outer dims d0..d4, for each operand `name` its strides, and c dense. */
export type BroadcastKernel = BinaryKernel | Extract<KernelName, `compare_${string}` | `select_${string}`>

/** One operand of a broadcast loop: the first letter of its arguments, where it lies, and the bytes of an element. */
export interface LoopOperand extends Place {
  readonly name: 'a' | 'b' | 'm'
  readonly width: number
}

/** What a broadcast loop writes, and words of the kernel that are no part of the loop. */
export interface LoopResult {
  readonly ref: Ref
  readonly width: number
  readonly words?: Readonly<Record<string, number>>
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
  const operands = [
    { name: 'a', width: 4, ref: a.ref, dims: a.dims },
    { name: 'b', width: 4, ref: b.ref, dims: b.dims },
  ] as const
  return emitBroadcast(lowering, kernel, operands, { ref: c, width: 4 }, dims)
}

/** The same of any operands: c = f(operands) over `dims`. */
export function emitBroadcast(
  lowering: Lowering,
  kernel: BroadcastKernel,
  operands: readonly LoopOperand[],
  c: LoopResult,
  dims: readonly number[],
): boolean {
  if (sizeOf(dims) === 0) return true
  const loop = collapse(
    dims,
    operands.map((operand) => broadcastStrides(operand.dims, dims)),
  )
  const inner = loop.pop()!
  if (loop.length > outerAxes) return false
  if (loop.length === 0 && inner.size > runLength) emitLongRun(lowering, kernel, operands, c, inner)
  else emitLoop(lowering, kernel, operands, c, shortened(loop, inner))
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

function emitLongRun(
  lowering: Lowering,
  kernel: BroadcastKernel,
  operands: readonly LoopOperand[],
  c: LoopResult,
  run: LoopAxis,
): void {
  const pieces = Math.floor(run.size / runLength)
  const done = pieces * runLength
  const axis = { size: pieces, strides: run.strides.map((stride) => stride * runLength) }
  emitLoop(lowering, kernel, operands, c, [axis, { size: runLength, strides: run.strides }])
  if (run.size === done) return
  const behind = operands.map((one, i) => ({ ...one, ref: shifted(one.ref, done * one.width * run.strides[i]) }))
  const rest = { ...c, ref: shifted(c.ref, done * c.width) }
  emitLoop(lowering, kernel, behind, rest, [{ size: run.size - done, strides: run.strides }])
}

/** One step over a loop whose last axis is the inner run. */
function emitLoop(
  lowering: Lowering,
  kernel: BroadcastKernel,
  operands: readonly LoopOperand[],
  c: LoopResult,
  loop: readonly LoopAxis[],
): void {
  const inner = loop[loop.length - 1]
  const one: LoopAxis = { size: 1, strides: operands.map(() => 0) }
  const outer = [...new Array<LoopAxis>(outerAxes - loop.length + 1).fill(one), ...loop.slice(0, -1)]
  const units = outer.reduce((product, axis) => product * axis.size, 1)
  const args: Record<string, Ref | number> = { c: c.ref, inner: inner.size, ...c.words }
  operands.forEach(({ name, ref }, i) => {
    args[name] = ref
    args[`${name}Inner`] = inner.strides[i]
    outer.forEach((axis, k) => (args[`${name}${k}`] = axis.strides[i]))
  })
  outer.forEach((axis, k) => (args[`d${k}`] = axis.size))
  lowering.step({ kernel, args, units, grain: grainOf(inner.size) } as unknown as StepSpec)
}
