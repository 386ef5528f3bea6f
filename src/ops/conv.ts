// SPDX-License-Identifier: Apache-2.0
/**
 * Conv: convolution, channels first, any number of spatial axes. Weights are [M, C / group, …kernel].
 * Its kernels are channels last, so one and two spatial axes run between transposes; the channels-last pass spares
 * them by rewriting to whittle.Conv. https://onnx.ai/onnx/operators/onnx__Conv.html
 */
import type { Tensor } from '../tensor/tensor.ts'
import { type Random, type Reference, type Sample, type Samples, defineOps } from './define.ts'
import { asPlane, fromChannelsLast, toChannelsLast } from './channels-first.ts'
import { checkVector, convAttributes, inferConv } from './conv-types.ts'
import { convolve } from './convolve.ts'
import { noEpilogue } from './epilogue.ts'
import { needed } from './infer.ts'
import { type ConvShape, convMatrix, convWay, depthwiseLayout, emitConv } from './lower-conv.ts'
import { isFloat32 } from './lower-elementwise.ts'
import { packF32, packedWeight } from './lower-gemm.ts'
import { samePlace, transposed } from './lower-layout.ts'
import type { Lowering, Ref } from './lower.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { floats } from './sample-tensors.ts'
import { knownWindow } from './window.ts'

function lowerConv(lowering: Lowering, shape: ConvShape): void {
  const x = lowering.input(0)!
  const w = lowering.input(1)!
  const { images, inH, inW, inC, outC, group, window } = shape
  const way = convWay(shape)
  const taps = window.kernel[0] * window.kernel[1]
  const rows = transposed(lowering, w.ref, outC, inC / group, taps)
  const packing = way === 'depthwise' ? undefined : packF32(convMatrix(shape))
  // weights that are already channels last in memory can be packed once; others are turned round in this run
  const source: Ref | undefined = samePlace(rows, w.ref) ? undefined : rows
  const parts = packing ?? { layout: depthwiseLayout(shape), batchBytes: 0, sums: 0 }
  const weights = packedWeight(lowering, 1, parts, source)
  const image = toChannelsLast(lowering, x.ref, { images, channels: inC, pixels: inH * inW })
  const out = { images, channels: outC, pixels: window.out[0] * window.out[1] }
  fromChannelsLast(lowering, lowering.output(0).ref, out, (y) => {
    const bias = lowering.input(2)?.ref ?? null
    emitConv(lowering, { shape, x: image, w: weights, packing, y, epilogue: { ...noEpilogue, bias } })
  })
}

export const ops = defineOps({
  Conv: {
    inputs: [2, 3],
    attributes: convAttributes,
    numerics: { relative: 1e-5, absolute: 1e-5 },
    infer([xInfo, wInfo, bias], context) {
      const x = needed(context, xInfo, 'X')
      const w = needed(context, wInfo, 'W')
      if (x.dims === null || w.dims === null) return [{ dtype: x.dtype, dims: null }]
      const { outC, out } = inferConv(context, x.dims, w.dims)
      checkVector(context, 'B', bias, outC)
      return [{ dtype: x.dtype, dims: [x.dims[0], outC, ...out] }]
    },
    lower(lowering, { attributes }) {
      const x = lowering.input(0)!
      const w = lowering.input(1)!
      if (!isFloat32(x, w, lowering.input(2)) || x.dims.length > 4 || x.size === 0 || w.size === 0) return false
      const [images, inC, ...spatial] = x.dims
      const window = asPlane(knownWindow(spatial, w.dims.slice(2), attributes))
      const [inH, inW] = spatial.length === 1 ? [1, spatial[0]] : spatial
      lowerConv(lowering, { images, inH, inW, inC, outC: w.dims[0], group: attributes.group as number, window })
      return true
    },
  },
})

export const references = {
  Conv([x, w, bias], attributes) {
    const window = knownWindow(x!.dims.slice(2), w!.dims.slice(2), attributes)
    const { data, dims } = convolve(
      { data: numbersOf(x!), dims: x!.dims },
      { data: numbersOf(w!), dims: w!.dims },
      attributes.group as number,
      window,
    )
    if (bias) {
      const b = numbersOf(bias)
      const pixels = window.out.reduce((size, d) => size * d, 1)
      for (let i = 0; i < data.length; i++) data[i] += b[Math.floor(i / pixels) % b.length]
    }
    return [tensorOf(x!.type, data, dims)]
  },
} satisfies Record<string, Reference>

function sample(random: Random, x: number[], w: number[], attributes: Sample['attributes'], bias = true): Sample {
  const b: Tensor | null = bias ? floats(random, [w[0]]) : null
  return { inputs: [floats(random, x), floats(random, w), b], attributes }
}

export const samples = {
  Conv: (random) => [
    sample(random, [1, 3, 7, 6], [5, 3, 3, 3], {}),
    sample(random, [2, 4, 8, 5], [6, 4, 3, 2], { pads: [1, 0, 1, 1], strides: [2, 1] }),
    sample(random, [1, 4, 9, 9], [4, 2, 3, 3], { group: 2, dilations: [2, 2] }, false),
    sample(random, [1, 6, 9, 10], [6, 1, 3, 3], { group: 6, pads: [1, 1, 1, 1], strides: [2, 2] }),
    sample(random, [1, 2, 5, 5], [4, 1, 3, 3], { group: 2, pads: [1, 1, 1, 1] }),
    sample(random, [2, 12, 5, 6], [12, 3, 3, 3], { group: 4, pads: [1, 1, 1, 1] }),
    sample(random, [1, 8, 11], [12, 2, 3], { group: 4, pads: [1, 1], strides: [2] }),
    sample(random, [1, 3, 5, 7], [9, 3, 1, 1], {}),
    sample(random, [1, 3, 5, 7], [2, 3, 3, 3], { auto_pad: 'SAME_UPPER', strides: [2, 2] }),
    sample(random, [1, 3, 5, 7], [2, 3, 2, 2], { auto_pad: 'SAME_LOWER' }, false),
    sample(random, [1, 3, 5, 7], [2, 3, 2, 2], { auto_pad: 'VALID' }),
    sample(random, [2, 3, 11], [4, 3, 3], { pads: [2, 0] }),
    sample(random, [1, 2, 4, 4, 4], [3, 2, 2, 2, 2], { pads: [0, 0, 0, 1, 1, 1] }),
  ],
} satisfies Record<string, Samples>
