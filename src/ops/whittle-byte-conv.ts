// SPDX-License-Identifier: Apache-2.0
/**
 * whittle.QLinearConv and whittle.ConvInteger: ONNX's operators of these names, channels last. x is NHWC (one spatial
 * axis: H = 1), w is [Cout, kh, kw, Cin / group]; both are int8 or uint8.
 */
import type { Tensor } from '../tensor/tensor.ts'
import { type OpContext, type Reference, type Sample, type Samples, type ValueInfo, defineOps } from './define.ts'
import { integerSums, requantizedSums } from './byte-conv-reference.ts'
import { channelsFirst, channelsLast, channelsLastShape, checkVector, convAttributes, inferConv } from './conv-types.ts'
import { permute } from './convolve.ts'
import { complaint, needed, printDims } from './infer.ts'
import { emitByteConv } from './lower-byte-conv.ts'
import { emitRequantize, isByte, isZeroOf, multipliersOf } from './lower-bytes.ts'
import { tensorOf } from './numeric.ts'
import { floats, integers } from './sample-tensors.ts'

function dimsOf(context: OpContext, x: ValueInfo, w: ValueInfo, bias?: ValueInfo | null): ValueInfo['dims'] {
  if (x.dims === null || w.dims === null) return null
  for (const [name, { dims }] of Object.entries({ x, w })) {
    if (dims!.length !== 4) throw complaint(context, `${name} of rank 4`, printDims(dims))
  }
  const first = channelsFirst(4)
  const [xDims, wDims] = [x.dims, w.dims].map((dims) => first.map((axis) => dims[axis]))
  const { outC, out } = inferConv(context, xDims, wDims)
  checkVector(context, 'B', bias, outC)
  return [x.dims[0], ...out, outC]
}

export const ops = defineOps({
  'whittle.ConvInteger': {
    inputs: [2, 4],
    attributes: convAttributes,
    infer([x, w], context) {
      return [{ dtype: 'int32', dims: dimsOf(context, needed(context, x, 'x'), needed(context, w, 'w')) }]
    },
    lower(lowering, { attributes }) {
      const [x, w, xZero, wZero] = [0, 1, 2, 3].map((i) => lowering.input(i))
      if (!isByte(x) || !isByte(w) || x!.size * w!.size === 0) return false
      const shape = channelsLastShape(x!, w!, attributes)
      return emitByteConv(lowering, { shape, x: x!, xZero, w: 1, wZero, c: lowering.output(0).ref })
    },
  },
  'whittle.QLinearConv': {
    inputs: [8, 9],
    attributes: convAttributes,
    infer([x, , , w, , , , zero, bias], context) {
      const { dtype } = needed(context, zero, 'y_zero_point')
      return [{ dtype, dims: dimsOf(context, needed(context, x, 'x'), needed(context, w, 'w'), bias) }]
    },
    lower(lowering, { attributes }) {
      const [x, xScale, xZero, w, wScale, wZero, yScale, yZero, bias] = Array.from({ length: 9 }, (_, i) =>
        lowering.input(i),
      )
      const y = lowering.output(0)
      if (!isByte(x) || !isByte(w) || x!.size * w!.size === 0 || y.size === 0) return false
      const shape = channelsLastShape(x!, w!, attributes)
      const scale = multipliersOf([xScale!, wScale!, yScale!], shape.outC)
      const isBias = !bias || bias.dtype === 'int32'
      if (scale === undefined || !isByte(y) || !isZeroOf(y.dtype, yZero) || !isBias) return false
      const c = lowering.scratch(y.size * 4)
      if (!emitByteConv(lowering, { shape, x: x!, xZero, w: 3, wZero, c })) return false
      emitRequantize(lowering, [c, y], y.size / shape.outC, shape.outC, scale, yZero, bias)
      return true
    },
  },
})

const first = (tensor: Tensor): Tensor => {
  const { data, dims } = permute({ data: tensor.data as Int8Array, dims: tensor.dims }, channelsFirst(4))
  return tensorOf(tensor.type, data, dims)
}
const last = (tensor: Tensor): Tensor => {
  const { data, dims } = permute({ data: tensor.data as Int8Array, dims: tensor.dims }, channelsLast(4))
  return tensorOf(tensor.type, data, dims)
}

export const references = {
  'whittle.ConvInteger': ([x, w, xZero, wZero], attributes) => {
    const { data, dims } = integerSums(first(x!), xZero, first(w!), wZero, attributes)
    return [last(tensorOf('int32', data, dims))]
  },
  'whittle.QLinearConv': ([x, xScale, xZero, w, wScale, wZero, yScale, yZero, bias], attributes) => {
    const sums = integerSums(first(x!), xZero, first(w!), wZero, attributes)
    return [last(requantizedSums(sums, [xScale!, wScale!, yScale!], yZero!, bias))]
  },
} satisfies Record<string, Reference>

type Byte = 'int8' | 'uint8'

/** x, w and y types; zero points of w or not; whether scales of w are one a channel. */
const variants: readonly (readonly [Byte, Byte, Byte, boolean, boolean])[] = [
  ['uint8', 'int8', 'uint8', false, true],
  ['int8', 'int8', 'int8', false, false],
  ['uint8', 'uint8', 'uint8', true, false],
  ['int8', 'uint8', 'uint8', true, true],
]

const shapes: readonly (readonly [x: number[], w: number[], attributes: Record<string, number | number[]>])[] = [
  [[1, 6, 7, 8], [5, 3, 3, 8], { pads: [1, 1, 1, 1] }],
  [[2, 5, 4, 3], [9, 1, 1, 3], {}],
  [[1, 9, 8, 6], [6, 3, 3, 1], { group: 6, pads: [1, 0, 1, 1], strides: [2, 1] }],
  [[1, 6, 7, 3], [6, 3, 3, 1], { group: 3, pads: [1, 0, 1, 1], strides: [1, 2] }],
  [[2, 5, 7, 8], [8, 3, 3, 2], { group: 4, pads: [1, 1, 1, 1] }],
  [[1, 7, 7, 4], [6, 2, 3, 2], { group: 2, dilations: [2, 1], pads: [0, 1, 1, 0] }],
]

function cases(random: () => number, quantised: boolean): Sample[] {
  return shapes.flatMap(([xDims, wDims, attributes]) =>
    variants.map(([x, w, y, asymmetric, perChannel]) => {
      const range = (type: Byte): readonly [number, number, Byte] =>
        type === 'int8' ? [-128, 127, type] : [0, 255, type]
      const channels = perChannel ? [wDims[0]] : []
      const zeroOf = (type: Byte, dims: number[] = []) =>
        type === 'int8' ? integers(random, dims, -20, 20, type) : integers(random, dims, 100, 150, type)
      const wZero = asymmetric ? zeroOf(w, channels) : integers(random, channels, 0, 0, w)
      const [image, kernel] = [integers(random, xDims, ...range(x)), integers(random, wDims, ...range(w))]
      if (!quantised) return { inputs: [image, kernel, zeroOf(x), wZero], attributes }
      const scales = [
        floats(random, [], 0.01, 0.02),
        floats(random, channels, 0.01, 0.02),
        floats(random, [], 0.05, 0.1),
      ]
      const bias = perChannel ? integers(random, [wDims[0]], -500, 500) : null
      const inputs = [image, scales[0], zeroOf(x), kernel, scales[1], wZero, scales[2], zeroOf(y), bias]
      return { inputs, attributes }
    }),
  )
}

export const samples = {
  'whittle.ConvInteger': (random) => cases(random, false),
  'whittle.QLinearConv': (random) => cases(random, true),
} satisfies Record<string, Samples>
