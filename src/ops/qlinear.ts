// SPDX-License-Identifier: Apache-2.0
/**
 * ONNX Runtime's operators on quantised tensors (domain com.microsoft): real values (q - zero) * scale go through the
 * operator, and the result is quantised again, ties to even, saturating. A zero point left out is 0.
 * https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 */
import { normalizeAxis, sizeOf } from '../tensor/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import { mapBroadcast } from './broadcast.ts'
import { type OpDef, type Random, type Reference, type Sample, type Samples, type ValueInfo } from './define.ts'
import { channelsFirst, channelsLast } from './conv-types.ts'
import { permute } from './convolve.ts'
import { axisOf, broadcastOf, complaint, needed, printDims } from './infer.ts'
import {
  lowerQuantisedBinary,
  lowerQuantisedConcat,
  lowerQuantisedPool,
  lowerQuantisedSoftmax,
  lowerQuantisedUnary,
} from './lower-qlinear.ts'
import type { BinaryKernel } from './lower-elementwise.ts'
import { quantised, real } from './qlinear-values.ts'
import { averagePool } from './pool-reference.ts'
import { integers } from './sample-tensors.ts'
import { knownWindow, windowAttributes, windowOf } from './window.ts'

/** Result within one step of the quantised type: rounding of nearly halfway values is not promised. */
const numerics = 'exact' as const

const sameType = (position: number, name: string): OpDef['infer'] => {
  return (inputs, context) => {
    const { dtype, dims } = needed(context, inputs[position], name)
    return [{ dtype, dims }]
  }
}

function binary(kernel: BinaryKernel): OpDef {
  return {
    inputs: [7, 8],
    numerics,
    infer(inputs, context) {
      const [a, b] = [needed(context, inputs[0], 'A'), needed(context, inputs[3], 'B')]
      return [{ dtype: a.dtype, dims: broadcastOf(context, [a, b]) }]
    },
    lower: (lowering) => lowerQuantisedBinary(lowering, kernel),
  }
}

function inferPool(inputs: readonly (ValueInfo | null)[], context: Parameters<OpDef['infer']>[1]): ValueInfo[] {
  const { dtype, dims } = needed(context, inputs[0], 'X')
  if (dims === null) return [{ dtype, dims }]
  if (dims.length < 3) throw complaint(context, 'X of rank >= 3', printDims(dims))
  const isLast = context.attributes.channels_last === 1
  const spatial = isLast ? dims.slice(1, -1) : dims.slice(2)
  const kernel = context.attributes.kernel_shape as number[] | undefined
  const out = kernel ? windowOf(spatial, kernel, context.attributes).out : spatial.map(() => 1)
  return [{ dtype, dims: isLast ? [dims[0], ...out, dims[dims.length - 1]] : [dims[0], dims[1], ...out] }]
}

const leakyRelu = (x: number, alpha: number): number => (x >= 0 ? x : alpha * x)
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x))

const lastFlag = { kind: 'int', default: 0 } as const

export const ops: Readonly<Record<string, OpDef>> = {
  'com.microsoft.QLinearAdd': binary('binary_add_f32'),
  'com.microsoft.QLinearAveragePool': {
    inputs: [4, 5],
    attributes: {
      ...windowAttributes,
      kernel_shape: { kind: 'ints', required: true },
      ceil_mode: lastFlag,
      channels_last: lastFlag,
      count_include_pad: lastFlag,
    },
    numerics,
    infer: inferPool,
    lower: (lowering, { attributes }) => lowerQuantisedPool(lowering, attributes, false),
  },
  'com.microsoft.QLinearConcat': {
    // scale, zero point, then triples
    inputs: [3, 2147483647],
    attributes: { axis: { kind: 'int', required: true } },
    numerics,
    infer(inputs, context) {
      if (inputs.length % 3 !== 2)
        throw complaint(context, 'a scale, a zero point and triples', `${inputs.length} inputs`)
      const parts = inputs.slice(2).filter((_, i) => i % 3 === 0)
      const infos = parts.map((info, i) => needed(context, info, `input ${i}`))
      const { dtype } = needed(context, inputs[1], 'Y_zero_point')
      const [first] = infos
      if (infos.some(({ dims }) => dims === null || dims.some((d) => typeof d !== 'number')))
        return [{ dtype, dims: null }]
      const axis = axisOf(context, context.attributes.axis as number, first.dims!.length)
      for (const { dims } of infos) {
        const isLike = dims!.length === first.dims!.length && dims!.every((d, k) => k === axis || d === first.dims![k])
        if (!isLike) throw complaint(context, `inputs like ${printDims(first.dims)} off the axis`, printDims(dims))
      }
      const total = infos.reduce((sum, { dims }) => sum + (dims![axis] as number), 0)
      return [{ dtype, dims: first.dims!.map((d, k) => (k === axis ? total : d)) }]
    },
    lower: (lowering, { node, attributes }) => lowerQuantisedConcat(lowering, attributes, (node.inputs.length - 2) / 3),
  },
  'com.microsoft.QLinearGlobalAveragePool': {
    inputs: [4, 5],
    attributes: { channels_last: lastFlag },
    numerics,
    infer: inferPool,
    lower: (lowering, { attributes }) => lowerQuantisedPool(lowering, attributes, true),
  },
  'com.microsoft.QLinearLeakyRelu': {
    inputs: [4, 5],
    attributes: { alpha: { kind: 'float', default: 0.01 } },
    numerics,
    infer: sameType(0, 'X'),
    lower: (lowering, { attributes }) =>
      lowerQuantisedUnary(lowering, (x) => leakyRelu(x, Math.fround(attributes.alpha as number))),
  },
  'com.microsoft.QLinearMul': binary('binary_mul_f32'),
  'com.microsoft.QLinearSigmoid': {
    inputs: [4, 5],
    numerics,
    infer: sameType(0, 'X'),
    lower: (lowering) => lowerQuantisedUnary(lowering, sigmoid),
  },
  'com.microsoft.QLinearSoftmax': {
    inputs: [5, 5],
    attributes: { axis: { kind: 'int', default: -1 }, opset: { kind: 'int', required: true } },
    numerics,
    infer: sameType(0, 'X'),
    lower: (lowering, { attributes }) => lowerQuantisedSoftmax(lowering, attributes),
  },
}

function binaryReference(f: (a: number, b: number) => number): Reference {
  return ([a, aScale, aZero, b, bScale, bZero, cScale, cZero]) => {
    const sides = [real(a!, aScale, aZero), real(b!, bScale, bZero)].map(({ data, dims }) => ({ values: data, dims }))
    const { values, dims } = mapBroadcast<number, number>(sides, f)
    return [quantised(a!.type, values, dims, cScale, cZero)]
  }
}

function unaryReference(f: (x: number, alpha: number) => number): Reference {
  return ([x, xScale, xZero, yScale, yZero], { alpha }) => {
    const { data, dims } = real(x!, xScale, xZero)
    const values = Array.from(data, (v) => f(v, Math.fround((alpha as number | undefined) ?? 0)))
    return [quantised(x!.type, values, dims, yScale, yZero)]
  }
}

/** Pools channels first, whatever the tensor's order. */
function poolReference(isGlobal: boolean): Reference {
  return ([x, xScale, xZero, yScale, yZero], attributes) => {
    const given = real(x!, xScale, xZero)
    const isLast = attributes.channels_last === 1
    const image = isLast ? permute(given, channelsFirst(given.dims.length)) : given
    const spatial = image.dims.slice(2)
    const kernel = isGlobal ? spatial : (attributes.kernel_shape as number[])
    const window = knownWindow(spatial, kernel, isGlobal ? {} : attributes)
    const pooled = {
      data: averagePool(image, window, attributes.count_include_pad === 1),
      dims: [...image.dims.slice(0, 2), ...window.out],
    }
    const { data, dims } = isLast ? permute(pooled, channelsLast(pooled.dims.length)) : pooled
    return [quantised(x!.type, data, dims, yScale, yZero)]
  }
}

/** Softmax of runs; before opset 13 the axes from `axis` on are one run. */
function softmaxReference(): Reference {
  return ([x, xScale, xZero, yScale, yZero], attributes) => {
    const { data, dims } = real(x!, xScale, xZero)
    const axis = normalizeAxis(attributes.axis as number, dims.length)
    const isFlat = (attributes.opset as number) < 13
    const cols = isFlat ? sizeOf(dims.slice(axis)) : dims[axis]
    const inner = isFlat ? 1 : sizeOf(dims.slice(axis + 1))
    const result = new Float64Array(data.length)
    for (let start = 0; start < data.length; start++) {
      if (Math.floor(start / inner) % cols !== 0) continue
      const places = Array.from({ length: cols }, (_, j) => start + j * inner)
      const most = places.reduce((a, at) => Math.max(a, data[at]), -Infinity)
      const total = places.reduce((sum, at) => sum + Math.exp(data[at] - most), 0)
      for (const at of places) result[at] = Math.exp(data[at] - most) / total
    }
    return [quantised(x!.type, result, dims, yScale, yZero)]
  }
}

export const references = {
  'com.microsoft.QLinearAdd': binaryReference((a, b) => a + b),
  'com.microsoft.QLinearAveragePool': poolReference(false),
  'com.microsoft.QLinearConcat': ([yScale, yZero, ...rest], attributes) => {
    const parts = Array.from({ length: rest.length / 3 }, (_, i) =>
      real(rest[3 * i]!, rest[3 * i + 1], rest[3 * i + 2]),
    )
    const axis = normalizeAxis(attributes.axis as number, parts[0].dims.length)
    const outer = sizeOf(parts[0].dims.slice(0, axis))
    const values: number[] = []
    for (let o = 0; o < outer; o++) {
      for (const { data } of parts) {
        const run = data.length / outer
        for (let i = 0; i < run; i++) values.push(data[o * run + i])
      }
    }
    const total = parts.reduce((sum, { dims }) => sum + dims[axis], 0)
    const dims = parts[0].dims.map((d, k) => (k === axis ? total : d))
    return [quantised(yZero!.type, values, dims, yScale, yZero)]
  },
  'com.microsoft.QLinearGlobalAveragePool': poolReference(true),
  'com.microsoft.QLinearLeakyRelu': unaryReference(leakyRelu),
  'com.microsoft.QLinearMul': binaryReference((a, b) => a * b),
  'com.microsoft.QLinearSigmoid': unaryReference(sigmoid),
  'com.microsoft.QLinearSoftmax': softmaxReference(),
} satisfies Record<string, Reference>

const scale = (value: number): Tensor => new Tensor('float32', [value], [])
const zero = (value: number): Tensor => new Tensor('uint8', [value], [])
const bytes = (random: Random, ...dims: number[]): Tensor => integers(random, dims, 0, 255, 'uint8')

const binarySamples: Samples = (random): Sample[] => [
  {
    inputs: [
      bytes(random, 2, 3, 4),
      scale(0.031),
      zero(120),
      bytes(random, 3, 1),
      scale(0.017),
      zero(3),
      scale(0.07),
      zero(128),
    ],
  },
  {
    inputs: [
      integers(random, [3, 1700], -128, 127, 'int8'),
      scale(0.031),
      integers(random, [], -9, 9, 'int8'),
      integers(random, [3, 1700], -128, 127, 'int8'),
      scale(0.017),
      integers(random, [], -9, 9, 'int8'),
      scale(0.07),
      integers(random, [], -9, 9, 'int8'),
    ],
  },
]

const unarySamples = (attributes: Sample['attributes'], ...dims: number[]): Samples => {
  return (random): Sample[] => [
    { inputs: [bytes(random, ...dims), scale(0.043), zero(117), scale(0.0041), zero(9)], attributes },
  ]
}

export const samples = {
  'com.microsoft.QLinearAdd': binarySamples,
  'com.microsoft.QLinearAveragePool': (random) => [
    ...unarySamples({ kernel_shape: [2, 3], pads: [1, 1, 0, 0], strides: [2, 1] }, 2, 3, 5, 6)(random),
    ...unarySamples({ kernel_shape: [2, 2], channels_last: 1 }, 1, 4, 4, 3)(random),
  ],
  'com.microsoft.QLinearConcat': (random): Sample[] => [
    {
      inputs: [
        scale(0.05),
        zero(100),
        bytes(random, 2, 3),
        scale(0.031),
        zero(7),
        bytes(random, 2, 2),
        scale(0.07),
        zero(200),
      ],
      attributes: { axis: 1 },
    },
  ],
  'com.microsoft.QLinearGlobalAveragePool': (random) => [
    ...unarySamples({}, 2, 3, 5, 6)(random),
    ...unarySamples({ channels_last: 1 }, 1, 4, 4, 3)(random),
  ],
  'com.microsoft.QLinearLeakyRelu': unarySamples({ alpha: 0.1 }, 2, 30),
  'com.microsoft.QLinearMul': binarySamples,
  'com.microsoft.QLinearSigmoid': unarySamples({}, 2, 30),
  'com.microsoft.QLinearSoftmax': (random) => [
    ...unarySamples({ axis: -1, opset: 13 }, 3, 10)(random),
    ...unarySamples({ axis: 1, opset: 12 }, 3, 4, 5)(random),
  ],
} satisfies Record<string, Samples>
