// SPDX-License-Identifier: Apache-2.0
/**
 * whittle.MaxPool and whittle.AveragePool: ONNX's pools with x as NHWC (one spatial axis: H = 1). Attributes and rules
 * are those of the ONNX operators.
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
import { channelsFirst, channelsLast } from './conv-types.ts'
import { permute } from './convolve.ts'
import { complaint, needed, printDims } from './infer.ts'
import { isFloat32 } from './lower-elementwise.ts'
import { emitPool } from './lower-pool.ts'
import type { Lowering } from './lower.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { averagePool, maxPool } from './pool-reference.ts'
import { floats } from './sample-tensors.ts'
import { type Window, knownWindow, windowAttributes, windowOf } from './window.ts'

const kernelAttributes = {
  ...windowAttributes,
  kernel_shape: { kind: 'ints', required: true },
  ceil_mode: { kind: 'int', default: 0 },
} as const

function inferPool(context: OpContext, info: ValueInfo | null): ValueInfo[] {
  const x = needed(context, info, 'x')
  if (x.dims === null) return [{ dtype: x.dtype, dims: null }]
  if (x.dims.length !== 4) throw complaint(context, 'x of dims [N, H, W, C]', printDims(x.dims))
  const [images, height, width, channels] = x.dims
  const { out } = windowOf([height, width], context.attributes.kernel_shape as number[], context.attributes)
  return [{ dtype: x.dtype, dims: [images, ...out, channels] }]
}

function lowerPool(lowering: Lowering, attributes: Attributes, kind: 'max' | 'average'): boolean {
  const x = lowering.input(0)!
  if (!isFloat32(x) || x.size === 0) return false
  const [images, inH, inW, channels] = x.dims
  const window = knownWindow([inH, inW], attributes.kernel_shape as number[], attributes)
  const shape = { images, channels, inH, inW, window, includePad: attributes.count_include_pad === 1 }
  emitPool(lowering, { kind, x: x.ref, y: lowering.output(0).ref, ...shape })
  return true
}

export const ops = defineOps({
  'whittle.AveragePool': {
    inputs: [1, 1],
    attributes: { ...kernelAttributes, count_include_pad: { kind: 'int', default: 0 } },
    numerics: { relative: 1e-6, absolute: 1e-6 },
    infer: ([x], context) => inferPool(context, x),
    lower: (lowering, { attributes }) => lowerPool(lowering, attributes, 'average'),
  },
  'whittle.MaxPool': {
    inputs: [1, 1],
    attributes: kernelAttributes,
    infer: ([x], context) => inferPool(context, x),
    lower: (lowering, { attributes }) => lowerPool(lowering, attributes, 'max'),
  },
})

type Pool = (image: ReturnType<typeof permute>, window: Window<number>, attributes: Attributes) => Float64Array

/** The channels-first pool between two transposes. */
function reference(pool: Pool): Reference {
  return ([x], attributes) => {
    const image = permute({ data: numbersOf(x!), dims: x!.dims }, channelsFirst(4))
    const window = knownWindow(image.dims.slice(2), attributes.kernel_shape as number[], attributes)
    const pooled = { data: pool(image, window, attributes), dims: [...image.dims.slice(0, 2), ...window.out] }
    const { data, dims } = permute(pooled, channelsLast(4))
    return [tensorOf(x!.type, data, dims)]
  }
}

export const references = {
  'whittle.AveragePool': reference((image, window, { count_include_pad }) =>
    averagePool(image, window, count_include_pad === 1),
  ),
  'whittle.MaxPool': reference((image, window) => maxPool(image, window, false).values),
} satisfies Record<string, Reference>

/** Input dims and attributes both pools are tried with. */
const cases: readonly (readonly [number[], Attributes])[] = [
  [[1, 8, 9, 3], { kernel_shape: [2, 2], strides: [2, 2] }],
  [[2, 7, 6, 5], { kernel_shape: [3, 2], pads: [1, 0, 1, 1] }],
  [[1, 7, 7, 20], { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 }],
  [[1, 5, 6, 4], { kernel_shape: [3, 3], strides: [2, 2], auto_pad: 'SAME_UPPER' }],
  [[1, 1, 10, 3], { kernel_shape: [1, 3], strides: [1, 2], pads: [0, 1, 0, 1] }],
]

const plain: Samples = (random) =>
  cases.map(([dims, attributes]): Sample => ({ inputs: [floats(random, dims)], attributes }))

export const samples = {
  'whittle.AveragePool': (random) => [
    ...plain(random),
    ...plain(random).map((c) => ({ ...c, attributes: { ...c.attributes, count_include_pad: 1 } })),
  ],
  'whittle.MaxPool': plain,
} satisfies Record<string, Samples>
