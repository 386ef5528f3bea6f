// SPDX-License-Identifier: Apache-2.0
/**
 * Unique and Compress: slices along an axis (elements, without one) of which each is kept once, or those a mask names.
 * NonZero: where the elements are that are not zero. How many that is, only the data says.
 * https://onnx.ai/onnx/operators/onnx__Unique.html, onnx__Compress.html, onnx__NonZero.html
 */
import type { Dim } from '../ir/dim.ts'
import { normalizeAxis, sizeOf, stridesOf } from '../tensor/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import { type OpContext, type Reference, type Sample, type Samples, type ValueInfo, defineOps } from './define.ts'
import { axisOf, complaint, contentOf, needed, unknownDims } from './infer.ts'
import { exactOf, numbersOf, pick, tensorOf } from './numeric.ts'
import { bools, floats, integers } from './sample-tensors.ts'

/** Dims with another length along the axis; [length] without an axis. */
function resized(context: OpContext, dims: readonly Dim[] | null, length: Dim): Dim[] | null {
  const axis = context.attributes.axis as number | undefined
  if (axis === undefined) return [length]
  if (dims === null) return null
  const at = axisOf(context, axis, dims.length)
  return dims.map((d, k) => (k === at ? length : d))
}

export const ops = defineOps({
  Compress: {
    inputs: [2, 2],
    attributes: { axis: { kind: 'int' } },
    infer([x, mask], context) {
      const { dtype, dims } = needed(context, x, 'input')
      const condition = needed(context, mask, 'condition')
      if (condition.dtype !== 'bool') throw complaint(context, 'a condition of type bool', condition.dtype)
      const kept = contentOf(condition)?.filter((d) => d !== 0).length
      return [{ dtype, dims: resized(context, dims, kept ?? unknownDims(context, 1)[0]) }]
    },
  },
  NonZero: {
    inputs: [1, 1],
    infer([x], context) {
      const { dims, tensor } = needed(context, x, 'X')
      const [rank, count] = unknownDims(context, 2)
      return [{ dtype: 'int64', dims: [dims?.length ?? rank, tensor ? placesOf(tensor).length : count] }]
    },
  },
  Unique: {
    inputs: [1, 1],
    outputs: [1, 4],
    attributes: { axis: { kind: 'int' }, sorted: { kind: 'int', default: 1 } },
    infer([x], context) {
      const { dtype, dims, tensor } = needed(context, x, 'X')
      const fixed = tensor && slicesOf(tensor, context.attributes.axis as number | undefined)
      const count = fixed ? uniqueOf(fixed, false).first.length : unknownDims(context, 1)[0]
      const long = (length: Dim): ValueInfo => ({ dtype: 'int64', dims: [length] })
      const all = fixed ? fixed.count : unknownDims(context, 1, 2)[0]
      return [{ dtype, dims: resized(context, dims, count) }, long(count), long(all), long(count)]
    },
  },
})

/** Offsets of the elements that are not zero (of text: not empty), in row-major order. NaN is not zero. */
function placesOf(tensor: Tensor): number[] {
  const values = tensor.type === 'string' ? (tensor.data as string[]).map((text) => text.length) : exactOf(tensor)
  return Array.from(values, (value, i) => (Number(value) === 0 ? -1 : i)).filter((i) => i >= 0)
}

/** A tensor as slices along an axis: offsets of the elements of each. */
interface Slices {
  readonly tensor: Tensor
  readonly count: number
  readonly inner: number
  readonly outer: number
}

function slicesOf(tensor: Tensor, given: number | undefined): Slices {
  if (given === undefined) return { tensor, count: tensor.size, inner: 1, outer: 1 }
  const axis = normalizeAxis(given, tensor.dims.length)
  const { dims } = tensor
  return { tensor, count: dims[axis], inner: sizeOf(dims.slice(axis + 1)), outer: sizeOf(dims.slice(0, axis)) }
}

/** Offset of element e of slice i. */
function offsetOf({ count, inner }: Slices, i: number, e: number): number {
  return (Math.floor(e / inner) * count + i) * inner + (e % inner)
}

/** The slices of these positions, one after the other. */
function sliced(slices: Slices, positions: readonly number[], axis: number | undefined): Tensor {
  const { tensor, inner } = slices
  const at = axis === undefined ? -1 : normalizeAxis(axis, tensor.dims.length)
  const dims = at < 0 ? [positions.length] : tensor.dims.map((d, k) => (k === at ? positions.length : d))
  return pick(tensor, dims, (i) => {
    const row = Math.floor(i / inner)
    const element = Math.floor(row / positions.length) * inner + (i % inner)
    return offsetOf(slices, positions[row % positions.length], element)
  })
}

/** First occurrence of each slice, the group of every slice, and how many each group has. */
function uniqueOf(slices: Slices, sorted: boolean) {
  const values = (slices.tensor.type === 'string' ? slices.tensor.data : exactOf(slices.tensor)) as ArrayLike<number>
  const size = slices.inner * slices.outer
  const keyOf = (i: number): unknown[] => Array.from({ length: size }, (_, e) => values[offsetOf(slices, i, e)])
  const groups = new Map<string, { readonly first: number; readonly members: number[] }>()
  for (let i = 0; i < slices.count; i++) {
    const key = keyOf(i).join('\0')
    const group = groups.get(key) ?? { first: i, members: [] }
    group.members.push(i)
    groups.set(key, group)
  }
  const list = [...groups.values()]
  const compare = (a: number, b: number): number => {
    for (let e = 0; e < size; e++) {
      const [x, y] = [values[offsetOf(slices, a, e)], values[offsetOf(slices, b, e)]]
      if (x < y) return -1
      if (x > y) return 1
    }
    return 0
  }
  if (sorted) list.sort((a, b) => compare(a.first, b.first))
  const inverse = new Array<number>(slices.count).fill(0)
  list.forEach(({ members }, group) => members.forEach((i) => (inverse[i] = group)))
  return { first: list.map(({ first }) => first), inverse, counts: list.map(({ members }) => members.length) }
}

export const references = {
  Compress: ([x, mask], { axis }) => {
    const slices = slicesOf(x!, axis as number | undefined)
    const kept = Array.from(numbersOf(mask!)).flatMap((v, i) => (v !== 0 && i < slices.count ? [i] : []))
    return [sliced(slices, kept, axis as number | undefined)]
  },
  // a row of indices per axis; none of them for a scalar, where numpy.nonzero has one
  NonZero: ([x]) => {
    const places = placesOf(x!)
    const strides = stridesOf(x!.dims)
    const rows = x!.dims.flatMap((d, axis) => places.map((i) => Math.floor(i / strides[axis]) % d))
    return [tensorOf('int64', rows, [x!.dims.length, places.length])]
  },
  Unique: ([x], { axis, sorted }, { outputs }) => {
    const slices = slicesOf(x!, axis as number | undefined)
    const { first, inverse, counts } = uniqueOf(slices, sorted !== 0)
    const longs = [first, inverse, counts].map((list) => tensorOf('int64', list, [list.length]))
    return [sliced(slices, first, axis as number | undefined), ...longs].slice(0, outputs)
  },
} satisfies Record<string, Reference>

export const samples = {
  Compress: (random): Sample[] => [
    { inputs: [floats(random, [3, 4]), new Tensor('bool', [0, 1, 1])], attributes: { axis: 0 } },
    { inputs: [floats(random, [3, 4]), new Tensor('bool', [1, 0, 0, 1])], attributes: { axis: -1 } },
    { inputs: [floats(random, [3, 2]), new Tensor('bool', [0, 1, 0, 0, 1])] },
  ],
  NonZero: (random): Sample[] => [
    { inputs: [new Tensor('float32', [1, 0, -0, NaN, 0, -2], [2, 3])] },
    { inputs: [integers(random, [3, 2, 4], 0, 2, 'int64')] },
    { inputs: [bools(random, [9])] },
    { inputs: [new Tensor('int32', [0, 0], [2, 1])] },
    { inputs: [new Tensor('float32', [3], [])] },
    { inputs: [new Tensor('float32', [], [2, 0])] },
  ],
  Unique: (random): Sample[] => [
    { inputs: [integers(random, [12], 0, 5)], outputs: 4 },
    { inputs: [integers(random, [6, 2], 0, 1, 'int64')], outputs: 4, attributes: { axis: 0 } },
    { inputs: [integers(random, [3, 4], 0, 4)], attributes: { sorted: 0 } },
  ],
} satisfies Record<string, Samples>
