// SPDX-License-Identifier: Apache-2.0
/**
 * Arithmetic of two broadcast inputs of one type: rows of a table. Integers are exact and wrap around; division and
 * remainder of integers follow ONNX (towards zero; Mod takes the divisor's sign unless fmod is set).
 */
import * as dim from '../ir/dim.ts'
import type { Dim } from '../ir/dim.ts'
import { Tensor } from '../tensor/tensor.ts'
import { contentOfEach, divideIntegers, isIntegral } from './arithmetic.ts'
import { type Arithmetic, combine } from './combine.ts'
import type { AttributeSpec, Attributes, Numerics, OpContext, OpDef, Reference, Samples, ValueInfo } from './define.ts'
import { broadcastOf, commonDtype, needed, valueOf } from './infer.ts'
import { type BinaryKernel, emitBinary, emitUnary, isFloat32 } from './lower-elementwise.ts'
import { type IntegerOp, emitIntegers } from './lower-integer.ts'
import type { Lowering } from './lower.ts'
import { floats } from './sample-tensors.ts'

interface Row {
  readonly kernel?: BinaryKernel
  /** Of 32- and 64-bit integers. */
  readonly integer?: IntegerOp
  readonly attributes?: Readonly<Record<string, AttributeSpec>>
  readonly numerics?: Numerics
  readonly content?: (a: Dim, b: Dim) => Dim | null
  /** The exponent of Pow may be of another type than its base. */
  readonly mixed?: boolean
}

function quotient(a: Dim, b: Dim): Dim | null {
  if (b === 0) return null
  return dim.isKnown(a) && dim.isKnown(b) ? Math.trunc(a / b) : dim.floorDiv(a, b)
}

function remainder(a: Dim, b: Dim): Dim | null {
  return b === 0 ? null : dim.mod(a, b)
}

function powerOf(a: Dim, b: Dim): Dim | null {
  return dim.isKnown(b) && Number.isInteger(b) && b >= 0 && b <= 8 ? dim.product(new Array<Dim>(b).fill(a)) : null
}

const rows: Readonly<Record<string, Row>> = {
  Add: { kernel: 'binary_add_f32', integer: 'Add', content: dim.add },
  BitShift: { attributes: { direction: { kind: 'string', required: true } } },
  BitwiseAnd: { integer: 'And' },
  BitwiseOr: { integer: 'Or' },
  BitwiseXor: { integer: 'Xor' },
  Div: { kernel: 'binary_div_f32', integer: 'Div', content: quotient },
  Mod: { integer: 'Mod', attributes: { fmod: { kind: 'int', default: 0 } }, content: remainder },
  Mul: { kernel: 'binary_mul_f32', integer: 'Mul', content: dim.mul },
  PRelu: { kernel: 'binary_prelu_f32' },
  Pow: { kernel: 'binary_pow_f32', content: powerOf, mixed: true, numerics: { relative: 4e-6, absolute: 1e-6 } },
  Sub: { kernel: 'binary_sub_f32', integer: 'Sub', content: dim.sub },
}

function define(name: string, row: Row): OpDef {
  return {
    inputs: [2, 2],
    attributes: row.attributes,
    numerics: row.numerics ?? 'exact',
    infer([a, b], context) {
      const left = needed(context, a, 'A')
      const right = needed(context, b, 'B')
      const dtype = row.mixed ? left.dtype : commonDtype(context, [left, right])
      const dims = broadcastOf(context, [left, right])
      return [valueOf(dtype, dims, contentOf(row, [left, right], dims, context))]
    },
    ...((row.kernel ?? row.integer)
      ? { lower: (lowering, { attributes }) => lowerBinary(name, row, lowering, attributes) }
      : {}),
  }
}

function lowerBinary(name: string, row: Row, lowering: Lowering, attributes: Attributes): boolean {
  const [a, b] = [lowering.input(0)!, lowering.input(1)!]
  const c = lowering.output(0)
  if (row.integer !== undefined && a.dtype !== 'float32') {
    const op = attributes.fmod === 1 ? 'Rem' : row.integer
    return emitIntegers(lowering, op, a.dtype, [a, b], c)
  }
  if (row.kernel === undefined || !isFloat32(a, b, c)) return false
  if (name === 'Pow' && emitPower(lowering)) return true
  return emitBinary(lowering, row.kernel, a, b, c.ref, c.dims)
}

function contentOf(row: Row, infos: ValueInfo[], dims: Dim[] | null, context: OpContext): (Dim | null)[] | null {
  if (row.content === undefined || context.attributes.fmod === 1 || !isIntegral(infos[0].dtype)) return null
  return contentOfEach(infos, dims, row.content)
}

/** Powers by a known number that simpler kernels compute: 2, 1/2, 1 and -1. */
function emitPower(lowering: Lowering): boolean {
  const [a, b] = [lowering.input(0)!, lowering.input(1)!]
  const y = lowering.output(0)
  if (b.tensor === undefined || b.size !== 1 || a.size !== y.size) return false
  const exponent = (b.tensor.data as Float32Array)[0]
  if (exponent === 2) return emitBinary(lowering, 'binary_mul_f32', a, a, y.ref, a.dims)
  const kernel = new Map([
    [0.5, 'unary_sqrt_f32'],
    [-1, 'unary_reciprocal_f32'],
  ] as const).get(exponent as 0.5 | -1)
  if (kernel === undefined) return false
  emitUnary(lowering, kernel, a.ref, y.ref, a.size)
  return true
}

export const ops: Readonly<Record<string, OpDef>> = Object.fromEntries(
  Object.entries(rows).map(([name, row]) => [name, define(name, row)]),
)

/** Remainder with the divisor's sign; 0 by zero. */
function floorMod(a: number, b: number): number {
  return b === 0 ? 0 : a - b * Math.floor(a / b)
}

function floorModWide(a: bigint, b: bigint): bigint {
  if (b === 0n) return 0n
  const rest = a % b
  return rest !== 0n && rest < 0n !== b < 0n ? rest + b : rest
}

/** IEEE pow as C defines it, where JavaScript differs: 1 to any power, and -1 to an infinite one, is 1. */
function power(a: number, b: number): number {
  return a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : a ** b
}

/** Product of 32-bit and smaller integers modulo 2^32. */
function multiply(a: number, b: number, integral: boolean): number {
  return integral ? Math.imul(a, b) : a * b
}

/** a to the power b modulo 2^64, by squaring. */
function powerWide(a: bigint, b: bigint): bigint {
  if (b < 0n) return a === 1n ? 1n : a === -1n ? (b % 2n === 0n ? 1n : -1n) : 0n
  let result = 1n
  for (let base = a, rest = b; rest > 0n; rest >>= 1n, base = BigInt.asIntN(64, base * base)) {
    if (rest & 1n) result = BigInt.asIntN(64, result * base)
  }
  return result
}

function shift(left: boolean): Arithmetic {
  return {
    number: (a, b) => (b > 31 ? 0 : left ? a * 2 ** b : Math.floor(a / 2 ** b)),
    wide: (a, b) => (b > 63n ? 0n : left ? a << b : a >> b),
  }
}

const functions: Readonly<Record<string, Arithmetic>> = {
  Add: { number: (a, b) => a + b, wide: (a, b) => a + b },
  BitwiseAnd: { number: (a, b) => a & b, wide: (a, b) => a & b },
  BitwiseOr: { number: (a, b) => a | b, wide: (a, b) => a | b },
  BitwiseXor: { number: (a, b) => a ^ b, wide: (a, b) => a ^ b },
  Div: {
    number: (a, b, dtype) => (isIntegral(dtype) ? divideIntegers(a, b) : a / b),
    wide: (a, b) => (b === 0n ? 0n : a / b),
  },
  Mod: { number: floorMod, wide: floorModWide },
  Mul: { number: (a, b, dtype) => multiply(a, b, isIntegral(dtype)), wide: (a, b) => a * b },
  PRelu: { number: (a, b) => (a < 0 ? a * b : a), wide: (a, b) => (a < 0n ? a * b : a) },
  Pow: { number: power, wide: powerWide },
  Sub: { number: (a, b) => a - b, wide: (a, b) => a - b },
}

/** C's fmod: the sign of the dividend. */
const fmod: Arithmetic = { number: (a, b) => a % b, wide: (a, b) => (b === 0n ? 0n : a % b) }

function reference(name: string): Reference {
  return ([a, b], attributes) => {
    if (name === 'BitShift') return [combine(shift(attributes.direction === 'LEFT'), a!, b!)]
    return [combine(attributes.fmod === 1 ? fmod : functions[name], a!, b!)]
  }
}

export const references: Readonly<Record<string, Reference>> = Object.fromEntries(
  Object.keys(rows).map((name) => [name, reference(name)]),
)

const shapes: readonly (readonly [number[], number[]])[] = [
  [[], []],
  [
    [2, 3, 4],
    [2, 3, 4],
  ],
  [[3, 5], [5]],
  [
    [1, 4, 6],
    [4, 1],
  ],
  [
    [2, 1, 3, 1],
    [4, 1, 5],
  ],
  [[0, 3], [3]],
  [[5000], []],
  [
    [2, 8200],
    [2, 1],
  ],
]

function sample(name: string, row: Row): Samples {
  return (random) => {
    const attributes = name === 'BitShift' ? { direction: 'LEFT' } : undefined
    const wide = new Tensor('int64', [7n, -7n, 2n ** 62n])
    const unsigned = new Tensor(name === 'BitShift' ? 'uint64' : 'int64', [2n, 2n, 3n])
    const integers = { inputs: [name === 'BitShift' ? new Tensor('uint64', [7n, 9n, 1n]) : wide, unsigned], attributes }
    const small = { inputs: [new Tensor('uint8', [3, 200, 9]), new Tensor('uint8', [2, 3, 4])], attributes }
    const extremes = new Tensor('int32', [-(2 ** 31), 2 ** 31 - 1, -7, 7, 0, 5], [6, 1])
    const divisors = new Tensor('int32', [-1, 3, 0, -3, 2 ** 31 - 1])
    const whole = name === 'BitShift' || row.mixed ? [] : [{ inputs: [extremes, divisors], attributes }]
    if (name.startsWith('Bit')) return [integers, small, ...whole]
    const positive = name === 'Pow' || name === 'Div' || name === 'Mod'
    const cases = shapes.map(([a, b]) => ({
      inputs: [floats(random, a, positive ? 0.1 : -4, 4), floats(random, b, positive ? 0.5 : -4, 4)],
      attributes: name === 'Mod' ? { fmod: 1 } : undefined,
    }))
    if (row.mixed)
      cases.push({ inputs: [floats(random, [3, 4]), new Tensor('float32', [2], [])], attributes: undefined })
    const remainders = whole.map(({ inputs }) => ({ inputs, attributes: name === 'Mod' ? { fmod: 1 } : undefined }))
    return [...cases, integers, small, ...whole, ...remainders]
  }
}

export const samples: Readonly<Record<string, Samples>> = Object.fromEntries(
  Object.entries(rows).map(([name, row]) => [name, sample(name, row)]),
)
