// SPDX-License-Identifier: Apache-2.0
/**
 * Comparisons and logic: broadcast inputs in, bool out. Content is decided where the dims decide it: a symbolic dim is
 * never less than 0, so it differs from -1.
 */
import type { Dim } from '../ir/dim.ts'
import * as dim from '../ir/dim.ts'
import { Tensor } from '../tensor/tensor.ts'
import { contentOfEach } from './arithmetic.ts'
import { combine, type Arithmetic } from './combine.ts'
import { type Elements, mapBroadcast } from './broadcast.ts'
import type { AttributeSpec, Attributes, OpContext, OpDef, Reference, Sample, Samples } from './define.ts'
import { broadcastOf, certainlyGreater, commonDtype, compareEqual, contentOf, needed, valueOf } from './infer.ts'
import { type CompareOp, emitComparison } from './lower-compare.ts'
import { flatGrid } from './grid.ts'
import { emitUnary, isFloat32 } from './lower-elementwise.ts'
import type { Lowering, Ref } from './lower.ts'
import { encoderOf, numbersOf, tensorOf } from './numeric.ts'
import { floats, integers } from './sample-tensors.ts'

type Truth = 0 | 1 | null

/** 1 when a > b, 0 when not, null when it depends. */
function greater(a: Dim, b: Dim): Truth {
  if (certainlyGreater(a, b)) return 1
  return certainlyGreater(dim.add(b, 1), a) ? 0 : null
}

function not(truth: Truth): Truth {
  return truth === null ? null : truth === 1 ? 0 : 1
}

const contents: Readonly<Record<string, (a: Dim, b: Dim) => Truth>> = {
  And: (a, b) => (a === 0 || b === 0 ? 0 : a === 1 && b === 1 ? 1 : null),
  Equal: compareEqual,
  Greater: greater,
  GreaterOrEqual: (a, b) => not(greater(b, a)),
  Less: (a, b) => greater(b, a),
  LessOrEqual: (a, b) => not(greater(a, b)),
  Or: (a, b) => (a === 1 || b === 1 ? 1 : a === 0 && b === 0 ? 0 : null),
  Xor: (a, b) => not(compareEqual(a, b)),
}

const binaryNames = Object.keys(contents)
const unaryNames = ['BitwiseNot', 'IsInf', 'IsNaN', 'Not']

function defineBinary(name: string): OpDef {
  return {
    inputs: [2, 2],
    infer([a, b], context) {
      const inputs = [needed(context, a, 'A'), needed(context, b, 'B')]
      commonDtype(context, inputs)
      const dims = broadcastOf(context, inputs)
      return [valueOf('bool', dims, contentOfEach(inputs, dims, contents[name]))]
    },
    lower: (lowering) =>
      emitComparison(lowering, name as CompareOp, [lowering.input(0)!, lowering.input(1)!], lowering.output(0)),
  }
}

const infinityAttributes: Readonly<Record<string, AttributeSpec>> = {
  detect_negative: { kind: 'int', default: 1 },
  detect_positive: { kind: 'int', default: 1 },
}

function emitNot(lowering: Lowering, src: Ref, dst: Ref, size: number): void {
  const { block, units } = flatGrid(size)
  lowering.step({ kernel: 'not_u8', args: { src, dst, size, block }, units })
}

function lowerNot(lowering: Lowering): boolean {
  const [x, y] = [lowering.input(0)!, lowering.output(0)]
  if (x.dtype !== 'bool') return false
  emitNot(lowering, x.ref, y.ref, x.size)
  return true
}

/** Only NaN differs from itself. */
function lowerIsNaN(lowering: Lowering): boolean {
  const [x, y] = [lowering.input(0)!, lowering.output(0)]
  if (!isFloat32(x)) return false
  const equal = lowering.scratch(x.size)
  if (!emitComparison(lowering, 'Equal', [x, x], { dims: y.dims, ref: equal })) return false
  emitNot(lowering, equal, y.ref, x.size)
  return true
}

function lowerIsInf(lowering: Lowering, { attributes }: Pick<OpContext, 'attributes'>): boolean {
  const [x, y] = [lowering.input(0)!, lowering.output(0)]
  if (!isFloat32(x)) return false
  const [low, high] = [attributes.detect_negative === 1, attributes.detect_positive === 1]
  // nothing is less than itself
  if (!low && !high) return emitComparison(lowering, 'Less', [x, x], y)
  let ref = x.ref
  if (low && high) {
    ref = lowering.scratch(x.size * 4)
    emitUnary(lowering, 'unary_abs_f32', x.ref, ref, x.size)
  }
  const limit = lowering.table(Float32Array.of(high ? Infinity : -Infinity))
  const operands = [
    { dtype: x.dtype, dims: x.dims, ref },
    { dtype: x.dtype, dims: [], ref: limit },
  ] as const
  return emitComparison(lowering, 'Equal', operands, y)
}

const unaryLowerings: Readonly<Record<string, OpDef['lower']>> = { IsInf: lowerIsInf, IsNaN: lowerIsNaN, Not: lowerNot }

function defineUnary(name: string): OpDef {
  return {
    inputs: [1, 1],
    attributes: name === 'IsInf' ? infinityAttributes : undefined,
    infer([x], context) {
      const input = needed(context, x, 'X')
      const content = name === 'Not' ? contentOf(input)?.map((d) => not(d as Truth)) : null
      return [valueOf(name === 'BitwiseNot' ? input.dtype : 'bool', input.dims, content)]
    },
    lower: unaryLowerings[name],
  }
}

export const ops: Readonly<Record<string, OpDef>> = Object.fromEntries([
  ...binaryNames.map((name) => [name, defineBinary(name)] as const),
  ...unaryNames.map((name) => [name, defineUnary(name)] as const),
])

/** A comparison of doubles and of bigints. */
function both(f: (a: number | bigint, b: number | bigint) => boolean): Arithmetic {
  return { number: (a, b) => Number(f(a, b)), wide: (a, b) => BigInt(f(a, b)) }
}

const functions: Readonly<Record<string, Arithmetic>> = {
  And: both((a, b) => Boolean(a) && Boolean(b)),
  Equal: both((a, b) => a === b),
  Greater: both((a, b) => a > b),
  GreaterOrEqual: both((a, b) => a >= b),
  Less: both((a, b) => a < b),
  LessOrEqual: both((a, b) => a <= b),
  Or: both((a, b) => Boolean(a) || Boolean(b)),
  Xor: both((a, b) => Boolean(a) !== Boolean(b)),
}

function reference(name: string): Reference {
  return ([a, b]) => {
    if (a!.type !== 'string') return [combine(functions[name], a!, b!, 'bool')]
    const texts = [a!, b!].map(({ data, dims }): Elements<string> => ({ values: data as readonly string[], dims }))
    const { values, dims } = mapBroadcast(texts, (x, y) => Number(x === y))
    return [tensorOf('bool', values, dims)]
  }
}

/** A reference of one input through doubles. */
function each(f: (x: number, low: boolean, high: boolean) => boolean): Reference {
  return ([x], { detect_negative: low, detect_positive: high }) => [
    tensorOf(
      'bool',
      Array.from(numbersOf(x!), (v) => Number(f(v, low === 1, high === 1))),
      x!.dims,
    ),
  ]
}

export const references: Readonly<Record<string, Reference>> = {
  ...Object.fromEntries(binaryNames.map((name) => [name, reference(name)])),
  BitwiseNot: ([x]) => {
    const encode = encoderOf(x!.type)
    const flipped = Array.from(x!.data as ArrayLike<number | bigint>, (v) => encode(~(v as number)))
    return [tensorOf(x!.type, flipped, x!.dims)]
  },
  IsInf: each((x, low, high) => (x === -Infinity && low) || (x === Infinity && high)),
  IsNaN: each((x) => Number.isNaN(x)),
  Not: each((x) => x === 0),
}

function sample(name: string): Samples {
  return (random) => {
    const logic = (dims: number[]): Tensor =>
      tensorOf(
        'bool',
        Array.from(floats(random, dims).data as Float32Array, (v) => Number(v > 0)),
        dims,
      )
    if (name === 'Not') return [{ inputs: [logic([2, 3])] }, { inputs: [logic([5000])] }]
    if (name === 'BitwiseNot')
      return [{ inputs: [new Tensor('int32', [0, -1, 77])] }, { inputs: [new Tensor('uint64', [0n, 9n])] }]
    const special = new Tensor('float32', [1, -Infinity, NaN, Infinity])
    const long = new Tensor(
      'float32',
      Array.from({ length: 5001 }, (_, i) => special.data[i % 4] as number),
      [3, 1667],
    )
    const values = [special, long, new Tensor('float64', [NaN, 2, -Infinity])].map((x): Sample => ({ inputs: [x] }))
    if (name === 'IsNaN') return values
    if (name === 'IsInf') {
      const kinds: Attributes[] = [
        { detect_negative: 0 },
        { detect_positive: 0 },
        { detect_negative: 0, detect_positive: 0 },
      ]
      return [...values, ...kinds.map((attributes) => ({ inputs: [long], attributes }))]
    }
    if (['And', 'Or', 'Xor'].includes(name))
      return [{ inputs: [logic([2, 3]), logic([3])] }, { inputs: [logic([4, 1]), logic([1, 4])] }]
    const whole = integers(random, [3, 1, 5], -2, 2)
    return [
      { inputs: [floats(random, [2, 3]), floats(random, [3])] },
      { inputs: [whole, integers(random, [2, 1], -2, 2)] },
      { inputs: [new Tensor('float32', [NaN, 1, -0, Infinity]), new Tensor('float32', [NaN, NaN, 0, Infinity])] },
      { inputs: [integers(random, [5000], 0, 255, 'uint8'), integers(random, [], 0, 255, 'uint8')] },
      { inputs: [new Tensor('int64', [1n, 2n ** 60n, 3n]), new Tensor('int64', [1n, 2n ** 60n + 1n, -3n])] },
    ]
  }
}

export const samples: Readonly<Record<string, Samples>> = Object.fromEntries(
  [...binaryNames, ...unaryNames].map((name) => [name, sample(name)]),
)
