// SPDX-License-Identifier: Apache-2.0
/**
 * DepthToSpace and SpaceToDepth over NCHW: blocks of b x b pixels to and from channels. DCR takes the block's position
 * as the slow part of the channel, CRD as the fast part.
 */
import * as dim from '../ir/dim.ts'
import { type OpContext, type Reference, type Sample, type Samples, type ValueInfo, defineOps } from './define.ts'
import { complaint, needed, printDims } from './infer.ts'
import { floats } from './sample-tensors.ts'
import { type View, emitView, transposeView } from './view.ts'
import { viewed } from './viewed.ts'

function depthView([n, c, h, w]: readonly number[], b: number, mode: unknown): View {
  const depth = c / (b * b)
  return mode === 'CRD'
    ? transposeView([n, depth, b, b, h, w], [0, 1, 4, 2, 5, 3])
    : transposeView([n, b, b, depth, h, w], [0, 3, 4, 1, 5, 2])
}

function spaceView([n, c, h, w]: readonly number[], b: number): View {
  return transposeView([n, c, h / b, b, w / b, b], [0, 3, 5, 1, 2, 4])
}

function image(
  context: OpContext,
  info: ValueInfo | null,
): { info: ValueInfo; dims: readonly dim.Dim[] | null; block: number } {
  const x = needed(context, info, 'input')
  const block = context.attributes.blocksize as number
  if (block < 1) throw complaint(context, 'a blocksize of at least 1', String(block))
  if (x.dims !== null && x.dims.length !== 4) throw complaint(context, 'an input of rank 4', printDims(x.dims))
  return { info: x, dims: x.dims, block }
}

/** size / by. @throws GraphError when it does not divide */
function divided(context: OpContext, size: dim.Dim, by: number): dim.Dim {
  if (dim.isKnown(size) && size % by !== 0) throw complaint(context, `a dim that ${by} divides`, String(size))
  return dim.floorDiv(size, by)
}

export const ops = defineOps({
  DepthToSpace: {
    inputs: [1, 1],
    attributes: { blocksize: { kind: 'int', required: true }, mode: { kind: 'string', default: 'DCR' } },
    infer([x], context) {
      const { info, dims, block: b } = image(context, x)
      if (dims === null) return [{ dtype: info.dtype, dims }]
      const [n, c, h, w] = dims
      return [{ dtype: info.dtype, dims: [n, divided(context, c, b * b), dim.mul(h, b), dim.mul(w, b)] }]
    },
    lower: (lowering, { attributes }) =>
      emitView(lowering, depthView(lowering.input(0)!.dims, attributes.blocksize as number, attributes.mode)),
  },
  SpaceToDepth: {
    inputs: [1, 1],
    attributes: { blocksize: { kind: 'int', required: true } },
    infer([x], context) {
      const { info, dims, block: b } = image(context, x)
      if (dims === null) return [{ dtype: info.dtype, dims }]
      const [n, c, h, w] = dims
      return [{ dtype: info.dtype, dims: [n, dim.mul(c, b * b), divided(context, h, b), divided(context, w, b)] }]
    },
    lower: (lowering, { attributes }) =>
      emitView(lowering, spaceView(lowering.input(0)!.dims, attributes.blocksize as number)),
  },
})

export const references = {
  DepthToSpace: ([x], attributes) => {
    const [n, c, h, w] = x!.dims
    const b = attributes.blocksize as number
    return [viewed(x!, depthView(x!.dims, b, attributes.mode), [n, c / (b * b), h * b, w * b])]
  },
  SpaceToDepth: ([x], attributes) => {
    const [n, c, h, w] = x!.dims
    const b = attributes.blocksize as number
    return [viewed(x!, spaceView(x!.dims, b), [n, c * b * b, h / b, w / b])]
  },
} satisfies Record<string, Reference>

export const samples = {
  DepthToSpace: (random): Sample[] => [
    { inputs: [floats(random, [2, 8, 3, 2])], attributes: { blocksize: 2 } },
    { inputs: [floats(random, [1, 9, 2, 2])], attributes: { blocksize: 3, mode: 'CRD' } },
  ],
  SpaceToDepth: (random): Sample[] => [{ inputs: [floats(random, [2, 3, 4, 6])], attributes: { blocksize: 2 } }],
} satisfies Record<string, Samples>
