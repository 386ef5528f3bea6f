// SPDX-License-Identifier: Apache-2.0
/**
 * CausalConvWithState: a depthwise convolution along time that sees the past alone, which it is given and gives on.
 * https://onnx.ai/onnx/operators/onnx__CausalConvWithState.html
 */
import { Tensor } from '../tensor/tensor.ts'
import { type Reference, type Sample, type Samples, defineOps } from './define.ts'
import { checkVector, mayEqual } from './conv-types.ts'
import { complaint, needed, printDims, unknownDims } from './infer.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { floats } from './sample-tensors.ts'

export const ops = defineOps({
  CausalConvWithState: {
    inputs: [2, 4],
    outputs: [1, 2],
    attributes: { activation: { kind: 'string', default: 'none' } },
    numerics: { relative: 1e-5, absolute: 1e-5 },
    infer([info, weight, bias, state], context) {
      const [x, w] = [needed(context, info, 'input'), needed(context, weight, 'weight')]
      for (const [name, { dims }] of Object.entries({ input: x, weight: w })) {
        if (dims !== null && dims.length !== 3) throw complaint(context, `${name} of rank 3`, printDims(dims))
      }
      const kernel = w.dims?.[2]
      const past = typeof kernel === 'number' ? kernel - 1 : unknownDims(context, 1, 1)[0]
      if (x.dims !== null) {
        const wanted = [
          ['weight', w, [x.dims[1], 1, kernel ?? 1]],
          ['past_state', state, [x.dims[0], x.dims[1], past]],
        ] as const
        for (const [name, one, dims] of wanted) {
          const fits = one?.dims?.length === 3 && one.dims.every((d, i) => mayEqual(d, dims[i]))
          if (one?.dims && !fits) throw complaint(context, `${name} of dims ${printDims(dims)}`, printDims(one.dims))
        }
        checkVector(context, 'bias', bias, x.dims[1])
      }
      const { activation } = context.attributes
      if (!['none', 'silu', 'swish'].includes(activation as string))
        throw complaint(context, 'activation none, silu or swish', String(activation))
      return [
        { dtype: x.dtype, dims: x.dims },
        { dtype: x.dtype, dims: x.dims && [x.dims[0], x.dims[1], past] },
      ]
    },
  },
})

export const references = {
  CausalConvWithState: ([x, w, bias, past], { activation }) => {
    const [batch, channels, length] = x!.dims
    const kernel = w!.dims[2]
    const before = kernel - 1
    const [values, weights] = [numbersOf(x!), numbersOf(w!)]
    const [shifts, state] = [bias ? numbersOf(bias) : null, past ? numbersOf(past) : null]
    const result: number[] = []
    const present: number[] = []
    for (let plane = 0; plane < batch * channels; plane++) {
      const channel = plane % channels
      const line = Array.from({ length: before + length }, (_, i) =>
        i < before ? (state?.[plane * before + i] ?? 0) : values[plane * length + i - before],
      )
      for (let t = 0; t < length; t++) {
        let sum = shifts?.[channel] ?? 0
        for (let i = 0; i < kernel; i++) sum += line[t + i] * weights[channel * kernel + i]
        result.push(activation === 'none' ? sum : sum / (1 + Math.exp(-sum)))
      }
      present.push(...line.slice(length))
    }
    return [tensorOf(x!.type, result, x!.dims), tensorOf(x!.type, present, [batch, channels, before])]
  },
} satisfies Record<string, Reference>

export const samples = {
  CausalConvWithState: (random): Sample[] => [
    {
      inputs: [floats(random, [2, 4, 8]), floats(random, [4, 1, 4]), floats(random, [4]), floats(random, [2, 4, 3])],
      outputs: 2,
    },
    { inputs: [floats(random, [1, 3, 2]), floats(random, [3, 1, 4])], attributes: { activation: 'silu' }, outputs: 2 },
    { inputs: [floats(random, [1, 2, 5]), floats(random, [2, 1, 1]), new Tensor('float32', [1, 2])] },
  ],
} satisfies Record<string, Samples>
