// SPDX-License-Identifier: Apache-2.0
/**
 * ConvInteger and QLinearConv: convolutions of 8-bit integers, channels first. The first gives the exact int32 sums of
 * (x - x zero)(w - w zero); the second adds an int32 bias, scales, and rounds to 8 bits again, ties to even, saturating.
 * Padding stands for the zero point. Zero points and scales of w are one number, or one for each output channel.
 * https://onnx.ai/onnx/operators/onnx__ConvInteger.html, onnx__QLinearConv.html
 */
import type { Dim } from '../ir/dim.ts'
import { type OpContext, type Reference, type Sample, type Samples, type ValueInfo, defineOps } from './define.ts'
import { checkVector, convAttributes, inferConv } from './conv-types.ts'
import { integerSums, requantizedSums } from './byte-conv-reference.ts'
import { needed } from './infer.ts'
import { tensorOf } from './numeric.ts'
import { floats, integers } from './sample-tensors.ts'

function convDims(context: OpContext, x: ValueInfo, w: ValueInfo, bias?: ValueInfo | null): Dim[] | null {
  if (x.dims === null || w.dims === null) return null
  const { outC, out } = inferConv(context, x.dims, w.dims)
  checkVector(context, 'B', bias, outC)
  return [x.dims[0], outC, ...out]
}

export const ops = defineOps({
  ConvInteger: {
    inputs: [2, 4],
    attributes: convAttributes,
    infer([x, w], context) {
      return [{ dtype: 'int32', dims: convDims(context, needed(context, x, 'x'), needed(context, w, 'w')) }]
    },
  },
  QLinearConv: {
    inputs: [8, 9],
    attributes: convAttributes,
    infer([x, , , w, , , , zero, bias], context) {
      const { dtype } = needed(context, zero, 'y_zero_point')
      return [{ dtype, dims: convDims(context, needed(context, x, 'x'), needed(context, w, 'w'), bias) }]
    },
  },
})

export const references = {
  ConvInteger([x, w, xZero, wZero], attributes) {
    const { data, dims } = integerSums(x!, xZero, w!, wZero, attributes)
    return [tensorOf('int32', data, dims)]
  },
  QLinearConv([x, xScale, xZero, w, wScale, wZero, yScale, yZero, bias], attributes) {
    const sums = integerSums(x!, xZero, w!, wZero, attributes)
    return [requantizedSums(sums, [xScale!, wScale!, yScale!], yZero!, bias)]
  },
} satisfies Record<string, Reference>

export const samples = {
  ConvInteger: (random): Sample[] => [
    { inputs: [integers(random, [1, 2, 5, 5], 0, 255, 'uint8'), integers(random, [3, 2, 3, 3], -128, 127, 'int8')] },
    {
      inputs: [
        integers(random, [2, 2, 5, 4], 0, 255, 'uint8'),
        integers(random, [4, 1, 2, 2], 0, 255, 'uint8'),
        integers(random, [], 100, 140, 'uint8'),
        integers(random, [4], 100, 140, 'uint8'),
      ],
      attributes: { group: 2, pads: [1, 1, 0, 1] },
    },
  ],
  QLinearConv: (random): Sample[] => [
    {
      inputs: [
        integers(random, [1, 2, 5, 5], 0, 255, 'uint8'),
        floats(random, [], 0.01, 0.02),
        integers(random, [], 100, 140, 'uint8'),
        integers(random, [3, 2, 3, 3], -128, 127, 'int8'),
        floats(random, [3], 0.01, 0.02),
        integers(random, [3], 0, 0, 'int8'),
        floats(random, [], 0.05, 0.1),
        integers(random, [], 100, 140, 'uint8'),
        integers(random, [3], -500, 500),
      ],
      attributes: { strides: [2, 2], pads: [1, 1, 1, 1] },
    },
  ],
} satisfies Record<string, Samples>
