// SPDX-License-Identifier: Apache-2.0
/**
 * ConvTranspose: the transpose of Conv, channels first, any number of spatial axes. Weights are [C, M / group, …kernel].
 * Each input pixel adds a scaled kernel to the output, `stride` apart; pads cut the rim off.
 *
 * Its steps are a convolution for all places of a stride at once (lower-transposed.ts), one or two spatial axes.
 * https://onnx.ai/onnx/operators/onnx__ConvTranspose.html
 */
import { GraphError } from '../base/errors.ts'
import { type Dim, add, ceilDiv, floorDiv, max, mul, sub } from '../ir/dim.ts'
import { type Attributes, type Random, type Reference, type Sample, type Samples, defineOps } from './define.ts'
import { asPlane } from './channels-first.ts'
import { checkVector, convAttributes, mayEqual } from './conv-types.ts'
import { convolveTransposed } from './convolve.ts'
import { complaint, needed, printDims } from './infer.ts'
import { isFloat32 } from './lower-elementwise.ts'
import { lowerTransposed } from './lower-transposed.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { floats } from './sample-tensors.ts'
import { type Window, axisValues, extentOfKernel } from './window.ts'

/**
 * The window that slides over the *result*, one position per input pixel; `spatial` are the result's dims.
 * @throws GraphError for attributes of the wrong length or an unknown auto_pad
 */
function transposedWindow(
  input: readonly Dim[],
  kernel: readonly Dim[],
  attributes: Attributes,
): { window: Window; spatial: readonly Dim[] } {
  const rank = input.length
  const strides = axisValues(attributes, 'strides', rank, 1, 1)
  const dilations = axisValues(attributes, 'dilations', rank, 1, 1)
  const outputPadding = axisValues(attributes, 'output_padding', rank, 0, 0)
  const pads = axisValues(attributes, 'pads', 2 * rank, 0, Number.NEGATIVE_INFINITY)
  const auto = (attributes.auto_pad ?? 'NOTSET') as string
  if (!['NOTSET', 'VALID', 'SAME_UPPER', 'SAME_LOWER'].includes(auto)) {
    throw new GraphError({ where: 'auto_pad', expected: 'NOTSET, VALID, SAME_UPPER or SAME_LOWER', got: auto })
  }
  const shape = attributes.output_shape as readonly number[] | undefined
  // some models give the whole shape, images and channels too
  const wanted =
    shape && shape.length > 0
      ? shape.slice(-rank)
      : auto.startsWith('SAME')
        ? input.map((d, i) => mul(d, strides[i]))
        : null
  const full = input.map((d, i) =>
    add(add(mul(sub(d, 1), strides[i]), extentOfKernel(kernel[i], dilations[i])), outputPadding[i]),
  )
  const total = full.map((d, i) => (wanted === null ? 0 : max(0, sub(d, wanted[i]))))
  const halves = total.map((d): readonly [Dim, Dim] =>
    auto === 'SAME_UPPER' ? [floorDiv(d, 2), ceilDiv(d, 2)] : [ceilDiv(d, 2), floorDiv(d, 2)],
  )
  const explicit = auto === 'NOTSET' && wanted === null
  const begin = halves.map(([front], i) => (explicit ? pads[i] : front))
  const end = halves.map(([, back], i) => (explicit ? pads[rank + i] : back))
  const spatial = wanted ?? full.map((d, i) => sub(d, add(begin[i], end[i])))
  return { window: { kernel, strides, dilations, begin, end, out: input }, spatial }
}

export const ops = defineOps({
  ConvTranspose: {
    inputs: [2, 3],
    attributes: { ...convAttributes, output_padding: { kind: 'ints' }, output_shape: { kind: 'ints' } },
    numerics: { relative: 1e-5, absolute: 1e-5 },
    infer([xInfo, wInfo, bias], context) {
      const x = needed(context, xInfo, 'X')
      const w = needed(context, wInfo, 'W')
      if (x.dims === null || w.dims === null) return [{ dtype: x.dtype, dims: null }]
      if (x.dims.length !== w.dims.length || x.dims.length < 3) {
        throw complaint(context, 'X and W of one rank >= 3', `${printDims(x.dims)} and ${printDims(w.dims)}`)
      }
      if (!mayEqual(x.dims[1], w.dims[0]))
        throw complaint(context, `X with ${printDims([w.dims[0]])} channels`, printDims(x.dims))
      const outC = mul(w.dims[1], context.attributes.group as number)
      checkVector(context, 'B', bias, outC)
      const { spatial } = transposedWindow(x.dims.slice(2), w.dims.slice(2), context.attributes)
      return [{ dtype: x.dtype, dims: [x.dims[0], outC, ...spatial] }]
    },
    lower(lowering, { attributes }) {
      const [x, w] = [lowering.input(0)!, lowering.input(1)!]
      if (!isFloat32(x, w, lowering.input(2)) || x.dims.length > 4 || x.size === 0 || w.size === 0) return false
      const { window, spatial } = transposedWindow(x.dims.slice(2), w.dims.slice(2), attributes)
      if (lowering.output(0).size === 0) return false
      const out = spatial as readonly number[]
      const plane = asPlane(window as Window<number>)
      lowerTransposed(lowering, attributes.group as number, plane, out.length === 1 ? [1, ...out] : out)
      return true
    },
  },
})

export const references = {
  ConvTranspose([x, w, bias], attributes) {
    const { window, spatial } = transposedWindow(x!.dims.slice(2), w!.dims.slice(2), attributes)
    const { data, dims } = convolveTransposed(
      { data: numbersOf(x!), dims: x!.dims },
      { data: numbersOf(w!), dims: w!.dims },
      attributes.group as number,
      window as Window<number>,
      spatial as readonly number[],
    )
    if (bias) {
      const b = numbersOf(bias)
      const pixels = (spatial as readonly number[]).reduce((size, d) => size * d, 1)
      for (let i = 0; i < data.length; i++) data[i] += b[Math.floor(i / pixels) % b.length]
    }
    return [tensorOf(x!.type, data, dims)]
  },
} satisfies Record<string, Reference>

function sample(random: Random, x: number[], w: number[], attributes: Attributes, bias = true): Sample {
  const channels = w[1] * ((attributes.group as number | undefined) ?? 1)
  return { inputs: [floats(random, x), floats(random, w), bias ? floats(random, [channels]) : null], attributes }
}

export const samples = {
  ConvTranspose: (random) => [
    sample(random, [1, 2, 3, 4], [2, 3, 3, 3], {}),
    sample(random, [2, 3, 4, 3], [3, 5, 2, 3], { strides: [2, 3], pads: [0, 1, 1, 0] }),
    sample(random, [1, 2, 4, 4], [2, 3, 3, 3], { strides: [2, 2], output_padding: [1, 1], dilations: [2, 1] }, false),
    sample(random, [1, 4, 3, 3], [4, 2, 2, 2], { group: 2, strides: [2, 2] }),
    sample(random, [1, 2, 3, 3], [2, 3, 3, 3], { strides: [2, 2], auto_pad: 'SAME_UPPER' }),
    sample(random, [1, 2, 3, 3], [2, 3, 3, 3], { strides: [3, 2], output_shape: [8, 7] }),
    sample(random, [1, 2, 7], [2, 3, 4], { strides: [2] }),
    sample(random, [1, 1, 3, 3], [1, 1, 2, 2], {}),
    sample(random, [2, 6, 3, 4], [6, 1, 3, 3], { group: 6, pads: [1, 1, 1, 1] }),
    sample(random, [1, 4, 3, 4], [4, 1, 4, 4], { group: 4, strides: [2, 2], pads: [1, 1, 1, 1] }),
    sample(random, [2, 6, 3, 2], [6, 2, 3, 5], { group: 3, strides: [2, 3], pads: [1, 0, 2, 1], dilations: [2, 1] }),
    sample(random, [1, 5, 4, 3], [5, 3, 1, 2], { strides: [3, 4], output_padding: [2, 1] }),
    sample(random, [1, 8, 4, 6], [8, 5, 2, 2], { strides: [2, 2] }),
    sample(random, [1, 3, 6], [3, 1, 5], { strides: [3], pads: [4, 2] }),
    sample(random, [1, 2, 4, 4], [2, 2, 3, 3], { strides: [2, 2], auto_pad: 'SAME_LOWER' }, false),
  ],
} satisfies Record<string, Samples>
