// SPDX-License-Identifier: Apache-2.0
/**
 * Activations of ONNX: element-wise functions of one input with up to two numbers as attributes. A row gives the
 * attributes' names and defaults in the order the function takes them, and where there is one, how kernels make it.
 */
import { Tensor } from '../tensor/tensor.ts'
import type { AttributeSpec, Attributes, Numerics, OpDef, Reference, Samples } from './define.ts'
import { erf } from './erf.ts'
import { needed } from './infer.ts'
import { emitBinary, emitUnary, isFloat32 } from './lower-elementwise.ts'
import type { Lowering, Ref } from './lower.ts'
import { numbersOf, tensorOf } from './numeric.ts'

type Emit = (lowering: Lowering, x: Ref, y: Ref, size: number, p: readonly number[]) => void

interface Row {
  readonly attributes?: Readonly<Record<string, number | string>>
  readonly emit?: Emit
}

/** As UnaryKernel rows of kernels/elementwise.ts, whose parameters are the operator's. */
function kernel(name: Parameters<typeof emitUnary>[1]): Emit {
  return (lowering, x, y, size, [p0, p1]) => emitUnary(lowering, name, x, y, size, p0, p1)
}

/** Selu's constants: Klambauer et al. 2017, as ONNX rounds them. */
const seluAlpha = 1.67326319217681884765625
const seluGamma = 1.05070102214813232421875

const rows: Readonly<Record<string, Row>> = {
  Celu: {
    attributes: { alpha: 1 },
    emit(lowering, x, y, size, [alpha]) {
      emitUnary(lowering, 'unary_affine_f32', x, y, size, 1 / alpha, 0)
      emitUnary(lowering, 'unary_elu_f32', y, y, size, 1)
      emitUnary(lowering, 'unary_affine_f32', y, y, size, alpha, 0)
    },
  },
  Elu: { attributes: { alpha: 1 }, emit: kernel('unary_elu_f32') },
  Gelu: {
    attributes: { approximate: 'none' },
    emit(lowering, x, y, size, [tanh]) {
      emitUnary(lowering, tanh === 1 ? 'unary_gelu_tanh_f32' : 'unary_gelu_f32', x, y, size)
    },
  },
  HardSigmoid: { attributes: { alpha: 0.2, beta: 0.5 }, emit: kernel('unary_hard_sigmoid_f32') },
  HardSwish: { emit: kernel('unary_hard_swish_f32') },
  LeakyRelu: { attributes: { alpha: 0.01 }, emit: kernel('unary_leaky_relu_f32') },
  Mish: {
    emit(lowering, x, y, size) {
      const soft = lowering.scratch(size * 4)
      emitUnary(lowering, 'unary_softplus_f32', x, soft, size)
      emitUnary(lowering, 'unary_tanh_f32', soft, soft, size)
      emitBinary(lowering, 'binary_mul_f32', { ref: x, dims: [size] }, { ref: soft, dims: [size] }, y, [size])
    },
  },
  Relu: { emit: kernel('unary_relu_f32') },
  Selu: {
    attributes: { alpha: seluAlpha, gamma: seluGamma },
    emit(lowering, x, y, size, [alpha, gamma]) {
      emitUnary(lowering, 'unary_elu_f32', x, y, size, alpha)
      emitUnary(lowering, 'unary_affine_f32', y, y, size, gamma, 0)
    },
  },
  Shrink: { attributes: { lambd: 0.5, bias: 0 } },
  Softplus: { emit: kernel('unary_softplus_f32') },
  Softsign: {
    emit(lowering, x, y, size) {
      const below = lowering.scratch(size * 4)
      emitUnary(lowering, 'unary_abs_f32', x, below, size)
      emitUnary(lowering, 'unary_affine_f32', below, below, size, 1, 1)
      emitBinary(lowering, 'binary_div_f32', { ref: x, dims: [size] }, { ref: below, dims: [size] }, y, [size])
    },
  },
  Swish: {
    attributes: { alpha: 1 },
    emit(lowering, x, y, size, [alpha]) {
      if (alpha === 1) {
        emitUnary(lowering, 'unary_silu_f32', x, y, size)
        return
      }
      const gate = lowering.scratch(size * 4)
      emitUnary(lowering, 'unary_affine_f32', x, gate, size, alpha, 0)
      emitUnary(lowering, 'unary_sigmoid_f32', gate, gate, size)
      emitBinary(lowering, 'binary_mul_f32', { ref: x, dims: [size] }, { ref: gate, dims: [size] }, y, [size])
    },
  },
  ThresholdedRelu: { attributes: { alpha: 1 } },
}

/** A few units in the last place of float32: what polynomial approximations keep. */
const close: Numerics = { relative: 2e-6, absolute: 1e-6 }
const exactRows: readonly string[] = ['Relu', 'LeakyRelu', 'ThresholdedRelu']

/** The attributes of a row as numbers, float32 as ONNX stores them. 'tanh' is 1. */
function parameters(row: Row, attributes: Attributes): number[] {
  return Object.keys(row.attributes ?? {}).map((name) => {
    const value = attributes[name]
    return typeof value === 'number' ? Math.fround(value) : value === 'tanh' ? 1 : 0
  })
}

function define(name: string, row: Row): OpDef {
  const attributes = Object.entries(row.attributes ?? {}).map(([key, value]): [string, AttributeSpec] => [
    key,
    { kind: typeof value === 'number' ? 'float' : 'string', default: value },
  ])
  const { emit } = row
  return {
    inputs: [1, 1],
    attributes: Object.fromEntries(attributes),
    numerics: exactRows.includes(name) ? 'exact' : close,
    infer([x], context) {
      const { dtype, dims } = needed(context, x, 'X')
      return [{ dtype, dims }]
    },
    lower:
      emit &&
      ((lowering, context) => {
        const x = lowering.input(0)!
        if (!isFloat32(x)) return false
        if (x.size > 0) emit(lowering, x.ref, lowering.output(0).ref, x.size, parameters(row, context.attributes))
        return true
      }),
  }
}

export const ops: Readonly<Record<string, OpDef>> = Object.fromEntries(
  Object.entries(rows).map(([name, row]) => [name, define(name, row)]),
)

/** log(1 + exp(x)) without overflow. */
function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))
}

/** x / (1 + exp(-alpha x)), 0 at minus infinity. */
function swish(x: number, alpha: number): number {
  const gate = 1 / (1 + Math.exp(-alpha * x))
  return gate === 0 ? 0 : x * gate
}

const functions: Readonly<Record<string, (x: number, p0: number, p1: number) => number>> = {
  Celu: (x, alpha) => Math.max(0, x) + Math.min(0, alpha * Math.expm1(x / alpha)),
  Elu: (x, alpha) => (x < 0 ? alpha * Math.expm1(x) : x),
  Gelu: (x, tanh) =>
    tanh === 1
      ? 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))
      : 0.5 * x * (1 + erf(x / Math.SQRT2)),
  HardSigmoid: (x, alpha, beta) => Math.max(0, Math.min(1, alpha * x + beta)),
  HardSwish: (x) => x * Math.max(0, Math.min(1, x / 6 + 0.5)),
  LeakyRelu: (x, alpha) => (x < 0 ? alpha * x : x),
  Mish: (x) => x * Math.tanh(softplus(x)),
  Relu: (x) => Math.max(0, x),
  Selu: (x, alpha, gamma) => gamma * (x > 0 ? x : alpha * Math.expm1(x)),
  Shrink: (x, lambd, bias) => (x < -lambd ? x + bias : x > lambd ? x - bias : 0),
  Softplus: softplus,
  Softsign: (x) => x / (1 + Math.abs(x)),
  Swish: swish,
  ThresholdedRelu: (x, alpha) => (x > alpha ? x : 0),
}

function reference(name: string, row: Row): Reference {
  return ([x], attributes) => {
    const [p0, p1] = parameters(row, attributes)
    return [
      tensorOf(
        x!.type,
        Array.from(numbersOf(x!), (v) => functions[name](v, p0, p1)),
        x!.dims,
      ),
    ]
  }
}

export const references: Readonly<Record<string, Reference>> = Object.fromEntries(
  Object.entries(rows).map(([name, row]) => [name, reference(name, row)]),
)

function sample(row: Row): Samples {
  return (random) => {
    const floats = (dims: number[]): Tensor =>
      new Tensor(
        'float32',
        Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => 12 * random() - 6),
        dims,
      )
    const plain = [[], [0, 3], [2, 3, 5], [1, 4100]].map((dims) => ({ inputs: [floats(dims)] }))
    const names = Object.entries(row.attributes ?? {})
    if (names.length === 0) return plain
    const other = names.map(([name, value]) => [name, typeof value === 'number' ? 0.3 : 'tanh'])
    return [...plain, { inputs: [floats([3, 7])], attributes: Object.fromEntries(other) }]
  }
}

export const samples: Readonly<Record<string, Samples>> = Object.fromEntries(
  Object.entries(rows).map(([name, row]) => [name, sample(row)]),
)
