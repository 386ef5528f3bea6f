// SPDX-License-Identifier: Apache-2.0
/**
 * whittle.DynamicQuantizeConv: whittle.Conv with int8 weights, one scale per output channel, and x quantised on the
 * fly, each image as a whole, to asymmetric 8 bits (rules: kernels/pack.ts, oracle: quantize.ts).
 * y = act(xScale * wScale[c] * sum((q - zero) * w) + bias + residual) * post_scale + post_shift, the sum in exact integers.
 *
 * A convolution that sums by channel (depthwise, or groups of few channels: `isDepthwise`) is done in float32 on x itself
 * with w * wScale: its sums are too short for bytes to pay. The attribute `narrow` says that weights are (kernels/gemm.ts).
 */
import type { Tensor } from '../tensor/tensor.ts'
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
import { convMatrix, emitByteConv, emitConv, emitDepthwiseWeights, isDepthwise } from './lower-conv.ts'
import { isFloat32, shifted } from './lower-elementwise.ts'
import { mostByteDepth, narrowAttribute, packS8, packedWeight, recipeFor } from './lower-gemm.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { quantizeRuns } from './quantize.ts'
import { floats, integers, narrowWeights } from './sample-tensors.ts'
import { knownWindow } from './window.ts'

export const ops = defineOps({
  'whittle.DynamicQuantizeConv': {
    inputs: [3, 5],
    attributes: { ...convAttributes, ...epilogueAttributes, ...narrowAttribute },
    numerics: { relative: 1e-5, absolute: 1e-5 },
    infer([xInfo, wInfo, scale, bias, residual], context) {
      const x = needed(context, xInfo, 'x')
      const w = needed(context, wInfo, 'w')
      needed(context, scale, 'wScale')
      epilogueOf(context.attributes)
      if (w.dtype !== 'int8') throw complaint(context, 'int8 weights', w.dtype)
      if (x.dims === null || w.dims === null) return [{ dtype: x.dtype, dims: null }]
      if (x.dims.length !== 4) throw complaint(context, 'x of dims [N, H, W, C]', printDims(x.dims))
      if (w.dims.length !== 4) throw complaint(context, 'w of dims [Cout, kh, kw, Cin / group]', printDims(w.dims))
      const first = channelsFirst(4)
      const [xDims, wDims] = [x.dims, w.dims].map((dims) => first.map((axis) => dims[axis]))
      const { outC, out } = inferConv(context, xDims, wDims)
      const dims = [x.dims[0], ...out, outC]
      checkVector(context, 'wScale', scale, outC)
      checkVector(context, 'bias', bias, outC)
      checkResidual(context, residual, dims)
      return [{ dtype: x.dtype, dims }]
    },
    lower(lowering, { attributes }) {
      const [x, w, scale, bias, residual] = [0, 1, 2, 3, 4].map((i) => lowering.input(i))
      if (!isFloat32(x, scale, bias, residual) || w!.dtype !== 'int8' || x!.size === 0 || w!.size === 0) return false
      const shape = channelsLastShape(x!, w!, attributes)
      const y = lowering.output(0)
      const epilogue = epilogueArgs(attributes, bias, residual, shape.outC, y.size / shape.images)
      if (isDepthwise(shape)) {
        const weights = emitDepthwiseWeights(lowering, w!.ref, scale!.ref, shape)
        emitConv(lowering, { shape, x: x!.ref, w: weights, y: y.ref, epilogue })
        return true
      }
      const matrix = convMatrix(shape)
      if (matrix.k > mostByteDepth) return false
      const recipe = recipeFor(lowering.host, attributes, matrix.k)
      const packing = packS8(matrix, recipe)
      const weights = packedWeight(lowering, 1, packing)
      const parts = { wScale: scale!.ref, wSum: shifted(weights, packing.sums) }
      emitByteConv(lowering, { shape, x: x!.ref, w: weights, packing, y: y.ref, epilogue }, parts, recipe)
      return true
    },
  },
})

export const references = {
  'whittle.DynamicQuantizeConv'([x, w, wScale, bias, residual], attributes) {
    const values = numbersOf(x!)
    const scales = numbersOf(wScale!)
    const kernel = permute({ data: numbersOf(w!), dims: w!.dims }, channelsFirst(4))
    const group = attributes.group as number
    const [images, , , inC] = x!.dims
    const window = knownWindow(x!.dims.slice(1, 3), w!.dims.slice(1, 3), attributes)
    const depthwise = isDepthwise({ group, inC, outC: kernel.dims[0], window })
    const size = images === 0 ? 0 : values.length / images
    const quantized = depthwise
      ? { centred: values, scales: new Float64Array(images).fill(1) }
      : quantizeRuns(values, size, images)
    const image = permute({ data: quantized.centred, dims: x!.dims }, channelsFirst(4))
    const { data, dims } = permute(convolve(image, kernel, group, window), channelsLast(4))
    const perImage = data.length / images
    const channels = dims[3]
    for (let i = 0; i < data.length; i++) data[i] *= quantized.scales[Math.floor(i / perImage)] * scales[i % channels]
    applyEpilogue(data, channels, attributes, bias ? numbersOf(bias) : null, residual ? numbersOf(residual) : null)
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
  const scale: Tensor = floats(random, [w[0]], 0.001, 0.02)
  const weights =
    attributes.narrow === 1 ? narrowWeights(random, w, w[1] * w[2] * w[3]) : integers(random, w, -127, 127, 'int8')
  const inputs = [
    floats(random, x, -1, 3),
    weights,
    scale,
    bias ? floats(random, [w[0]]) : null,
    y && floats(random, y),
  ]
  return { inputs, attributes }
}

export const samples = {
  'whittle.DynamicQuantizeConv': (random) => [
    sample(random, [1, 7, 6, 3], [5, 3, 3, 3], null, {}),
    sample(random, [2, 8, 5, 4], [6, 3, 2, 4], null, { pads: [1, 0, 1, 1], strides: [2, 1], activation: 'Relu' }),
    sample(random, [1, 9, 9, 4], [4, 3, 3, 2], null, { group: 2, dilations: [2, 2], activation: 'HardSwish' }, false),
    sample(random, [2, 9, 10, 6], [6, 3, 3, 1], [2, 5, 5, 6], { group: 6, pads: [1, 1, 1, 1], strides: [2, 2] }),
    sample(random, [2, 7, 5, 3], [6, 3, 3, 1], [2, 4, 3, 6], { group: 3, pads: [1, 1, 1, 1], strides: [2, 2] }),
    sample(random, [2, 6, 7, 12], [12, 3, 3, 3], [2, 6, 7, 12], { group: 4, pads: [1, 1, 1, 1], activation: 'Relu' }),
    sample(random, [1, 1, 13, 8], [12, 1, 5, 2], null, { group: 4, pads: [0, 2, 0, 2], strides: [1, 2] }),
    sample(random, [1, 9, 8, 8], [8, 3, 3, 2], null, { group: 4, dilations: [2, 2] }),
    sample(random, [1, 5, 6, 16], [16, 3, 3, 8], [1, 5, 6, 16], { narrow: 1, group: 2, pads: [1, 1, 1, 1] }),
    sample(random, [1, 7, 6, 3], [9, 3, 3, 3], null, { narrow: 1, pads: [1, 1, 1, 1] }),
    sample(random, [2, 5, 3, 8], [5, 1, 1, 8], null, { narrow: 1, activation: 'HardSwish' }),
    sample(random, [2, 5, 7, 3], [9, 1, 1, 3], [2, 5, 7, 9], { activation: 'Silu' }),
    sample(random, [1, 1, 11, 5], [4, 1, 3, 5], null, { pads: [0, 2, 0, 0], activation: 'HardSigmoid', post_scale: 2 }),
    {
      inputs: [
        floats(random, [1, 3, 3, 4], 0, 0),
        ...sample(random, [1, 1, 1, 4], [2, 3, 3, 4], null, {}).inputs.slice(1),
      ],
    },
  ],
} satisfies Record<string, Samples>
