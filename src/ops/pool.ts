// SPDX-License-Identifier: Apache-2.0
/**
 * MaxPool, AveragePool, LpPool: a window slides over each channel, channels first, any number of spatial axes. Kernels
 * are channels last, so MaxPool and AveragePool over one and two axes run between transposes; the channels-last pass
 * spares them. Padding never wins a maximum; in an average it counts as 0 with count_include_pad, else not at all.
 * https://onnx.ai/onnx/operators/onnx__MaxPool.html and its siblings
 */
import {
  type Attributes,
  type OpContext,
  type Reference,
  type Sample,
  type Samples,
  type ValueInfo,
  defineOps,
} from './define.ts'
import { asPlane, fromChannelsLast, toChannelsLast } from './channels-first.ts'
import { complaint, needed, printDims } from './infer.ts'
import { isFloat32 } from './lower-elementwise.ts'
import { emitPool } from './lower-pool.ts'
import type { Lowering } from './lower.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { averagePool, lpPool, maxPool } from './pool-reference.ts'
import { floats, integers } from './sample-tensors.ts'
import { knownWindow, windowAttributes, windowOf } from './window.ts'

const kernelAttributes = {
  ...windowAttributes,
  kernel_shape: { kind: 'ints', required: true },
  ceil_mode: { kind: 'int', default: 0 },
} as const

function inferPool(context: OpContext, info: ValueInfo | null): ValueInfo[] {
  const x = needed(context, info, 'X')
  if (x.dims === null) return [{ dtype: x.dtype, dims: null }]
  if (x.dims.length < 3) throw complaint(context, 'X of rank >= 3', printDims(x.dims))
  const { out } = windowOf(x.dims.slice(2), context.attributes.kernel_shape as number[], context.attributes)
  return [{ dtype: x.dtype, dims: [...x.dims.slice(0, 2), ...out] }]
}

function lowerPool(lowering: Lowering, attributes: Attributes, kind: 'max' | 'average'): boolean {
  const x = lowering.input(0)!
  if (!isFloat32(x) || x.dims.length > 4 || x.size === 0 || lowering.outputs > 1) return false
  const [images, channels, ...spatial] = x.dims
  const window = asPlane(knownWindow(spatial, attributes.kernel_shape as number[], attributes))
  const [inH, inW] = spatial.length === 1 ? [1, spatial[0]] : spatial
  const image = toChannelsLast(lowering, x.ref, { images, channels, pixels: inH * inW })
  const out = { images, channels, pixels: window.out[0] * window.out[1] }
  fromChannelsLast(lowering, lowering.output(0).ref, out, (y) =>
    emitPool(lowering, {
      kind,
      x: image,
      y,
      images,
      channels,
      inH,
      inW,
      window,
      includePad: attributes.count_include_pad === 1,
    }),
  )
  return true
}

export const ops = defineOps({
  AveragePool: {
    inputs: [1, 1],
    attributes: { ...kernelAttributes, count_include_pad: { kind: 'int', default: 0 } },
    numerics: { relative: 1e-6, absolute: 1e-6 },
    infer: ([x], context) => inferPool(context, x),
    lower: (lowering, { attributes }) => lowerPool(lowering, attributes, 'average'),
  },
  LpPool: {
    inputs: [1, 1],
    attributes: { ...kernelAttributes, p: { kind: 'int', default: 2 } },
    numerics: { relative: 1e-6, absolute: 1e-6 },
    infer: ([x], context) => inferPool(context, x),
  },
  MaxPool: {
    inputs: [1, 1],
    outputs: [1, 2],
    attributes: { ...kernelAttributes, storage_order: { kind: 'int', default: 0 } },
    infer([x], context) {
      const [y] = inferPool(context, x)
      return [y, { dtype: 'int64', dims: y.dims }]
    },
    lower: (lowering, { attributes }) => lowerPool(lowering, attributes, 'max'),
  },
})

/** The input channels first, and the window over it. */
function imageOf(x: Parameters<Reference>[0][0], attributes: Attributes) {
  const window = knownWindow(x!.dims.slice(2), attributes.kernel_shape as number[], attributes)
  return { image: { data: numbersOf(x!), dims: x!.dims }, window, dims: [...x!.dims.slice(0, 2), ...window.out] }
}

export const references = {
  AveragePool([x], attributes) {
    const { image, window, dims } = imageOf(x, attributes)
    return [tensorOf(x!.type, averagePool(image, window, attributes.count_include_pad === 1), dims)]
  },
  LpPool([x], attributes) {
    const { image, window, dims } = imageOf(x, attributes)
    return [tensorOf(x!.type, lpPool(image, window, attributes.p as number), dims)]
  },
  MaxPool([x], attributes, context) {
    const { image, window, dims } = imageOf(x, attributes)
    const { values, indices } = maxPool(image, window, attributes.storage_order === 1)
    const y = tensorOf(x!.type, values, dims)
    return context.outputs > 1 ? [y, tensorOf('int64', indices, dims)] : [y]
  },
} satisfies Record<string, Reference>

/** Attributes that every pool is tried with, and the input's dims. */
const cases: readonly (readonly [number[], Attributes])[] = [
  [[1, 3, 8, 9], { kernel_shape: [2, 2], strides: [2, 2] }],
  [[2, 5, 7, 6], { kernel_shape: [3, 2], pads: [1, 0, 1, 1] }],
  [[1, 2, 7, 7], { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 }],
  [[1, 1, 6, 6], { kernel_shape: [2, 2], dilations: [2, 2] }],
  [[1, 4, 5, 6], { kernel_shape: [3, 3], strides: [2, 2], auto_pad: 'SAME_UPPER' }],
  [[1, 2, 5, 6], { kernel_shape: [2, 2], auto_pad: 'SAME_LOWER' }],
  [[1, 3, 10], { kernel_shape: [3], strides: [2], pads: [1, 1] }],
  [[1, 2, 4, 4, 5], { kernel_shape: [2, 2, 3] }],
]

const plain: Samples = (random) =>
  cases.map(([dims, attributes]): Sample => ({ inputs: [floats(random, dims)], attributes }))

export const samples = {
  AveragePool: (random) => [
    ...plain(random),
    ...plain(random).map((c) => ({ ...c, attributes: { ...c.attributes, count_include_pad: 1 } })),
  ],
  LpPool: (random) => [
    ...plain(random),
    { inputs: [floats(random, [1, 2, 4, 4])], attributes: { kernel_shape: [2, 2], p: 3 } },
  ],
  MaxPool: (random) => [
    ...plain(random),
    ...plain(random).map((c) => ({ ...c, outputs: 2 })),
    { inputs: [floats(random, [2, 2, 4, 5])], attributes: { kernel_shape: [2, 2], storage_order: 1 }, outputs: 2 },
    { inputs: [integers(random, [1, 2, 4, 5], 0, 255, 'uint8')], attributes: { kernel_shape: [2, 2] } },
  ],
} satisfies Record<string, Samples>
