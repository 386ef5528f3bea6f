// SPDX-License-Identifier: Apache-2.0
/** Col2Im: columns of blocks added back into the image they were taken from. https://onnx.ai/onnx/operators/onnx__Col2Im.html */
import { sizeOf, stridesOf } from '../tensor/shape.ts'
import { type Reference, type Sample, type Samples, defineOps } from './define.ts'
import { complaint, integersFrom, needed, printDims, unknownDims } from './infer.ts'
import { integersOf } from './elements.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { floats, longs } from './sample-tensors.ts'
import { knownWindow } from './window.ts'

export const ops = defineOps({
  Col2Im: {
    inputs: [3, 3],
    attributes: { dilations: { kind: 'ints' }, pads: { kind: 'ints' }, strides: { kind: 'ints' } },
    numerics: { relative: 1e-6, absolute: 1e-6 },
    infer([info, imageInfo, blockInfo], context) {
      const x = needed(context, info, 'input')
      const image = integersFrom(needed(context, imageInfo, 'image_shape'))
      const block = integersFrom(needed(context, blockInfo, 'block_shape'))
      if (x.dims !== null && x.dims.length !== 3) throw complaint(context, 'input of rank 3', printDims(x.dims))
      if (image === null || block === null || x.dims === null) {
        const rank = imageInfo?.dims?.[0]
        return [{ dtype: x.dtype, dims: typeof rank === 'number' ? unknownDims(context, rank + 2) : null }]
      }
      const size = sizeOf(block)
      const columns = x.dims[1]
      if (image.length !== block.length || [...image, ...block].some((side) => side < 1)) {
        throw complaint(
          context,
          'image and block of one rank, sides >= 1',
          `${printDims(image)} and ${printDims(block)}`,
        )
      }
      if (typeof columns === 'number' && columns % size !== 0) {
        throw complaint(context, `input with a multiple of ${size} rows`, String(columns))
      }
      const { out } = knownWindow(image, block, context.attributes)
      if (typeof x.dims[2] === 'number' && x.dims[2] !== sizeOf(out)) {
        throw complaint(context, `input of ${sizeOf(out)} blocks`, String(x.dims[2]))
      }
      const channels = typeof columns === 'number' ? columns / size : unknownDims(context, 2)[1]
      return [{ dtype: x.dtype, dims: [x.dims[0], channels, ...image] }]
    },
  },
})

export const references = {
  Col2Im: ([x, imageInput, blockInput], attributes) => {
    const [image, block] = [integersOf(imageInput!), integersOf(blockInput!)]
    const { out, strides, dilations, begin } = knownWindow(image, block, attributes)
    const [batch, rows, blocks] = x!.dims
    const taps = sizeOf(block)
    const channels = rows / taps
    const values = numbersOf(x!)
    const result = new Float64Array(batch * channels * sizeOf(image))
    const [imageStrides, blockStrides, outStrides] = [image, block, out].map((dims) => stridesOf(dims))
    for (let plane = 0; plane < batch * channels; plane++) {
      for (let tap = 0; tap < taps; tap++) {
        for (let place = 0; place < blocks; place++) {
          let at = 0
          const inside = image.every((size, axis) => {
            const [t, p] = [
              Math.floor(tap / blockStrides[axis]) % block[axis],
              Math.floor(place / outStrides[axis]) % out[axis],
            ]
            const y = p * strides[axis] - begin[axis] + t * dilations[axis]
            at += y * imageStrides[axis]
            return y >= 0 && y < size
          })
          if (inside) result[plane * sizeOf(image) + at] += values[(plane * taps + tap) * blocks + place]
        }
      }
    }
    return [tensorOf(x!.type, result, [batch, channels, ...image])]
  },
} satisfies Record<string, Reference>

export const samples = {
  Col2Im: (random): Sample[] => [
    { inputs: [floats(random, [1, 5, 5]), longs(5, 5), longs(1, 5)] },
    { inputs: [floats(random, [2, 8, 12]), longs(4, 5), longs(2, 2)] },
    {
      inputs: [floats(random, [1, 8, 12]), longs(4, 5), longs(2, 2)],
      attributes: { pads: [0, 1, 0, 1], dilations: [1, 3] },
    },
  ],
} satisfies Record<string, Samples>
