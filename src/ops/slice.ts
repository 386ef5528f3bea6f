// SPDX-License-Identifier: Apache-2.0
/**
 * Slice: per axis the elements start, start + step, … before end, NumPy's way: negative counts from the end, what lies
 * outside is cut. Starts, ends, axes and steps are inputs (opset 10 and later).
 */
import { GraphError } from '../base/errors.ts'
import * as dim from '../ir/dim.ts'
import type { Dim } from '../ir/dim.ts'
import { Tensor } from '../tensor/tensor.ts'
import { type OpContext, type Reference, type Samples, type ValueInfo, defineOps } from './define.ts'
import { axesOf, certainlyGreater, complaint, contentOf, integersFrom, needed, unknownDims, valueOf } from './infer.ts'
import type { Lowering } from './lower.ts'
import { integersOf } from './elements.ts'
import { floats, longs } from './sample-tensors.ts'
import { type View, emitView, sliceView, viewedContent } from './view.ts'
import { viewed } from './viewed.ts'

/** The concrete window: the view of a shape. @throws GraphError for a step of 0 */
function windowOf(dims: readonly number[], given: readonly (number[] | null)[]): View {
  const [starts, ends, axes, steps] = given
  const from = dims.map(() => 0)
  const by = dims.map(() => 1)
  const count = [...dims]
  starts!.forEach((start, i) => {
    const at = axes ? axes[i] : i
    const axis = at < 0 ? at + dims.length : at
    const step = steps ? steps[i] : 1
    if (step === 0) throw new GraphError({ where: 'Slice', expected: 'steps other than 0', got: '0' })
    const range = rangeOf(dims[axis], start, ends![i], step)
    from[axis] = range.first
    by[axis] = step
    count[axis] = range.count
  })
  return sliceView(dims, from, by, count)
}

/** First index and number of indices of one axis. */
function rangeOf(size: number, start: number, end: number, step: number): { first: number; count: number } {
  const [low, high] = step > 0 ? [0, size] : [-1, size - 1]
  const first = clamp(wrap(start, size), low, high)
  const last = clamp(wrap(end, size), low, high)
  return { first, count: Math.max(0, Math.ceil((last - first) / step)) }
}

function wrap(index: number, size: number): number {
  return index < 0 ? index + size : index
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high)
}

/** A symbolic bound inside [0, size], for positive steps; null when its sign is not known. */
function bound(at: Dim, size: Dim): Dim | null {
  if (dim.isKnown(at) && at < 0) {
    return at <= Number.MIN_SAFE_INTEGER ? 0 : dim.max(dim.add(size, at), 0)
  }
  if (dim.isKnown(at) && at >= Number.MAX_SAFE_INTEGER) return size
  return dim.isKnown(at) || certainlyGreater(dim.add(at, 1), 0) ? dim.min(at, size) : null
}

/** Length of one sliced axis; null when it is not known. */
function lengthOf(size: Dim, start: Dim, end: Dim, step: number): Dim | null {
  if (dim.isKnown(size) && dim.isKnown(start) && dim.isKnown(end)) return rangeOf(size, start, end, step).count
  if (step < 0) {
    const whole =
      (start === -1 || certainlyGreater(dim.add(start, 1), size)) && dim.isKnown(end) && end <= -Number.MAX_SAFE_INTEGER
    return whole ? dim.ceilDiv(size, -step) : null
  }
  const [first, last] = [bound(start, size), bound(end, size)]
  return first === null || last === null ? null : dim.max(dim.ceilDiv(dim.sub(last, first), step), 0)
}

function inferDims(infos: readonly (ValueInfo | null)[], context: OpContext): Dim[] | null {
  const dims = infos[0]!.dims
  if (dims === null) return null
  const fresh = unknownDims(context, dims.length)
  const axesGiven = infos[3] ? integersFrom(infos[3]) : undefined
  if (axesGiven === null) return fresh
  const [starts, ends] = [symbolic(infos[1]), symbolic(infos[2])]
  const count = starts?.length ?? knownLength(infos[1]) ?? axesGiven?.length
  if (count === undefined) return fresh
  const axes = axesOf(context, axesGiven ?? Array.from({ length: count }, (_, i) => i), dims.length)
  const steps = infos[4] ? integersFrom(infos[4]) : axes.map(() => 1)
  const result = [...dims]
  axes.forEach((axis, i) => {
    if (steps?.[i] === 0) throw complaint(context, 'steps other than 0', '0')
    const length = starts && ends && steps ? lengthOf(dims[axis], starts[i], ends[i], steps[i]) : null
    result[axis] = length ?? fresh[axis]
  })
  return result
}

/** Elements as dims; numbers cut to the safe integers. */
function symbolic(info: ValueInfo | null | undefined): readonly Dim[] | null {
  return integersFrom(info) ?? contentOf(info)
}

function knownLength(info: ValueInfo | null | undefined): number | undefined {
  const length = info?.dims?.[0]
  return length !== undefined && dim.isKnown(length) ? length : undefined
}

export const ops = defineOps({
  Slice: {
    inputs: [3, 5],
    infer(infos, context) {
      const data = needed(context, infos[0], 'data')
      needed(context, infos[1], 'starts')
      needed(context, infos[2], 'ends')
      const known = [1, 2, 3, 4].map((i) => integersFrom(infos[i]))
      const complete = [1, 2, 3, 4].every((i) => !infos[i] || known[i - 1] !== null)
      const dims = inferDims(infos, context)
      return [valueOf(data.dtype, dims, complete && dims ? viewedContent(data, (own) => windowOf(own, known)) : null)]
    },
    lower(lowering) {
      const given = givenOf(lowering)
      return given !== null && emitView(lowering, windowOf(lowering.input(0)!.dims, given))
    },
  },
})

function givenOf(lowering: Lowering): (number[] | null)[] | null {
  const operands = [1, 2, 3, 4].map((i) => lowering.input(i))
  if (operands.some((operand) => operand !== null && operand.tensor === undefined)) return null
  return operands.map((operand) => (operand ? integersOf(operand.tensor!) : null))
}

export const references = {
  Slice: ([x, ...rest]) => {
    const given = [0, 1, 2, 3].map((i) => (rest[i] ? integersOf(rest[i]) : null))
    return [viewed(x!, windowOf(x!.dims, given))]
  },
} satisfies Record<string, Reference>

export const samples = {
  Slice: (random) => [
    { inputs: [floats(random, [4, 6, 5]), longs(1, 0), longs(3, 1000)] },
    { inputs: [floats(random, [4, 6, 5]), longs(-1), longs(-1000), longs(1), longs(-2)] },
    { inputs: [floats(random, [4, 6]), longs(0, 2), longs(2 ** 52, -1), longs(1, 0)] },
    { inputs: [floats(random, [4, 6]), longs(1), longs(3), longs(0)] },
    { inputs: [floats(random, [3, 4]), longs(3), longs(2), longs(0)] },
    { inputs: [new Tensor('int64', [5, 6, 7, 8]), longs(1), longs(3), longs(0), longs(1)] },
    { inputs: [new Tensor('uint8', [1, 2, 3, 4, 5, 6], [2, 3]), longs(0), longs(3), longs(1), longs(2)] },
  ],
} satisfies Record<string, Samples>
