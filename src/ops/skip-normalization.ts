// SPDX-License-Identifier: Apache-2.0
/**
 * ONNX Runtime's normalisations: SkipLayerNormalization and SkipSimplifiedLayerNormalization normalise input + skip +
 * bias over the last axis and hand that sum out as output 3; SimplifiedLayerNormalization is RMSNormalization under its
 * old name. https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 */
import { normalizeAxis, sizeOf } from '../tensor/shape.ts'
import {
  type Attributes,
  type OpDef,
  type Reference,
  type Sample,
  type Samples,
  type Tensor,
  type ValueInfo,
} from './define.ts'
import { checkVector } from './conv-types.ts'
import { axisOf, complaint, needed, printDims } from './infer.ts'
import { emitBinary, isFloat32 } from './lower-elementwise.ts'
import type { Lowering, Ref } from './lower.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { floats } from './sample-tensors.ts'

const close = { relative: 1e-4, absolute: 1e-5 } as const

function emitNorm(
  lowering: Lowering,
  x: Ref,
  scale: number,
  bias: number,
  cols: number,
  rms: boolean,
  epsilon: number,
) {
  const y = lowering.output(0)
  const rows = y.size / cols
  const args = { x, y: y.ref, scale: lowering.input(scale)!.ref, rows, cols, epsilon }
  if (rms) lowering.step({ kernel: 'rms_norm_f32', units: rows, args })
  else
    lowering.step({ kernel: 'layer_norm_f32', units: rows, args: { ...args, bias: lowering.input(bias)?.ref ?? null } })
}

function lowerSkip(lowering: Lowering, { epsilon }: Attributes, rms: boolean, sumAsked: boolean): boolean {
  const inputs = Array.from({ length: rms ? 4 : 5 }, (_, i) => lowering.input(i))
  const [x, skip] = inputs
  const bias = inputs[rms ? 3 : 4]
  if (!isFloat32(...inputs) || lowering.outputs > 4 || x!.size === 0) return false
  const sum = sumAsked ? lowering.output(3).ref : lowering.scratch(x!.size * 4)
  const whole = { ref: sum, dims: x!.dims }
  if (!emitBinary(lowering, 'binary_add_f32', x!, skip!, sum, x!.dims)) return false
  if (bias && !emitBinary(lowering, 'binary_add_f32', whole, bias, sum, x!.dims)) return false
  emitNorm(lowering, sum, 2, 3, x!.dims.at(-1)!, rms, epsilon as number)
  return true
}

function defineSkip(rms: boolean): OpDef {
  return {
    inputs: rms ? [3, 4] : [3, 5],
    outputs: [1, 4],
    attributes: { epsilon: { kind: 'float', default: rms ? 1e-6 : 1e-12 } },
    numerics: close,
    infer(inputs, context) {
      const { dtype, dims } = needed(context, inputs[0], 'input')
      needed(context, inputs[1], 'skip')
      needed(context, inputs[2], 'gamma')
      if (dims) {
        if (dims.length === 0) throw complaint(context, 'an input of rank 1 or more', printDims(dims))
        const names = rms ? ['gamma', 'bias'] : ['gamma', 'beta', 'bias']
        names.forEach((name, i) => checkVector(context, name, inputs[2 + i], dims[dims.length - 1]))
      }
      const y = { dtype, dims }
      const statistic: ValueInfo = { dtype: 'float32', dims: dims && [...dims.slice(0, -1), 1] }
      return [y, statistic, statistic, y]
    },
    lower(lowering, { attributes, node }) {
      // no kernel hands the statistics out
      if ((node.outputs[1] ?? '') !== '' || (node.outputs[2] ?? '') !== '') return false
      return lowerSkip(lowering, attributes, rms, (node.outputs[3] ?? '') !== '')
    },
  }
}

export const ops: Readonly<Record<string, OpDef>> = {
  SimplifiedLayerNormalization: {
    inputs: [2, 2],
    outputs: [1, 2],
    attributes: {
      axis: { kind: 'int', default: -1 },
      epsilon: { kind: 'float', default: 1e-5 },
      stash_type: { kind: 'int', default: 1 },
    },
    numerics: close,
    infer([x, scale], context) {
      const { dtype, dims } = needed(context, x, 'X')
      needed(context, scale, 'scale')
      if (dims === null)
        return [
          { dtype, dims },
          { dtype: 'float32', dims: null },
        ]
      const axis = axisOf(context, context.attributes.axis as number, dims.length)
      return [
        { dtype, dims },
        { dtype: 'float32', dims: dims.map((d, i) => (i < axis ? d : 1)) },
      ]
    },
    lower(lowering, { attributes }) {
      const [x, scale] = [lowering.input(0)!, lowering.input(1)!]
      const cols = sizeOf(x.dims.slice(normalizeAxis(attributes.axis as number, x.dims.length)))
      if (!isFloat32(x, scale) || lowering.outputs > 1 || x.size === 0 || scale.size !== cols) return false
      emitNorm(lowering, x.ref, 1, -1, cols, true, attributes.epsilon as number)
      return true
    },
  },
  'com.microsoft.SkipLayerNormalization': defineSkip(false),
  'com.microsoft.SkipSimplifiedLayerNormalization': defineSkip(true),
}

/** Runs of `cols` normalised, scaled and shifted; the means and inverse deviations too. */
function normalised(
  values: Float64Array,
  cols: number,
  gamma: ArrayLike<number>,
  beta: ArrayLike<number> | null,
  epsilon: number,
  rms: boolean,
) {
  const rows = cols === 0 ? 0 : values.length / cols
  const [y, means, inverses] = [new Float64Array(values.length), new Float64Array(rows), new Float64Array(rows)]
  for (let row = 0; row < rows; row++) {
    const run = values.subarray(row * cols, (row + 1) * cols)
    const mean = rms ? 0 : run.reduce((a, b) => a + b, 0) / cols
    const variance = run.reduce((a, b) => a + (b - mean) ** 2, 0) / cols
    means[row] = mean
    inverses[row] = 1 / Math.sqrt(variance + epsilon)
    run.forEach((v, i) => (y[row * cols + i] = (v - mean) * inverses[row] * gamma[i] + (beta?.[i] ?? 0)))
  }
  return { y, means, inverses }
}

function skipReference(rms: boolean): Reference {
  return (inputs, { epsilon }, { outputs }) => {
    const [x, skip, gamma] = inputs as readonly Tensor[]
    const [beta, bias] = rms ? [null, inputs[3]] : [inputs[3], inputs[4]]
    const [other, shifts] = [numbersOf(skip), bias ? numbersOf(bias) : [0]]
    const sums = Float64Array.from(numbersOf(x), (v, i) => v + other[i % other.length] + shifts[i % shifts.length])
    const cols = x.dims.at(-1)!
    const { y, means, inverses } = normalised(
      sums,
      cols,
      numbersOf(gamma),
      beta ? numbersOf(beta) : null,
      epsilon as number,
      rms,
    )
    const stats = [...x.dims.slice(0, -1), 1]
    return [
      tensorOf(x.type, y, x.dims),
      tensorOf('float32', means, stats),
      tensorOf('float32', inverses, stats),
      tensorOf(x.type, sums, x.dims),
    ].slice(0, outputs)
  }
}

export const references = {
  SimplifiedLayerNormalization: ([x, scale], attributes, { outputs }) => {
    const axis = normalizeAxis(attributes.axis as number, x!.dims.length)
    const cols = sizeOf(x!.dims.slice(axis))
    const values = Float64Array.from(numbersOf(x!))
    const { y, inverses } = normalised(values, cols, numbersOf(scale!), null, attributes.epsilon as number, true)
    const stats = x!.dims.map((d, i) => (i < axis ? d : 1))
    return [tensorOf(x!.type, y, x!.dims), tensorOf('float32', inverses, stats)].slice(0, outputs)
  },
  'com.microsoft.SkipLayerNormalization': skipReference(false),
  'com.microsoft.SkipSimplifiedLayerNormalization': skipReference(true),
} satisfies Record<string, Reference>

const tensors = (random: () => number): Tensor[] => [
  floats(random, [2, 3, 8]),
  floats(random, [2, 3, 8]),
  floats(random, [8]),
  floats(random, [8]),
]

export const samples = {
  SimplifiedLayerNormalization: (random): Sample[] => [
    { inputs: [floats(random, [2, 3, 8]), floats(random, [8])] },
    { inputs: [floats(random, [2, 3, 4]), floats(random, [3, 4])], attributes: { axis: 1, epsilon: 1e-3 }, outputs: 2 },
  ],
  'com.microsoft.SkipLayerNormalization': (random): Sample[] => [
    { inputs: tensors(random), attributes: { epsilon: 1e-5 } },
    { inputs: [...tensors(random), floats(random, [8])], outputs: 4 },
  ],
  'com.microsoft.SkipSimplifiedLayerNormalization': (random): Sample[] => [
    { inputs: tensors(random).slice(0, 3) },
    { inputs: tensors(random), outputs: 4 },
  ],
} satisfies Record<string, Samples>
