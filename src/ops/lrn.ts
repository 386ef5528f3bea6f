// SPDX-License-Identifier: Apache-2.0
/**
 * LRN: y = x / (bias + alpha / size * sum of squares of `size` neighbouring channels)^beta, channels first.
 * https://onnx.ai/onnx/operators/onnx__LRN.html
 */
import { sizeOf } from '../tensor/shape.ts'
import { type Reference, type Sample, type Samples, defineOps } from './define.ts'
import { needed } from './infer.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { floats } from './sample-tensors.ts'

export const ops = defineOps({
  LRN: {
    inputs: [1, 1],
    attributes: {
      alpha: { kind: 'float', default: 1e-4 },
      beta: { kind: 'float', default: 0.75 },
      bias: { kind: 'float', default: 1 },
      size: { kind: 'int', required: true },
    },
    numerics: { relative: 1e-5, absolute: 1e-6 },
    infer([info], context) {
      const { dtype, dims } = needed(context, info, 'X')
      return [{ dtype, dims }]
    },
  },
})

export const references = {
  LRN([x], attributes) {
    const { dims, type } = x!
    const { alpha, beta, bias, size } = attributes as Record<string, number>
    const channels = dims[1]
    const pixels = sizeOf(dims.slice(2))
    const data = numbersOf(x!)
    const values = Float64Array.from({ length: data.length }, (_, i) => {
      const channel = Math.floor(i / pixels) % channels
      const first = Math.max(0, channel - Math.floor((size - 1) / 2))
      const last = Math.min(channels - 1, channel + Math.ceil((size - 1) / 2))
      let sum = 0
      for (let c = first; c <= last; c++) sum += data[i + (c - channel) * pixels] ** 2
      return data[i] / (bias + (alpha / size) * sum) ** beta
    })
    return [tensorOf(type, values, dims)]
  },
} satisfies Record<string, Reference>

export const samples = {
  LRN: (random): Sample[] => [
    { inputs: [floats(random, [2, 7, 3, 4])], attributes: { size: 3 } },
    { inputs: [floats(random, [1, 5, 2, 2])], attributes: { size: 4, alpha: 0.5, beta: 0.5, bias: 2 } },
  ],
} satisfies Record<string, Samples>
