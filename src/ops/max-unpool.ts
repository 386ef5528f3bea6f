// SPDX-License-Identifier: Apache-2.0
/** MaxUnpool: values back to the places MaxPool took them from, zeros elsewhere. https://onnx.ai/onnx/operators/onnx__MaxUnpool.html */
import { GraphError } from '../base/errors.ts'
import { type Dim, add, mul, sub } from '../ir/dim.ts'
import { sizeOf, stridesOf } from '../tensor/shape.ts'
import { type Attributes, type OpContext, type Reference, type Sample, type Samples, defineOps } from './define.ts'
import { complaint, integersFrom, needed, printDims, unknownDims } from './infer.ts'
import { integersOf } from './elements.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { floats, longs } from './sample-tensors.ts'
import { Tensor } from '../tensor/tensor.ts'

/** Spatial dims before the pool. */
function unpooled(spatial: readonly Dim[], { kernel_shape: kernel, strides, pads }: Attributes): Dim[] {
  const [sides, steps, around] = [kernel, strides, pads].map((list) => list as number[] | undefined)
  return spatial.map((d, i) => {
    const whole = add(mul(sub(d, 1), steps?.[i] ?? 1), sides![i])
    return sub(whole, (around?.[i] ?? 0) + (around?.[i + spatial.length] ?? 0))
  })
}

function checkAttributes(context: OpContext, spatial: number): void {
  const { kernel_shape: kernel, strides, pads } = context.attributes as Record<string, number[] | undefined>
  const wrong = [
    [kernel, spatial, 1],
    [strides, spatial, 1],
    [pads, 2 * spatial, 0],
  ] as const
  for (const [list, length, least] of wrong) {
    if (list && (list.length !== length || list.some((value) => value < least))) {
      throw complaint(context, `${length} numbers >= ${least}`, list.join(', '))
    }
  }
}

export const ops = defineOps({
  MaxUnpool: {
    inputs: [2, 3],
    attributes: { kernel_shape: { kind: 'ints', required: true }, pads: { kind: 'ints' }, strides: { kind: 'ints' } },
    infer([info, indices, shape], context) {
      const x = needed(context, info, 'X')
      needed(context, indices, 'I')
      if (x.dims === null) return [{ dtype: x.dtype, dims: null }]
      if (x.dims.length < 3) throw complaint(context, 'X of rank >= 3', printDims(x.dims))
      checkAttributes(context, x.dims.length - 2)
      if (shape) return [{ dtype: x.dtype, dims: integersFrom(shape) ?? unknownDims(context, x.dims.length) }]
      const spatial = unpooled(x.dims.slice(2), context.attributes)
      if (spatial.some((d) => typeof d === 'number' && d < 0))
        throw complaint(context, 'pads within the image', printDims(spatial))
      return [{ dtype: x.dtype, dims: [...x.dims.slice(0, 2), ...spatial] }]
    },
  },
})

export const references = {
  MaxUnpool: ([x, indices, shape], attributes) => {
    const { dims } = x!
    const small = [...dims.slice(0, 2), ...(unpooled(dims.slice(2), attributes) as number[])]
    const target = shape ? integersOf(shape) : small
    if (target.length !== dims.length) {
      throw new GraphError({ where: 'output_shape', expected: `${dims.length} sizes`, got: String(target.length) })
    }
    const values = numbersOf(x!)
    if (indices!.size !== x!.size)
      throw new GraphError({ where: 'indices', expected: `${x!.size} integers`, got: String(indices!.size) })
    const result = new Float64Array(sizeOf(target))
    // indices count within the shape that MaxPool saw, which a given shape may exceed
    const size = sizeOf(small)
    const [from, to] = [stridesOf(small), stridesOf(target)]
    integersOf(indices!).forEach((at, i) => {
      const places = small.map((side, axis) => Math.floor(at / from[axis]) % side)
      if (!(at >= 0 && at < size) || places.some((place, axis) => place >= target[axis])) {
        throw new GraphError({ where: 'indices', expected: `integers in [0, ${size})`, got: String(at) })
      }
      result[places.reduce((sum, place, axis) => sum + place * to[axis], 0)] = values[i]
    })
    return [tensorOf(x!.type, result, target)]
  },
} satisfies Record<string, Reference>

export const samples = {
  MaxUnpool: (random): Sample[] => {
    const places = new Tensor('int64', [5, 7, 13, 15].map(BigInt), [1, 1, 2, 2])
    const attributes = { kernel_shape: [2, 2], strides: [2, 2] }
    return [
      { inputs: [floats(random, [1, 1, 2, 2]), places], attributes },
      { inputs: [floats(random, [1, 1, 2, 2]), places, longs(1, 1, 5, 5)], attributes },
    ]
  },
} satisfies Record<string, Samples>
