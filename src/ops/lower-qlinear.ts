// SPDX-License-Identifier: Apache-2.0
/**
 * Operators on quantised tensors by way of float32: bytes to numbers, the kernel of the operator, and back to bytes. What
 * maps single bytes is a table of 256. Inputs are a tensor, its scale and its zero point, then those of the result.
 */
import { equalBytes } from '../base/bytes.ts'
import { normalizeAxis, sizeOf, stridesOf } from '../tensor/shape.ts'
import { bytesOf } from '../tensor/tensor.ts'
import type { Attributes } from './define.ts'
import { channelsFirst } from './conv-types.ts'
import { asPlane } from './channels-first.ts'
import { grainOf } from './grid.ts'
import { emitDequantize, emitLookup, emitQuantize, isByte, isZeroOf, oneChannel } from './lower-bytes.ts'
import { type BinaryKernel, emitBinary, isFloat32, shifted } from './lower-elementwise.ts'
import { copyElements } from './lower-move.ts'
import { emitPool } from './lower-pool.ts'
import { emitReduce } from './lower-reduce.ts'
import type { Lowering, Operand, Ref } from './lower.ts'
import { quantisedTable } from './qlinear-values.ts'
import { knownWindow } from './window.ts'

/** A tensor with its scale and zero point, from input `at` on; null where they are not one of each. */
function quantisedInput(lowering: Lowering, at: number) {
  const [x, scale, zero] = [0, 1, 2].map((i) => lowering.input(at + i))
  if (!isByte(x) || !isFloat32(scale) || scale?.size !== 1 || !isZeroOf(x!.dtype, zero)) return null
  return { x: x!, scale, zero }
}

type Quantised = NonNullable<ReturnType<typeof quantisedInput>>

/** float32 of a tensor, in scratch. */
function numbersFrom(lowering: Lowering, { x, scale, zero }: Quantised): Ref {
  const place = lowering.scratch(x.size * 4)
  emitDequantize(lowering, [x.ref, place], x.dtype, x.size, oneChannel(x.size), scale.ref, zero?.ref ?? null)
  return place
}

/** Scale and zero point of the result. */
function resultParts(lowering: Lowering, at: number): { scale: Operand; zero: Operand | null } | null {
  const [scale, zero] = [lowering.input(at), lowering.input(at + 1)]
  const y = lowering.output(0)
  const isPart = isByte(y) && isFloat32(scale) && scale?.size === 1 && isZeroOf(y.dtype, zero)
  return isPart ? { scale: scale!, zero } : null
}

function bytesInto(
  lowering: Lowering,
  x: Ref,
  y: Ref,
  size: number,
  to: { scale: Operand; zero: Operand | null },
): void {
  const signed = lowering.output(0).dtype === 'int8'
  emitQuantize(lowering, [x, y], size, oneChannel(size), to.scale.ref, to.zero?.ref ?? null, signed)
}

export function lowerQuantisedBinary(lowering: Lowering, kernel: BinaryKernel): boolean {
  const [a, b, to] = [quantisedInput(lowering, 0), quantisedInput(lowering, 3), resultParts(lowering, 6)]
  const y = lowering.output(0)
  if (a === null || b === null || to === null) return false
  const [left, right] = [a, b].map((one) => ({ ref: numbersFrom(lowering, one), dims: one.x.dims }))
  const sum = lowering.scratch(y.size * 4)
  if (!emitBinary(lowering, kernel, left, right, sum, y.dims)) return false
  bytesInto(lowering, sum, y.ref, y.size, to)
  return true
}

/** y = f(x) by a table; scales and zero points must be known. */
export function lowerQuantisedUnary(lowering: Lowering, f: (x: number) => number): boolean {
  const [from, to] = [quantisedInput(lowering, 0), resultParts(lowering, 3)]
  if (from === null || to === null) return false
  const { x, scale, zero } = from
  const parts = [scale, zero, to.scale, to.zero].map((operand) => operand && operand.tensor)
  if (parts.some((part) => part === undefined)) return false
  const table = quantisedTable(x.dtype as 'int8' | 'uint8', parts as never, f)
  emitLookup(lowering, x.ref, lowering.output(0).ref, x.size, bytesOf(table) as Uint8Array)
  return true
}

export function lowerQuantisedSoftmax(lowering: Lowering, attributes: Attributes): boolean {
  const [from, to] = [quantisedInput(lowering, 0), resultParts(lowering, 3)]
  if (from === null || to === null) return false
  const { x } = from
  const axis = normalizeAxis(attributes.axis as number, x.dims.length)
  const flat = (attributes.opset as number) < 13
  if (x.size === 0 || (!flat && axis !== x.dims.length - 1)) return false
  const cols = flat ? sizeOf(x.dims.slice(axis)) : x.dims[axis]
  const place = numbersFrom(lowering, from)
  const rows = x.size / cols
  lowering.step({ kernel: 'softmax_f32', units: rows, grain: grainOf(cols), args: { x: place, y: place, rows, cols } })
  bytesInto(lowering, place, lowering.output(0).ref, x.size, to)
  return true
}

export function lowerQuantisedPool(lowering: Lowering, attributes: Attributes, isGlobal: boolean): boolean {
  const [from, to] = [quantisedInput(lowering, 0), resultParts(lowering, 3)]
  const y = lowering.output(0)
  if (from === null || to === null || from.x.size === 0 || from.x.dims.length > 4 || from.x.dims.length < 3)
    return false
  const isLast = attributes.channels_last === 1
  const { dims } = from.x
  const rank = dims.length
  const image = isLast ? channelsFirst(rank).map((axis) => dims[axis]) : dims
  const [images, channels, ...spatial] = image
  const numbers = numbersFrom(lowering, from)
  const result = lowering.scratch(y.size * 4)
  if (isGlobal) {
    const pixels = sizeOf(spatial)
    const shape = isLast
      ? { outer: images, reduce: pixels, inner: channels }
      : { outer: images * channels, reduce: pixels, inner: 1 }
    emitReduce(lowering, 'mean', numbers, result, shape)
  } else {
    const window = asPlane(knownWindow(spatial, attributes.kernel_shape as number[], attributes))
    const [inH, inW] = spatial.length === 1 ? [1, spatial[0]] : spatial
    const pixels = window.out[0] * window.out[1]
    const call = { kind: 'average', images, channels, inH, inW, window } as const
    const includePad = attributes.count_include_pad === 1
    const [x, pooled] = isLast
      ? [numbers, result]
      : [lowering.scratch(from.x.size * 4), lowering.scratch(Math.max(4, y.size * 4))]
    const swap = (source: Ref, target: Ref, rows: number, cols: number): void => {
      const args = { x: source, y: target, batch: images, rows, cols }
      lowering.step({ kernel: 'transpose_4', units: images * Math.ceil(rows / 8), args })
    }
    if (!isLast) swap(numbers, x, channels, inH * inW)
    emitPool(lowering, { ...call, x, y: pooled, includePad })
    if (!isLast) swap(pooled, result, pixels, channels)
  }
  bytesInto(lowering, result, y.ref, y.size, to)
  return true
}

/** Parts with the scale and zero point of the result are copied, others go through float32. */
export function lowerQuantisedConcat(lowering: Lowering, attributes: Attributes, parts: number): boolean {
  const to = resultParts(lowering, 0)
  const y = lowering.output(0)
  const inputs = Array.from({ length: parts }, (_, i) => quantisedInput(lowering, 2 + 3 * i))
  if (to === null || inputs.some((one) => one === null)) return false
  const axis = normalizeAxis(attributes.axis as number, y.dims.length)
  const targetStrides = stridesOf(y.dims)
  let at = 0
  for (const one of inputs as Quantised[]) {
    const { x } = one
    let source = x.ref
    if (!isSame(one.scale, to.scale) || !isSame(one.zero, to.zero) || x.dtype !== y.dtype) {
      source = lowering.scratch(x.size)
      bytesInto(lowering, numbersFrom(lowering, one), source, x.size, to)
    }
    const target = shifted(y.ref, at * targetStrides[axis])
    if (!copyElements(lowering, { width: 1, dims: x.dims, source, strides: stridesOf(x.dims), target, targetStrides }))
      return false
    at += x.dims[axis]
  }
  return true
}

/** True where both are known to be one number. */
function isSame(a: Operand | null, b: Operand | null): boolean {
  if (a === null || b === null) return a === b
  if (a.name === b.name) return true
  if (a.tensor === undefined || b.tensor === undefined) return false
  return equalBytes(bytesOf(a.tensor), bytesOf(b.tensor))
}
