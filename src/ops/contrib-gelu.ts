// SPDX-License-Identifier: Apache-2.0
/**
 * ONNX Runtime's Gelu family (domain com.microsoft): Gelu and BiasGelu by erf, FastGelu by tanh, both of x + bias, and
 * QuickGelu, x * sigmoid(alpha * x). The bias lies along the last axis.
 * https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 */
import { type OpDef, type Reference, type Sample, type Samples } from './define.ts'
import { erf } from './erf.ts'
import { checkVector } from './conv-types.ts'
import { complaint, needed, printDims } from './infer.ts'
import { type UnaryKernel, emitBinary, emitUnary, isFloat32 } from './lower-elementwise.ts'
import type { Lowering } from './lower.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { floats } from './sample-tensors.ts'

function lowerGelu(lowering: Lowering, kernel: UnaryKernel): boolean {
  const [x, bias, y] = [lowering.input(0)!, lowering.input(1), lowering.output(0)]
  if (!isFloat32(x, bias)) return false
  if (bias && !emitBinary(lowering, 'binary_add_f32', x, bias, y.ref, y.dims)) return false
  emitUnary(lowering, kernel, bias ? y.ref : x.ref, y.ref, y.size)
  return true
}

function define(inputs: readonly [number, number], kernel: UnaryKernel): OpDef {
  return {
    inputs,
    numerics: { relative: 1e-5, absolute: 1e-6 },
    infer([xInfo, bias], context) {
      const { dtype, dims } = needed(context, xInfo, 'X')
      if (bias && dims) {
        if (dims.length === 0) throw complaint(context, 'an X of rank 1 or more beside a bias', printDims(dims))
        checkVector(context, 'bias', bias, dims[dims.length - 1])
      }
      return [{ dtype, dims }]
    },
    lower: (lowering) => lowerGelu(lowering, kernel),
  }
}

/** QuickGelu's default alpha, of the models it is named after. */
const quickAlpha = 1.702

export const ops = {
  'com.microsoft.BiasGelu': define([2, 2], 'unary_gelu_f32'),
  'com.microsoft.FastGelu': define([1, 2], 'unary_gelu_tanh_f32'),
  'com.microsoft.Gelu': define([1, 1], 'unary_gelu_f32'),
  'com.microsoft.QuickGelu': {
    inputs: [1, 1],
    attributes: { alpha: { kind: 'float', default: quickAlpha } },
    numerics: { relative: 1e-5, absolute: 1e-6 },
    infer: ([x], context) => [{ dtype: needed(context, x, 'X').dtype, dims: x!.dims }],
    lower(lowering, { attributes }) {
      const [x, y] = [lowering.input(0)!, lowering.output(0)]
      if (!isFloat32(x)) return false
      const gate = lowering.scratch(x.size * 4)
      emitUnary(lowering, 'unary_affine_f32', x.ref, gate, x.size, Math.fround(attributes.alpha as number), 0)
      emitUnary(lowering, 'unary_sigmoid_f32', gate, gate, x.size)
      const flat = [x.size]
      return emitBinary(lowering, 'binary_mul_f32', { ref: x.ref, dims: flat }, { ref: gate, dims: flat }, y.ref, flat)
    },
  },
} satisfies Record<string, OpDef>

function byErf(x: number): number {
  return 0.5 * x * (1 + erf(x / Math.SQRT2))
}

/** Hendrycks and Gimpel 2016. */
function byTanh(x: number): number {
  return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))
}

function reference(gelu: (x: number) => number): Reference {
  return ([x, bias]) => {
    const shifts = bias ? numbersOf(bias) : [0]
    const values = Array.from(numbersOf(x!), (v, i) => gelu(v + shifts[i % shifts.length]))
    return [tensorOf(x!.type, values, x!.dims)]
  }
}

export const references = {
  'com.microsoft.BiasGelu': reference(byErf),
  'com.microsoft.FastGelu': reference(byTanh),
  'com.microsoft.Gelu': reference(byErf),
  'com.microsoft.QuickGelu': ([x], { alpha }) => {
    const factor = Math.fround(alpha as number)
    const values = Array.from(numbersOf(x!), (v) => v / (1 + Math.exp(-factor * v)))
    return [tensorOf(x!.type, values, x!.dims)]
  },
} satisfies Record<string, Reference>

const alone: Samples = (random): Sample[] => [{ inputs: [floats(random, [3, 50], -6, 6)] }]
const biased: Samples = (random): Sample[] => [{ inputs: [floats(random, [2, 3, 8], -3, 3), floats(random, [8])] }]

export const samples = {
  'com.microsoft.BiasGelu': biased,
  'com.microsoft.FastGelu': (random) => [...alone(random), ...biased(random)],
  'com.microsoft.Gelu': alone,
  'com.microsoft.QuickGelu': (random) => [
    ...alone(random),
    { inputs: [floats(random, [4, 4], -3, 3)], attributes: { alpha: 1.5 } },
  ],
} satisfies Record<string, Samples>
