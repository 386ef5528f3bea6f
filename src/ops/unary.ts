// SPDX-License-Identifier: Apache-2.0
/**
 * Element-wise functions of one input and no attributes: rows of a table. A row's name is the operator; the output has
 * the input's type and shape. Operators with a kernel lower to it for float32; the others run their reference.
 */
import { Tensor } from '../tensor/tensor.ts'
import { roundHalfEven } from '../base/narrow-float.ts'
import { mul } from '../ir/dim.ts'
import { type Numerics, type OpDef, type Reference, type Samples } from './define.ts'
import { erf } from './erf.ts'
import { contentOf, needed, valueOf } from './infer.ts'
import { type UnaryKernel, emitUnary, isFloat32 } from './lower-elementwise.ts'
import type { Lowering } from './lower.ts'
import { isWide } from './elements.ts'
import { numbersOf, tensorOf } from './numeric.ts'

/** A few units in the last place of float32: what polynomial approximations keep. */
const close: Numerics = { relative: 2e-6, absolute: 1e-6 }

interface Row {
  readonly kernel?: UnaryKernel
  /** Of the kernel; 0 where left out. */
  readonly p0?: number
  readonly numerics?: Numerics
}

const rows: Readonly<Record<string, Row>> = {
  Abs: { kernel: 'unary_abs_f32' },
  Acos: {},
  Acosh: {},
  Asin: {},
  Asinh: {},
  Atan: {},
  Atanh: {},
  Ceil: { kernel: 'unary_ceil_f32' },
  Cos: { kernel: 'unary_sin_f32', p0: 1, numerics: close },
  Cosh: {},
  Erf: { kernel: 'unary_erf_f32', numerics: close },
  Exp: { kernel: 'unary_exp_f32', numerics: close },
  Floor: { kernel: 'unary_floor_f32' },
  Log: { kernel: 'unary_log_f32', numerics: close },
  Neg: { kernel: 'unary_neg_f32' },
  Reciprocal: { kernel: 'unary_reciprocal_f32' },
  Round: { kernel: 'unary_round_f32' },
  Sigmoid: { kernel: 'unary_sigmoid_f32', numerics: close },
  Sign: {},
  Sin: { kernel: 'unary_sin_f32', numerics: close },
  Sinh: {},
  Sqrt: { kernel: 'unary_sqrt_f32' },
  Tan: {},
  Tanh: { kernel: 'unary_tanh_f32', numerics: close },
}

function lowerBy(kernel: UnaryKernel, p0?: number): (lowering: Lowering) => boolean {
  return (lowering) => {
    const x = lowering.input(0)!
    if (!isFloat32(x)) return false
    emitUnary(lowering, kernel, x.ref, lowering.output(0).ref, x.size, p0)
    return true
  }
}

function define(name: string, row: Row): OpDef {
  return {
    inputs: [1, 1],
    numerics: row.numerics ?? 'exact',
    infer([x], context) {
      const { dtype, dims, ...known } = needed(context, x, 'X')
      const content = name === 'Neg' ? contentOf({ dtype, dims, ...known })?.map((d) => mul(d, -1)) : null
      return [valueOf(dtype, dims, content)]
    },
    ...(row.kernel === undefined ? {} : { lower: lowerBy(row.kernel, row.p0) }),
  }
}

export const ops: Readonly<Record<string, OpDef>> = Object.fromEntries(
  Object.entries(rows).map(([name, row]) => [name, define(name, row)]),
)

const functions: Readonly<Record<string, (x: number) => number>> = {
  Abs: Math.abs,
  Acos: Math.acos,
  Acosh: Math.acosh,
  Asin: Math.asin,
  Asinh: Math.asinh,
  Atan: Math.atan,
  Atanh: Math.atanh,
  Ceil: Math.ceil,
  Cos: Math.cos,
  Cosh: Math.cosh,
  Erf: erf,
  Exp: Math.exp,
  Floor: Math.floor,
  Log: Math.log,
  Neg: (x) => -x,
  Reciprocal: (x) => 1 / x,
  Round: roundHalfEven,
  Sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  Sign: Math.sign,
  Sin: Math.sin,
  Sinh: Math.sinh,
  Sqrt: Math.sqrt,
  Tan: Math.tan,
  Tanh: Math.tanh,
}

/** The functions of 64-bit integers that doubles would round. */
const wideFunctions: Readonly<Record<string, (x: bigint) => bigint>> = {
  Abs: (x) => (x < 0n ? -x : x),
  Neg: (x) => -x,
  Sign: (x) => (x < 0n ? -1n : x > 0n ? 1n : 0n),
}

function reference(name: string): Reference {
  return ([x]) => {
    const { type, dims, data } = x!
    const wide = wideFunctions[name]
    if (wide !== undefined && isWide(type)) return [tensorOf(type, Array.from(data as BigInt64Array, wide), dims)]
    return [tensorOf(type, Array.from(numbersOf(x!), functions[name]), dims)]
  }
}

export const references: Readonly<Record<string, Reference>> = Object.fromEntries(
  Object.keys(rows).map((name) => [name, reference(name)]),
)

/** Where the function has values, for the operators that are not defined everywhere. */
const domains: Readonly<Record<string, readonly [number, number]>> = {
  Acos: [-1, 1],
  Acosh: [1, 20],
  Asin: [-1, 1],
  Atanh: [-0.99, 0.99],
  Log: [1e-6, 100],
  Sqrt: [0, 100],
  Reciprocal: [0.01, 9],
}

function sample(name: string): Samples {
  return (random) => {
    const [low, high] = domains[name] ?? [-9, 9]
    const numbers = (count: number): number[] => Array.from({ length: count }, () => low + (high - low) * random())
    const shapes = [[], [0, 3], [7], [2, 3, 5], [1, 4100]]
    const floats = shapes.map((dims) => new Tensor('float32', numbers(dims.reduce((a, b) => a * b, 1)), dims))
    const ties = name === 'Round' ? [new Tensor('float32', [0.5, 1.5, -0.5, -2.5, 2.5])] : []
    const wide = name in wideFunctions ? [new Tensor('int64', [-5n, 0n, 2n ** 60n + 1n])] : []
    return [...floats, ...ties, ...wide].map((x) => ({ inputs: [x] }))
  }
}

export const samples: Readonly<Record<string, Samples>> = Object.fromEntries(
  Object.keys(rows).map((name) => [name, sample(name)]),
)
