// SPDX-License-Identifier: Apache-2.0
/**
 * LayerNormalization and RMSNormalization: each run of the axes from `axis` on is normalised by itself, then scaled
 * (and shifted) element by element.
 * y = (x - mean) / sqrt(variance + epsilon) * scale + bias;  y = x / sqrt(mean of squares + epsilon) * scale
 * Rows whose squares float32 cannot hold are right too, which ONNX's function body in float32 makes 0.
 * https://onnx.ai/onnx/operators/onnx__LayerNormalization.html, onnx__RMSNormalization.html
 */
import { normalizeAxis, sizeOf } from '../tensor/shape.ts'
import type { Dtype } from '../tensor/dtype.ts'
import {
  type Attributes,
  type OpContext,
  type Reference,
  type Sample,
  type Samples,
  type ValueInfo,
  defineOps,
} from './define.ts'
import { broadcastOffsets } from './broadcast.ts'
import { axisOf, broadcastOf, needed } from './infer.ts'
import { isFloat32 } from './lower-elementwise.ts'
import type { Lowering, Operand } from './lower.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { floats } from './sample-tensors.ts'

const attributes = {
  axis: { kind: 'int', default: -1 },
  epsilon: { kind: 'float', default: 1e-5 },
  stash_type: { kind: 'int', default: 1 },
} as const

/** Output types: y, then two of one number a run (mean, inverse deviation), where the operator has them. */
function inferNorm(context: OpContext, inputs: readonly (ValueInfo | null)[], statistics: boolean): ValueInfo[] {
  const x = needed(context, inputs[0], 'X')
  needed(context, inputs[1], 'Scale')
  const y = { dtype: x.dtype, dims: x.dims }
  // what stash_type says; 1 is float32
  const stash: Dtype = context.attributes.stash_type === 1 ? 'float32' : x.dtype
  if (x.dims === null) return statistics ? [y, { dtype: stash, dims: null }, { dtype: stash, dims: null }] : [y]
  const axis = axisOf(context, context.attributes.axis as number, x.dims.length)
  const tail = { dtype: x.dtype, dims: x.dims.slice(axis) }
  for (const info of inputs.slice(1)) if (info) broadcastOf(context, [info, tail])
  const kept = { dtype: stash, dims: x.dims.map((d, i) => (i < axis ? d : 1)) }
  return statistics ? [y, kept, kept] : [y]
}

/** True when `operand` is one dense number for each element of a run. */
function covers(operand: Operand | null, run: readonly number[]): boolean {
  if (operand === null) return true
  const dims = operand.dims.slice(operand.dims.findIndex((d) => d !== 1))
  return (
    operand.size === sizeOf(run) &&
    (operand.size === 1 || dims.every((d, i) => d === run[run.length - dims.length + i]))
  )
}

function lowerNorm(lowering: Lowering, { axis, epsilon }: Attributes, rms: boolean): boolean {
  const [x, scale, bias] = [0, 1, 2].map((i) => (rms && i === 2 ? null : lowering.input(i)))
  if (!isFloat32(x, scale, bias) || lowering.outputs > 1) return false
  const run = x!.dims.slice(normalizeAxis(axis as number, x!.dims.length))
  if (!covers(scale, run) || !covers(bias, run)) return false
  if (x!.size === 0) return true
  const cols = sizeOf(run)
  const rows = x!.size / cols
  const args = { x: x!.ref, y: lowering.output(0).ref, scale: scale!.ref, rows, cols, epsilon: epsilon as number }
  if (rms) lowering.step({ kernel: 'rms_norm_f32', units: rows, args })
  else lowering.step({ kernel: 'layer_norm_f32', units: rows, args: { ...args, bias: bias?.ref ?? null } })
  return true
}

export const ops = defineOps({
  LayerNormalization: {
    inputs: [2, 3],
    outputs: [1, 3],
    attributes,
    numerics: { relative: 1e-4, absolute: 1e-5 },
    infer: (inputs, context) => inferNorm(context, inputs, true),
    lower: (lowering, context) => lowerNorm(lowering, context.attributes, false),
  },
  RMSNormalization: {
    inputs: [2, 2],
    attributes,
    numerics: { relative: 1e-4, absolute: 1e-5 },
    infer: (inputs, context) => inferNorm(context, inputs, false),
    lower: (lowering, context) => lowerNorm(lowering, context.attributes, true),
  },
})

/** Normalises runs; centre 0 for the root mean square form. */
function normalize(centred: boolean): Reference {
  return ([x, scale, bias], given, context) => {
    const { dims, type } = x!
    const axis = normalizeAxis(given.axis as number, dims.length)
    const run = sizeOf(dims.slice(axis))
    const values = Float64Array.from(numbersOf(x!))
    const means = new Float64Array(run === 0 ? 0 : values.length / run)
    const inverses = new Float64Array(means.length)
    const tail = dims.slice(axis)
    const factors = spread(scale, tail)
    const shifts = spread(bias ?? null, tail)
    for (let row = 0; row < means.length; row++) {
      const part = values.subarray(row * run, (row + 1) * run)
      const mean = centred ? part.reduce((sum, v) => sum + v, 0) / run : 0
      const variance = part.reduce((sum, v) => sum + (v - mean) ** 2, 0) / run
      const inverse = 1 / Math.sqrt(variance + (given.epsilon as number))
      means[row] = mean
      inverses[row] = inverse
      part.forEach((v, i) => (part[i] = (v - mean) * inverse * (factors?.(i) ?? 1) + (shifts?.(i) ?? 0)))
    }
    const y = tensorOf(type, values, dims)
    if (!centred || context.outputs === 1) return [y]
    const kept = dims.map((d, i) => (i < axis ? d : 1))
    const stash = given.stash_type === 1 ? 'float32' : type
    return [y, tensorOf(stash, means, kept), tensorOf(stash, inverses, kept)]
  }
}

/** Element i of an operand broadcast to a run. */
function spread(operand: Parameters<Reference>[0][0], dims: readonly number[]): ((i: number) => number) | null {
  if (!operand) return null
  const values = numbersOf(operand)
  const offsets = broadcastOffsets(operand.dims, dims)
  return (i) => values[offsets?.[i] ?? i]
}

export const references = {
  LayerNormalization: normalize(true),
  RMSNormalization: normalize(false),
} satisfies Record<string, Reference>

export const samples = {
  LayerNormalization: (random): Sample[] => [
    { inputs: [floats(random, [3, 20]), floats(random, [20]), floats(random, [20])] },
    { inputs: [floats(random, [2, 3, 5]), floats(random, [5]), null], attributes: { epsilon: 0.01 } },
    { inputs: [floats(random, [2, 3, 5]), floats(random, [3, 5]), floats(random, [3, 5])], attributes: { axis: 1 } },
    { inputs: [floats(random, [2, 3, 5]), floats(random, [5]), floats(random, [1])], attributes: { axis: -2 } },
    { inputs: [floats(random, [4, 6]), floats(random, [6]), floats(random, [6])], outputs: 3 },
  ],
  RMSNormalization: (random): Sample[] => [
    { inputs: [floats(random, [3, 20]), floats(random, [20])] },
    { inputs: [floats(random, [2, 3, 5]), floats(random, [3, 5])], attributes: { axis: 1, epsilon: 0.01 } },
    { inputs: [floats(random, [2, 3, 5]), floats(random, [1])], attributes: { axis: 1 } },
  ],
} satisfies Record<string, Samples>
