// SPDX-License-Identifier: Apache-2.0
/** Concat: inputs one after the other along an axis; the other dims are equal. */
import * as dim from '../ir/dim.ts'
import type { Dim } from '../ir/dim.ts'
import { normalizeAxis, sizeOf, stridesOf } from '../tensor/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import { type OpContext, type Reference, type Samples, type ValueInfo, defineOps } from './define.ts'
import { axisOf, commonDtype, complaint, contentOf, printDims, valueOf } from './infer.ts'
import { shifted } from './lower-elementwise.ts'
import { copyElements, widthOf } from './lower-move.ts'
import { cellsOf } from './elements.ts'
import { newCells, tensorOfCells } from './numeric.ts'
import { floats, longs } from './sample-tensors.ts'

/** Inputs ONNX allows. */
const most = 2147483647

export const ops = defineOps({
  Concat: {
    inputs: [1, most],
    attributes: { axis: { kind: 'int', required: true } },
    infer(infos, context) {
      const dtype = commonDtype(context, infos)
      const inputs = infos.filter((info): info is ValueInfo => info !== null)
      const ranked = inputs.find(({ dims }) => dims !== null)?.dims
      if (!ranked) return [{ dtype, dims: null }]
      const axis = axisOf(context, context.attributes.axis as number, ranked.length)
      const dims = joined(inputs, ranked, axis, context)
      return [valueOf(dtype, dims, contentOfAll(inputs, axis))]
    },
    lower(lowering, { node, attributes }) {
      const y = lowering.output(0)
      const axis = normalizeAxis(attributes.axis as number, y.dims.length)
      const width = widthOf(y.dtype)
      if (width === null) return false
      const targetStrides = stridesOf(y.dims)
      let at = 0
      for (let i = 0; i < node.inputs.length; i++) {
        const x = lowering.input(i)!
        const target = shifted(y.ref, at * targetStrides[axis] * width)
        const copy = { width, dims: x.dims, source: x.ref, strides: stridesOf(x.dims), target, targetStrides }
        if (!copyElements(lowering, copy)) return false
        at += x.dims[axis]
      }
      return true
    },
  },
})

/** The dims of the result. @throws GraphError where dims off the axis differ */
function joined(inputs: readonly ValueInfo[], like: readonly Dim[], axis: number, context: OpContext): Dim[] {
  const dims = [...like]
  dims[axis] = 0
  inputs.forEach((info, i) => {
    if (info.dims !== null && info.dims.length !== like.length) {
      throw complaint(context, `inputs of rank ${like.length}`, printDims(info.dims))
    }
    for (let k = 0; k < like.length; k++) {
      const own = info.dims?.[k] ?? (k === axis ? dim.symbol(`${context.node.name}.input${i}`) : dims[k])
      if (k === axis) dims[k] = dim.add(dims[k], own)
      else if (!dim.isKnown(dims[k]) && dim.isKnown(own)) dims[k] = own
      else if (dim.isKnown(own) && !dim.equal(own, dims[k])) {
        throw complaint(
          context,
          `inputs equal but for axis ${axis}`,
          inputs.map((other) => printDims(other.dims)).join(' and '),
        )
      }
    }
  })
  return dims
}

/** Content of the result: lists joined, and matrices of lists along any axis. */
function contentOfAll(inputs: readonly ValueInfo[], axis: number): Dim[] | null {
  const parts = inputs.map((info) => {
    const content = contentOf(info)
    return content && info.dims && dim.areKnown(info.dims) ? { content, dims: info.dims } : null
  })
  if (parts.some((part) => part === null)) return null
  const known = parts.filter((part) => part !== null)
  return interleave(
    known.map(({ content, dims }) => ({ cells: content, dims })),
    axis,
  )
}

interface Part<T> {
  readonly cells: ArrayLike<T>
  readonly dims: readonly number[]
}

/** Elements of the parts in the order of their concatenation. */
function interleave<T>(parts: readonly Part<T>[], axis: number): T[] {
  const outer = sizeOf(parts[0].dims.slice(0, axis))
  const result: T[] = []
  for (let o = 0; o < outer; o++) {
    for (const { cells, dims } of parts) {
      const run = sizeOf(dims.slice(axis))
      for (let i = 0; i < run; i++) result.push(cells[o * run + i])
    }
  }
  return result
}

export const references = {
  Concat: (inputs, attributes) => {
    const tensors = inputs as readonly Tensor[]
    const [{ type, dims: like }] = tensors
    const axis = normalizeAxis(attributes.axis as number, like.length)
    const dims = like.map((size, k) => (k === axis ? tensors.reduce((sum, x) => sum + x.dims[k], 0) : size))
    const parts = tensors.map((x) => ({ cells: cellsOf(x) as ArrayLike<number>, dims: x.dims }))
    const cells = newCells(type, sizeOf(dims)) as unknown as number[]
    interleave(parts, axis).forEach((cell, i) => (cells[i] = cell))
    return [tensorOfCells(type, cells as never, dims)]
  },
} satisfies Record<string, Reference>

export const samples = {
  Concat: (random) => [
    { inputs: [floats(random, [2, 3]), floats(random, [2, 5])], attributes: { axis: 1 } },
    {
      inputs: [floats(random, [2, 3, 4]), floats(random, [1, 3, 4]), floats(random, [0, 3, 4])],
      attributes: { axis: -3 },
    },
    { inputs: [floats(random, [2, 3, 4]), floats(random, [2, 2, 4])], attributes: { axis: 1 } },
    { inputs: [longs(1, 2), longs(3)], attributes: { axis: 0 } },
    {
      inputs: [new Tensor('uint8', [1, 2], [2, 1]), new Tensor('uint8', [3, 4, 5, 6], [2, 2])],
      attributes: { axis: 1 },
    },
  ],
} satisfies Record<string, Samples>
