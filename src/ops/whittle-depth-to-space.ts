// SPDX-License-Identifier: Apache-2.0
/**
 * whittle.DepthToSpace: pixels put side by side, channels last. Inputs [N, h, w, …] are one behind the other along the
 * channels; channel (p, q, c) of pixel (i, j), with (p, q) below `block`, becomes channel c of pixel (i * block[0] + p,
 * j * block[1] + q). Then `crops` = [top, left, bottom, right] pixels are cut off. y = [N, h * block[0] - …, w * block[1] - …, C].
 * It is what a transposed convolution does behind a convolution for each place of its stride (passes/lower-conv-transpose.ts).
 */
import { type Dim, add, floorDiv, isKnown, mul, sub } from '../ir/dim.ts'
import { sizeOf, stridesOf } from '../tensor/shape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import {
  type Attributes,
  type OpContext,
  type Random,
  type Reference,
  type Sample,
  type Samples,
  defineOps,
} from './define.ts'
import { mayEqual } from './conv-types.ts'
import { cellsOf } from './elements.ts'
import { commonDtype, complaint, printDims } from './infer.ts'
import { shifted } from './lower-elementwise.ts'
import { copyElements, widthOf } from './lower-move.ts'
import { newCells, tensorOfCells } from './numeric.ts'
import { floats, integers } from './sample-tensors.ts'

/** Most inputs, and largest block and crop: far beyond strides that convolutions have. */
const most = 2 ** 16

/** Block and crops. @throws GraphError naming the node when they have other numbers of entries, or entries out of range */
function frameOf(context: OpContext): { block: readonly number[]; crops: readonly number[] } {
  const read = (name: string, count: number, least: number): readonly number[] => {
    const values = context.attributes[name] as readonly number[]
    if (values.length !== count || values.some((v) => !(v >= least && v <= most)))
      throw complaint(context, `${name} of ${count} integers from ${least} to ${most}`, `[${values.join(', ')}]`)
    return values
  }
  return { block: read('block', 2, 1), crops: read('crops', 4, 0) }
}

/** Channels of the result. @throws GraphError naming the node when an input's are not whole places of a block */
function channelsOf(context: OpContext, depths: readonly Dim[], places: number): Dim {
  const total = depths.reduce(add)
  const channels = floorDiv(total, places)
  const whole = (depth: Dim): boolean => !isKnown(depth) || !isKnown(channels) || depth === 0 || depth % channels === 0
  if ((isKnown(total) && total % places !== 0) || !depths.every(whole))
    throw complaint(context, `channels of whole places of ${places}`, printDims(depths))
  return channels
}

/** Lengths of an axis: where the pixels of place `at` begin in the source and in the result, and how many there are. */
function reach(at: number, block: number, before: number, out: number): { from: number; to: number; count: number } {
  const from = Math.max(0, Math.ceil((before - at) / block))
  const to = from * block + at - before
  return { from, to, count: Math.max(0, Math.ceil((out - to) / block)) }
}

export const ops = defineOps({
  'whittle.DepthToSpace': {
    inputs: [1, most],
    attributes: {
      block: { kind: 'ints', required: true },
      crops: { kind: 'ints', default: [0, 0, 0, 0] },
    },
    infer(infos, context) {
      const { block, crops } = frameOf(context)
      const dtype = commonDtype(context, infos)
      const shapes = infos.flatMap((info) => (info?.dims ? [info.dims] : []))
      for (const dims of shapes)
        if (dims.length !== 4) throw complaint(context, 'inputs of dims [N, h, w, C]', printDims(dims))
      if (shapes.length < infos.length) return [{ dtype, dims: null }]
      for (const dims of shapes) {
        if (!dims.slice(0, 3).every((d, i) => mayEqual(d, shapes[0][i])))
          throw complaint(context, 'inputs equal but for their channels', shapes.map(printDims).join(' and '))
      }
      const depths = shapes.map((dims) => dims[3])
      const out = [0, 1].map((i) => sub(mul(shapes[0][i + 1], block[i]), crops[i] + crops[i + 2]))
      if (out.some((d) => isKnown(d) && d < 0))
        throw complaint(context, 'crops within the pixels', `[${crops.join(', ')}] of ${printDims(shapes[0])}`)
      return [{ dtype, dims: [shapes[0][0], ...out, channelsOf(context, depths, block[0] * block[1])] }]
    },
    lower(lowering, context) {
      const y = lowering.output(0)
      const width = widthOf(y.dtype)
      if (width === null) return false
      const { block, crops } = frameOf(context)
      const [images, height, columns, channels] = y.dims
      const strides = stridesOf(y.dims)
      let place = 0
      for (let i = 0; i < context.node.inputs.length; i++) {
        const x = lowering.input(i)!
        const [, rows, pixels, depth] = x.dims
        const places = y.size === 0 ? 0 : depth / channels
        if (places === block[0] * block[1] && crops.every((crop) => crop === 0)) {
          // rows of pixels follow each other on both sides
          const dims = [images * rows, block[0], pixels, block[1] * channels]
          const from = { source: x.ref, strides: [pixels * depth, block[1] * channels, depth, 1] }
          return copyElements(lowering, { width, dims, ...from, target: y.ref, targetStrides: stridesOf(dims) })
        }
        for (let p = 0; p < places; p++, place++) {
          const down = reach(Math.floor(place / block[1]), block[0], crops[0], height)
          const right = reach(place % block[1], block[1], crops[1], columns)
          const own = stridesOf(x.dims)
          const source = shifted(x.ref, (down.from * own[1] + right.from * own[2] + p * channels) * width)
          const target = shifted(y.ref, (down.to * strides[1] + right.to * strides[2]) * width)
          const targetStrides = [strides[0], block[0] * strides[1], block[1] * strides[2], 1]
          const dims = [images, down.count, right.count, channels]
          if (!copyElements(lowering, { width, dims, source, strides: own, target, targetStrides })) return false
        }
      }
      return true
    },
  },
})

export const references = {
  'whittle.DepthToSpace': (inputs, attributes) => {
    const tensors = inputs as readonly Tensor[]
    const [down, right] = attributes.block as readonly number[]
    const [top, left, bottom, end] = attributes.crops as readonly number[]
    const [images, h, w] = tensors[0].dims
    const total = tensors.reduce((sum, { dims }) => sum + dims[3], 0)
    const channels = total / (down * right)
    const dims = [images, h * down - top - bottom, w * right - left - end, channels]
    const cells = newCells(tensors[0].type, sizeOf(dims)) as unknown as number[]
    const sources = tensors.map((x) => ({ cells: cellsOf(x) as ArrayLike<number>, depth: x.dims[3] }))
    cells.forEach((_, i) => {
      const column = Math.floor(i / channels) % dims[2]
      const row = Math.floor(i / (channels * dims[2])) % dims[1]
      const image = Math.floor(i / (channels * dims[2] * dims[1]))
      const [y, x] = [row + top, column + left]
      let channel = ((y % down) * right + (x % right)) * channels + (i % channels)
      let source = 0
      while (channel >= sources[source].depth) channel -= sources[source++].depth
      const pixel = (image * h + Math.floor(y / down)) * w + Math.floor(x / right)
      cells[i] = sources[source].cells[pixel * sources[source].depth + channel]
    })
    return [tensorOfCells(tensors[0].type, cells as never, dims)]
  },
} satisfies Record<string, Reference>

function sample(random: Random, x: number[], depths: number[], attributes: Attributes): Sample {
  return { inputs: depths.map((depth) => floats(random, [...x, depth])), attributes }
}

export const samples = {
  'whittle.DepthToSpace': (random): Sample[] => [
    sample(random, [2, 3, 4], [20], { block: [2, 2] }),
    sample(random, [2, 3, 4], [20], { block: [2, 2], crops: [1, 1, 1, 1] }),
    sample(random, [1, 3, 4], [5, 5, 5, 5], { block: [2, 2], crops: [1, 0, 0, 1] }),
    sample(random, [2, 1, 5], [6, 3], { block: [1, 3], crops: [0, 4, 0, 3] }),
    sample(random, [1, 2, 3], [1, 1, 1, 1, 1, 1], { block: [3, 2], crops: [2, 1, 3, 3] }),
    sample(random, [1, 4, 3], [2], { block: [1, 1], crops: [1, 0, 2, 1] }),
    { inputs: [integers(random, [1, 2, 2, 12], 0, 255, 'uint8')], attributes: { block: [2, 2] } },
    { inputs: [floats(random, [0, 2, 2, 4])], attributes: { block: [2, 2] } },
  ],
} satisfies Record<string, Samples>
