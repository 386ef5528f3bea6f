// SPDX-License-Identifier: Apache-2.0
/** CenterCropPad: the middle of a tensor, or zeros around it, axis by axis. https://onnx.ai/onnx/operators/onnx__CenterCropPad.html */
import type { Dim } from '../ir/dim.ts'
import { stridesOf } from '../tensor/shape.ts'
import { type Attributes, type Reference, type Sample, type Samples, defineOps } from './define.ts'
import { axesOf, complaint, contentOf, needed, unknownDims } from './infer.ts'
import { integersOf, offsetsOf } from './elements.ts'
import { pick } from './numeric.ts'
import { floats, longs } from './sample-tensors.ts'

const axesFor = ({ axes }: Attributes, rank: number): number[] =>
  ((axes as number[] | undefined) ?? Array.from({ length: rank }, (_, i) => i)).map((axis) =>
    axis < 0 ? axis + rank : axis,
  )

export const ops = defineOps({
  CenterCropPad: {
    inputs: [2, 2],
    attributes: { axes: { kind: 'ints' } },
    infer([info, shape], context) {
      const x = needed(context, info, 'input_data')
      if (x.dims === null) return [{ dtype: x.dtype, dims: null }]
      const axes = axesFor(context.attributes, x.dims.length)
      axesOf(context, axes, x.dims.length)
      const sizes = contentOf(needed(context, shape, 'shape'))
      if (
        sizes !== null &&
        (sizes.length !== axes.length || sizes.some((size) => typeof size === 'number' && size < 0))
      ) {
        throw complaint(context, `${axes.length} sizes >= 0`, sizes.join(', '))
      }
      const open = unknownDims(context, x.dims.length)
      const dims = x.dims.map((d, axis): Dim => {
        const at = axes.indexOf(axis)
        return at < 0 ? d : (sizes?.[at] ?? open[axis])
      })
      return [{ dtype: x.dtype, dims }]
    },
  },
})

export const references = {
  CenterCropPad: ([x, shape], attributes) => {
    const { dims } = x!
    const sizes = integersOf(shape!)
    const axes = axesFor(attributes, dims.length)
    const target = dims.map((d, axis) => (axes.includes(axis) ? sizes[axes.indexOf(axis)] : d))
    // where the result begins in the input; below 0: zeros first
    const starts = dims.map((d, axis) =>
      target[axis] > d ? -Math.floor((target[axis] - d) / 2) : Math.floor((d - target[axis]) / 2),
    )
    const own = stridesOf(dims)
    const places = target.map((size, axis) => offsetsOf([size], [1], starts[axis]))
    const steps = stridesOf(target)
    return [
      pick(x!, target, (i) => {
        let at = 0
        for (let axis = 0; axis < dims.length; axis++) {
          const place = places[axis][Math.floor(i / steps[axis]) % target[axis]]
          if (place < 0 || place >= dims[axis]) return -1
          at += place * own[axis]
        }
        return at
      }),
    ]
  },
} satisfies Record<string, Reference>

export const samples = {
  CenterCropPad: (random): Sample[] => [
    { inputs: [floats(random, [9, 7, 3]), longs(4, 10, 3)] },
    { inputs: [floats(random, [5, 8, 3]), longs(10, 3)], attributes: { axes: [0, -2] } },
  ],
} satisfies Record<string, Samples>
