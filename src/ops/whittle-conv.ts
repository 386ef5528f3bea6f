// SPDX-License-Identifier: Apache-2.0
/**
 * whittle.Conv: convolution, channels last, with an epilogue. x is NHWC (one spatial axis: H = 1), w is
 * [Cout, kh, kw, Cin / group], then bias [Cout] and a residual with the dims of y. Window attributes are Conv's.
 * y = act(conv(x, w) + bias + residual) * post_scale + post_shift
 */
import { type Attributes, type Random, type Reference, type Sample, type Samples, defineOps } from './define.ts'
import { applyEpilogue } from './activation-reference.ts'
import {
  channelsFirst,
  channelsLast,
  channelsLastShape,
  checkResidual,
  checkVector,
  convAttributes,
  inferConv,
} from './conv-types.ts'
import { convolve, permute } from './convolve.ts'
import { epilogueArgs, epilogueAttributes, epilogueOf } from './epilogue.ts'
import { complaint, needed, printDims } from './infer.ts'
import { convMatrix, convWay, depthwiseLayout, emitConv } from './lower-conv.ts'
import { isFloat32 } from './lower-elementwise.ts'
import { packF32, packedWeight } from './lower-gemm.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { floats } from './sample-tensors.ts'
import { knownWindow } from './window.ts'

export const ops = defineOps({
  'whittle.Conv': {
    inputs: [2, 4],
    attributes: { ...convAttributes, ...epilogueAttributes },
    numerics: { relative: 1e-5, absolute: 1e-5 },
    infer([xInfo, wInfo, bias, residual], context) {
      const x = needed(context, xInfo, 'x')
      const w = needed(context, wInfo, 'w')
      epilogueOf(context.attributes)
      if (x.dims === null || w.dims === null) return [{ dtype: x.dtype, dims: null }]
      if (x.dims.length !== 4) throw complaint(context, 'x of dims [N, H, W, C]', printDims(x.dims))
      if (w.dims.length !== 4) throw complaint(context, 'w of dims [Cout, kh, kw, Cin / group]', printDims(w.dims))
      const first = channelsFirst(4)
      const [xDims, wDims] = [x.dims, w.dims].map((dims) => first.map((axis) => dims[axis]))
      const { outC, out } = inferConv(context, xDims, wDims)
      const dims = [x.dims[0], ...out, outC]
      checkVector(context, 'bias', bias, outC)
      checkResidual(context, residual, dims)
      return [{ dtype: x.dtype, dims }]
    },
    lower(lowering, { attributes }) {
      const [x, w, bias, residual] = [0, 1, 2, 3].map((i) => lowering.input(i))
      if (!isFloat32(x, w, bias, residual) || x!.size === 0 || w!.size === 0) return false
      const shape = channelsLastShape(x!, w!, attributes)
      const packing = convWay(shape) === 'depthwise' ? undefined : packF32(convMatrix(shape))
      const weights = packedWeight(lowering, 1, packing ?? { layout: depthwiseLayout(shape), batchBytes: 0, sums: 0 })
      const y = lowering.output(0)
      const epilogue = epilogueArgs(attributes, bias, residual, shape.outC, y.size / shape.images)
      emitConv(lowering, { shape, x: x!.ref, w: weights, packing, y: y.ref, epilogue })
      return true
    },
  },
})

export const references = {
  'whittle.Conv'([x, w, bias, residual], attributes) {
    const image = permute({ data: numbersOf(x!), dims: x!.dims }, channelsFirst(4))
    const kernel = permute({ data: numbersOf(w!), dims: w!.dims }, channelsFirst(4))
    const window = knownWindow(image.dims.slice(2), kernel.dims.slice(2), attributes)
    const result = convolve(image, kernel, attributes.group as number, window)
    const { data, dims } = permute(result, channelsLast(4))
    applyEpilogue(data, dims[3], attributes, bias ? numbersOf(bias) : null, residual ? numbersOf(residual) : null)
    return [tensorOf(x!.type, data, dims)]
  },
} satisfies Record<string, Reference>

function sample(
  random: Random,
  x: number[],
  w: number[],
  y: number[] | null,
  attributes: Attributes,
  bias = true,
): Sample {
  const inputs = [floats(random, x), floats(random, w), bias ? floats(random, [w[0]]) : null, y && floats(random, y)]
  return { inputs, attributes }
}

export const samples = {
  'whittle.Conv': (random) => [
    sample(random, [1, 7, 6, 3], [5, 3, 3, 3], null, {}),
    sample(random, [2, 8, 5, 4], [6, 3, 2, 4], null, { pads: [1, 0, 1, 1], strides: [2, 1], activation: 'Relu' }),
    sample(random, [1, 9, 9, 4], [4, 3, 3, 2], null, { group: 2, dilations: [2, 2], activation: 'HardSwish' }, false),
    sample(random, [2, 9, 10, 6], [6, 3, 3, 1], [2, 5, 5, 6], {
      group: 6,
      pads: [1, 1, 1, 1],
      strides: [2, 2],
      activation: 'Clip',
      alpha: 0,
      beta: 6,
      post_scale: 0.5,
      post_shift: 1,
    }),
    sample(random, [1, 5, 5, 2], [4, 3, 3, 1], null, { group: 2, pads: [1, 1, 1, 1], activation: 'Gelu' }),
    sample(random, [2, 7, 5, 3], [9, 3, 3, 1], [2, 4, 3, 9], {
      group: 3,
      pads: [1, 1, 1, 1],
      strides: [2, 2],
      activation: 'Relu',
    }),
    sample(random, [2, 6, 7, 10], [10, 3, 3, 2], [2, 6, 7, 10], { group: 5, pads: [1, 1, 1, 1], activation: 'Relu' }),
    sample(random, [1, 9, 8, 12], [12, 3, 3, 3], null, { group: 4, pads: [2, 1, 2, 0], dilations: [2, 1] }),
    sample(random, [1, 9, 8, 8], [8, 3, 3, 4], null, { group: 2, strides: [1, 3], activation: 'HardSwish' }, false),
    sample(random, [1, 1, 13, 8], [12, 1, 5, 2], null, { group: 4, pads: [0, 2, 0, 2], strides: [1, 2] }),
    sample(random, [1, 5, 6, 16], [16, 3, 3, 8], [1, 5, 6, 16], { group: 2, pads: [1, 1, 1, 1] }),
    sample(random, [1, 4, 5, 8], [8, 1, 1, 2], null, { group: 4 }),
    sample(random, [2, 5, 7, 3], [9, 1, 1, 3], [2, 5, 7, 9], { activation: 'Silu' }),
    sample(random, [1, 1, 11, 3], [4, 1, 3, 3], null, { pads: [0, 2, 0, 0], activation: 'LeakyRelu', alpha: 0.1 }),
    sample(random, [1, 5, 7, 3], [2, 3, 3, 3], null, { auto_pad: 'SAME_UPPER', strides: [2, 2], activation: 'Tanh' }),
  ],
} satisfies Record<string, Samples>
