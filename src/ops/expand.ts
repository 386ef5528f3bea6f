// SPDX-License-Identifier: Apache-2.0
/** Expand and Tile: an input broadcast to a shape (both ways, as element-wise operators do), or repeated per axis. */
import * as dim from '../ir/dim.ts'
import { GraphError } from '../base/errors.ts'
import { broadcastDims, broadcastStrides, stridesOf } from '../tensor/shape.ts'
import { type Reference, type Samples, defineOps } from './define.ts'
import { complaint, contentOf, needed, printDims, unknownDims, valueOf } from './infer.ts'
import { integersOf, isInteger } from './elements.ts'
import { floats, longs } from './sample-tensors.ts'
import { type View, emitView, viewedContent } from './view.ts'
import { viewed } from './viewed.ts'

/** The input broadcast to `target`. */
function expandView(dims: readonly number[], target: readonly number[]): View {
  return { dims: target, strides: broadcastStrides(dims, target), start: 0 }
}

/** The input repeated `repeats[axis]` times along each axis. */
function tileView(dims: readonly number[], repeats: readonly number[]): View {
  const own = stridesOf(dims)
  return {
    dims: dims.flatMap((size, axis) => [repeats[axis], size]),
    strides: own.flatMap((stride) => [0, stride]),
    start: 0,
  }
}

export const ops = defineOps({
  Expand: {
    inputs: [2, 2],
    infer([x, shape], context) {
      const info = needed(context, x, 'input')
      const { dtype, dims } = info
      const wanted = contentOf(needed(context, shape, 'shape'))
      if (!isInteger(shape!.dtype)) throw complaint(context, 'a shape of integers', shape!.dtype)
      if (dims === null) return [{ dtype, dims: null }]
      if (wanted === null) {
        const length = shape!.dims?.[0]
        const rank = length !== undefined && dim.isKnown(length) ? Math.max(length, dims.length) : null
        return [{ dtype, dims: rank === null ? null : unknownDims(context, rank) }]
      }
      try {
        const target = dim.broadcastShapes(dims, wanted)
        const view = dim.areKnown(target) ? viewedContent(info, (own) => expandView(own, target)) : null
        return [valueOf(dtype, target, view)]
      } catch (error) {
        if (!(error instanceof GraphError)) throw error
        throw complaint(context, `a shape that ${printDims(dims)} broadcasts with`, printDims(wanted))
      }
    },
    lower: (lowering) => emitView(lowering, expandView(lowering.input(0)!.dims, lowering.output(0).dims)),
  },
  Tile: {
    inputs: [2, 2],
    infer([x, repeats], context) {
      const info = needed(context, x, 'input')
      const { dtype, dims } = info
      const counts = contentOf(needed(context, repeats, 'repeats'))
      if (dims === null) return [{ dtype, dims }]
      if (counts === null) return [{ dtype, dims: unknownDims(context, dims.length) }]
      if (counts.length !== dims.length) throw complaint(context, `${dims.length} repeats`, printDims(counts))
      const target = dims.map((size, axis) => dim.mul(size, counts[axis]))
      return [valueOf(dtype, target, dim.areKnown(counts) ? viewedContent(info, (own) => tileView(own, counts)) : null)]
    },
    lower(lowering) {
      const [x, y] = [lowering.input(0)!, lowering.output(0)]
      const repeats = y.dims.map((size, axis) => (x.dims[axis] === 0 ? 0 : size / x.dims[axis]))
      return emitView(lowering, tileView(x.dims, repeats))
    },
  },
})

export const references = {
  Expand: ([x, shape]) => [viewed(x!, expandView(x!.dims, broadcastDims(x!.dims, integersOf(shape!))))],
  Tile: ([x, repeats]) => {
    const counts = integersOf(repeats!)
    return [
      viewed(
        x!,
        tileView(x!.dims, counts),
        x!.dims.map((size, axis) => size * counts[axis]),
      ),
    ]
  },
} satisfies Record<string, Reference>

export const samples = {
  Expand: (random) => [
    { inputs: [floats(random, [3, 1]), longs(2, 3, 6)] },
    { inputs: [floats(random, [2, 3]), longs(1)] },
    { inputs: [floats(random, []), longs(4, 2)] },
    { inputs: [longs(7), longs(3)] },
    { inputs: [floats(random, [1]), longs(0)] },
  ],
  Tile: (random) => [
    { inputs: [floats(random, [2, 3]), longs(2, 2)] },
    { inputs: [floats(random, [2, 1, 3, 2]), longs(1, 3, 1, 2)] },
    { inputs: [longs(1, 2), longs(3)] },
    { inputs: [floats(random, [2]), longs(0)] },
  ],
} satisfies Record<string, Samples>
