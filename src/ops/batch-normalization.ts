// SPDX-License-Identifier: Apache-2.0
/**
 * BatchNormalization: y = (x - mean) / sqrt(variance + epsilon) * scale + B per channel (axis 1). In training mode mean
 * and variance are the batch's own and the running ones come out too. Usually a pass has folded it into a convolution;
 * where not, its steps make a factor and a shift per channel and apply them.
 * https://onnx.ai/onnx/operators/onnx__BatchNormalization.html
 */
import { sizeOf } from '../tensor/shape.ts'
import { type Attributes, type Reference, type Samples, defineOps } from './define.ts'
import { checkVector } from './conv-types.ts'
import { complaint, needed, printDims } from './infer.ts'
import { emitChannelAffine } from './lower-affine.ts'
import { emitBinary, emitUnary, isFloat32 } from './lower-elementwise.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { floats } from './sample-tensors.ts'

const parameterNames = ['scale', 'B', 'input_mean', 'input_var'] as const

export const ops = defineOps({
  BatchNormalization: {
    inputs: [5, 5],
    outputs: [1, 5],
    attributes: {
      epsilon: { kind: 'float', default: 1e-5 },
      momentum: { kind: 'float', default: 0.9 },
      training_mode: { kind: 'int', default: 0 },
    },
    numerics: { relative: 1e-5, absolute: 1e-5 },
    infer([xInfo, ...vectors], context) {
      const x = needed(context, xInfo, 'X')
      const [scale, , mean, variance] = parameterNames.map((name, i) => needed(context, vectors[i], name))
      if (x.dims !== null) {
        if (x.dims.length < 1) throw complaint(context, 'X of rank >= 1', printDims(x.dims))
        const channels = x.dims[1] ?? 1
        parameterNames.forEach((name, i) => checkVector(context, name, vectors[i], channels))
      }
      const running = [mean, variance].map(({ dtype, dims }) => ({ dtype, dims: dims ?? scale.dims }))
      return [{ dtype: x.dtype, dims: x.dims }, ...running, ...running]
    },
    lower(lowering, { attributes }) {
      const [x, scale, bias, mean, variance] = [0, 1, 2, 3, 4].map((i) => lowering.input(i)!)
      const usable = isFloat32(x, scale, bias, mean, variance) && lowering.outputs === 1
      if (!usable || attributes.training_mode === 1 || x.dims.length < 2) return false
      if (x.size === 0) return true
      const channels = scale.size
      const dims = [channels]
      const factor = { ref: lowering.scratch(channels * 4), dims }
      const shift = { ref: lowering.scratch(channels * 4), dims }
      emitUnary(lowering, 'unary_affine_f32', variance.ref, factor.ref, channels, 1, attributes.epsilon as number)
      emitUnary(lowering, 'unary_sqrt_f32', factor.ref, factor.ref, channels)
      emitBinary(lowering, 'binary_div_f32', { ref: scale.ref, dims }, factor, factor.ref, dims)
      emitBinary(lowering, 'binary_mul_f32', { ref: mean.ref, dims }, factor, shift.ref, dims)
      emitBinary(lowering, 'binary_sub_f32', { ref: bias.ref, dims }, shift, shift.ref, dims)
      const y = lowering.output(0).ref
      return emitChannelAffine(lowering, x.ref, y, x.dims, factor.ref, shift.ref)
    },
  },
})

export const references = {
  BatchNormalization([x, scale, bias, inputMean, inputVariance], attributes, context) {
    const { dims, type } = x!
    const channels = dims[1] ?? 1
    const inner = sizeOf(dims.slice(2))
    const values = Float64Array.from(numbersOf(x!))
    const training = attributes.training_mode === 1
    const channelOf = (i: number): number => Math.floor(i / inner) % channels
    const [factors, shifts] = [numbersOf(scale!), numbersOf(bias!)]
    const given = [inputMean!, inputVariance!].map((t) => Float64Array.from(numbersOf(t)))
    const [mean, variance] = training ? batchStatistics(values, channels, channelOf) : given
    values.forEach((v, i) => {
      const c = channelOf(i)
      values[i] = ((v - mean[c]) / Math.sqrt(variance[c] + (attributes.epsilon as number))) * factors[c] + shifts[c]
    })
    const y = tensorOf(type, values, dims)
    if (context.outputs === 1) return [y]
    const momentum = attributes.momentum as number
    const mix = (old: Float64Array, own: Float64Array): Float64Array =>
      old.map((v, c) => v * momentum + own[c] * (1 - momentum))
    const running = training ? [mix(given[0], mean), mix(given[1], variance)] : given
    const statistics = running.map((v, i) => tensorOf([inputMean!, inputVariance!][i].type, v, [channels]))
    return [y, ...statistics, ...statistics]
  },
} satisfies Record<string, Reference>

/** Mean and population variance of each channel. */
function batchStatistics(values: Float64Array, channels: number, channelOf: (i: number) => number): Float64Array[] {
  const count = values.length / channels
  const mean = new Float64Array(channels)
  const variance = new Float64Array(channels)
  values.forEach((v, i) => (mean[channelOf(i)] += v / count))
  values.forEach((v, i) => (variance[channelOf(i)] += (v - mean[channelOf(i)]) ** 2 / count))
  return [mean, variance]
}

/** Dims of X, attributes, number of outputs. */
const cases: readonly (readonly [number[], Attributes, number])[] = [
  [[2, 3, 4, 5], {}, 1],
  [[3, 5], { epsilon: 0.01 }, 1],
  [[1, 4, 7], {}, 1],
  [[2, 3, 4, 2], { training_mode: 1, momentum: 0.8 }, 3],
]

export const samples = {
  BatchNormalization: (random) =>
    cases.map(([dims, attributes, outputs]) => {
      const vectors = [0, 1, 2].map(() => floats(random, [dims[1]]))
      return { inputs: [floats(random, dims), ...vectors, floats(random, [dims[1]], 0.2, 2)], attributes, outputs }
    }),
} satisfies Record<string, Samples>
