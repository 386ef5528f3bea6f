// SPDX-License-Identifier: Apache-2.0
/**
 * Split: one input cut along an axis into the node's outputs, by lengths (an input, opset 13 and later), or into
 * num_outputs equal parts of which the last may be shorter.
 */
import * as dim from '../ir/dim.ts'
import type { Dim } from '../ir/dim.ts'
import { normalizeAxis } from '../tensor/shape.ts'
import { type OpContext, type Reference, type Sample, type Samples, defineOps } from './define.ts'
import { axisOf, complaint, contentOf, needed, printDims, unknownDims, valueOf } from './infer.ts'
import { integersOf } from './elements.ts'
import { floats, longs } from './sample-tensors.ts'
import { type View, emitView, sliceView, viewedContent } from './view.ts'
import { viewed } from './viewed.ts'

/** Outputs ONNX allows. */
const most = 2147483647

/** Lengths of `parts` equal parts, the last of which may be shorter. */
function evenLengths(size: Dim, parts: number): Dim[] {
  const each = dim.ceilDiv(size, parts)
  const last = dim.sub(size, dim.mul(each, parts - 1))
  return Array.from({ length: parts }, (_, i) => (i < parts - 1 ? each : last))
}

function partView(dims: readonly number[], axis: number, start: number, length: number): View {
  const starts = dims.map((_, k) => (k === axis ? start : 0))
  return sliceView(
    dims,
    starts,
    dims.map(() => 1),
    dims.map((size, k) => (k === axis ? length : size)),
  )
}

function lengthsOf(size: Dim | null, given: readonly Dim[] | null, context: OpContext, axis: number): Dim[] {
  const parts = context.node.outputs.length
  if (given === null) return size === null ? unknownDims(context, parts) : evenLengths(size, parts)
  if (given.length !== parts) throw complaint(context, `${parts} lengths, one per output`, printDims(given))
  if (size !== null && dim.isKnown(size) && dim.areKnown(given) && given.reduce((a, b) => a + b, 0) !== size) {
    throw complaint(context, `lengths that add up to dim ${axis}, ${size}`, printDims(given))
  }
  return [...given]
}

export const ops = defineOps({
  Split: {
    inputs: [1, 2],
    outputs: [1, most],
    attributes: { axis: { kind: 'int', default: 0 }, num_outputs: { kind: 'int' } },
    infer([x, lengths], context) {
      const info = needed(context, x, 'input')
      const { dtype, dims } = info
      const outputs = context.node.outputs
      if (dims === null) return outputs.map(() => ({ dtype, dims }))
      const axis = axisOf(context, context.attributes.axis as number, dims.length)
      const given = contentOf(lengths)
      const each =
        lengths && given === null
          ? outputs.map((_, i) => unknownDims(context, dims.length, i)[axis])
          : lengthsOf(dims[axis], given, context, axis)
      let start = 0
      return outputs.map((_, i) => {
        const length = each[i]
        const from = start
        start = dim.isKnown(length) ? start + length : NaN
        const part = dims.map((size, k) => (k === axis ? length : size))
        const known = dim.isKnown(length) && !Number.isNaN(from)
        return valueOf(dtype, part, known ? viewedContent(info, (own) => partView(own, axis, from, length)) : null)
      })
    },
    lower(lowering, { node, attributes }) {
      const { dims } = lowering.input(0)!
      const axis = normalizeAxis(attributes.axis as number, dims.length)
      let start = 0
      for (let i = 0; i < lowering.outputs; i++) {
        const length = lowering.output(i).dims[axis]
        if (node.outputs[i] !== '' && !emitView(lowering, partView(dims, axis, start, length), i)) return false
        start += length
      }
      return true
    },
  },
})

export const references = {
  Split: ([x, lengths], attributes, { outputs }) => {
    const axis = normalizeAxis(attributes.axis as number, x!.dims.length)
    const parts = (attributes.num_outputs as number | undefined) ?? outputs
    const each = lengths ? integersOf(lengths) : (evenLengths(x!.dims[axis], parts) as number[])
    let start = 0
    return each.map((length) => {
      start += length
      return viewed(x!, partView(x!.dims, axis, start - length, length))
    })
  },
} satisfies Record<string, Reference>

export const samples = {
  Split: (random): Sample[] => [
    { inputs: [floats(random, [6, 4])], outputs: 3 },
    { inputs: [floats(random, [2, 7])], attributes: { axis: -1, num_outputs: 3 }, outputs: 3 },
    { inputs: [floats(random, [2, 7, 3]), longs(2, 0, 5)], attributes: { axis: 1 }, outputs: 3 },
    { inputs: [longs(4, 5, 6), longs(1, 2)], outputs: 2 },
  ],
} satisfies Record<string, Samples>
