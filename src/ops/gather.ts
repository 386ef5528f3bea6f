// SPDX-License-Identifier: Apache-2.0
/**
 * Gather, GatherElements, GatherND: elements picked by index. Negative indices count from the end.
 */
import * as dim from '../ir/dim.ts'
import type { Dim } from '../ir/dim.ts'
import { maxContent } from '../ir/infer.ts'
import { normalizeAxis, sizeOf, stridesOf } from '../tensor/shape.ts'
import { type Reference, type Sample, type Samples, type ValueInfo, defineOps } from './define.ts'
import { axisOf, complaint, contentOf, integersFrom, needed, printDims, valueOf } from './infer.ts'
import { emitRowGather, widthOf } from './lower-move.ts'
import { emitElements, emitTuples } from './lower-pick.ts'
import { indexFromFront, integersOf, walk } from './elements.ts'
import { pick } from './numeric.ts'
import { floats, integers, longs } from './sample-tensors.ts'

/** Offsets of the picked elements of a dense tensor, in the order of the output. */
function gatherOffsets(dims: readonly number[], axis: number, indices: readonly number[]): number[] {
  const outer = sizeOf(dims.slice(0, axis))
  const inner = sizeOf(dims.slice(axis + 1))
  const offsets: number[] = []
  for (let o = 0; o < outer; o++) {
    for (const index of indices) {
      const row = (o * dims[axis] + indexFromFront(index, dims[axis])) * inner
      for (let i = 0; i < inner; i++) offsets.push(row + i)
    }
  }
  return offsets
}

/** Content of a Gather, where data and indices are known. */
function gathered(data: ValueInfo, indices: ValueInfo, axis: number): Dim[] | null {
  const [content, at] = [contentOf(data), integersFrom(indices)]
  if (content === null || at === null || data.dims === null || !dim.areKnown(data.dims)) return null
  if (at.length > maxContent) return null
  return gatherOffsets(data.dims, axis, at).map((offset) => content[offset])
}

export const ops = defineOps({
  Gather: {
    inputs: [2, 2],
    attributes: { axis: { kind: 'int', default: 0 } },
    infer([x, indices], context) {
      const data = needed(context, x, 'data')
      const at = needed(context, indices, 'indices')
      const { dtype, dims } = data
      if (dims === null || at.dims === null) return [{ dtype, dims: null }]
      const axis = axisOf(context, context.attributes.axis as number, dims.length)
      const result = [...dims.slice(0, axis), ...at.dims, ...dims.slice(axis + 1)]
      return [valueOf(dtype, result, gathered(data, at, axis))]
    },
    lower(lowering, { attributes }) {
      const [x, indices, y] = [lowering.input(0)!, lowering.input(1)!, lowering.output(0)]
      const width = widthOf(x.dtype)
      const axis = normalizeAxis(attributes.axis as number, x.dims.length)
      if (width === null || (indices.dtype !== 'int32' && indices.dtype !== 'int64')) return false
      if (y.size === 0) return true
      const outer = sizeOf(x.dims.slice(0, axis))
      const rowBytes = sizeOf(x.dims.slice(axis + 1)) * width
      emitRowGather(lowering, {
        src: x.ref,
        index: indices.ref,
        dst: y.ref,
        outer,
        axis: x.dims[axis],
        count: indices.size,
        rowBytes,
        indexBytes: indices.dtype === 'int32' ? 4 : 8,
      })
      return true
    },
  },
  GatherElements: {
    inputs: [2, 2],
    attributes: { axis: { kind: 'int', default: 0 } },
    infer([x, indices], context) {
      const data = needed(context, x, 'data')
      const { dims } = needed(context, indices, 'indices')
      if (data.dims !== null) axisOf(context, context.attributes.axis as number, data.dims.length)
      return [{ dtype: data.dtype, dims }]
    },
    lower(lowering, { attributes }) {
      const [x, indices, y] = [lowering.input(0)!, lowering.input(1)!, lowering.output(0)]
      const pick = { source: x.ref, target: y.ref, kind: 'gather', size: y.size } as const
      return emitElements(lowering, x, indices, attributes.axis as number, pick)
    },
  },
  GatherND: {
    inputs: [2, 2],
    attributes: { batch_dims: { kind: 'int', default: 0 } },
    infer([x, indices], context) {
      const { dtype, dims } = needed(context, x, 'data')
      const at = needed(context, indices, 'indices').dims
      const depth = at?.at(-1)
      if (dims === null || at === null || depth === undefined || !dim.isKnown(depth)) return [{ dtype, dims: null }]
      const batch = context.attributes.batch_dims as number
      if (batch + depth > dims.length) {
        throw complaint(context, `indices of at most ${dims.length - batch} numbers each`, printDims(at))
      }
      return [{ dtype, dims: [...at.slice(0, -1), ...dims.slice(batch + depth)] }]
    },
    lower(lowering, { attributes }) {
      const [x, indices, y] = [lowering.input(0)!, lowering.input(1)!, lowering.output(0)]
      const pick = { source: x.ref, target: y.ref, kind: 'gather', size: y.size } as const
      return emitTuples(lowering, x, indices, attributes.batch_dims as number, pick)
    },
  },
})

export const references = {
  Gather: ([x, indices], attributes) => {
    const { dims } = x!
    const axis = normalizeAxis(attributes.axis as number, dims.length)
    const offsets = gatherOffsets(dims, axis, integersOf(indices!))
    return [pick(x!, [...dims.slice(0, axis), ...indices!.dims, ...dims.slice(axis + 1)], (i) => offsets[i])]
  },
  GatherElements: ([x, indices], attributes) => {
    const { dims } = x!
    const axis = normalizeAxis(attributes.axis as number, dims.length)
    const own = stridesOf(dims)
    const at = integersOf(indices!)
    const offsets = new Int32Array(at.length)
    walk(
      indices!.dims,
      own.map((stride, k) => (k === axis ? 0 : stride)),
      (i, offset) => {
        offsets[i] = offset + indexFromFront(at[i], dims[axis]) * own[axis]
      },
    )
    return [pick(x!, indices!.dims, (i) => offsets[i])]
  },
  GatherND: ([x, indices], attributes) => {
    const { dims } = x!
    const batch = attributes.batch_dims as number
    const depth = indices!.dims.at(-1)!
    const own = stridesOf(dims)
    const at = integersOf(indices!)
    const run = sizeOf(dims.slice(batch + depth))
    const tuples = sizeOf(indices!.dims.slice(0, -1))
    const perBatch = tuples / Math.max(1, sizeOf(dims.slice(0, batch)))
    const batchSize = sizeOf(dims.slice(batch))
    const starts = Array.from({ length: tuples }, (_, t) => {
      let offset = Math.floor(t / perBatch) * batchSize
      for (let k = 0; k < depth; k++) offset += indexFromFront(at[t * depth + k], dims[batch + k]) * own[batch + k]
      return offset
    })
    const result = [...indices!.dims.slice(0, -1), ...dims.slice(batch + depth)]
    return [pick(x!, result, (i) => starts[Math.floor(i / run)] + (i % run))]
  },
} satisfies Record<string, Reference>

export const samples = {
  Gather: (random): Sample[] => [
    { inputs: [floats(random, [5, 3]), longs(0, -1, 4, 2)] },
    { inputs: [floats(random, [2, 4, 3]), integers(random, [2, 3], -4, 3)], attributes: { axis: 1 } },
    { inputs: [floats(random, [2, 4]), integers(random, [], 0, 3, 'int64')], attributes: { axis: -1 } },
    { inputs: [longs(5, 6, 7), longs(2, 0)] },
    { inputs: [floats(random, [3, 2]), longs()] },
  ],
  GatherElements: (random): Sample[] => [
    { inputs: [floats(random, [3, 4]), integers(random, [2, 4], -3, 2, 'int64')] },
    { inputs: [floats(random, [3, 4]), integers(random, [3, 2], 0, 3)], attributes: { axis: 1 } },
    { inputs: [longs(5, 6, 7), longs(2, 0, -1, 1, 1)] },
  ],
  GatherND: (random): Sample[] => [
    { inputs: [floats(random, [3, 4, 2]), integers(random, [5, 2], -3, 2, 'int64')] },
    { inputs: [floats(random, [2, 4, 3]), integers(random, [2, 3, 1], 0, 3, 'int64')], attributes: { batch_dims: 1 } },
    { inputs: [floats(random, [2, 3, 2]), integers(random, [4, 3], 0, 1, 'int64')] },
  ],
} satisfies Record<string, Samples>
