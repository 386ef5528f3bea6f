// SPDX-License-Identifier: Apache-2.0
/**
 * Min, Max, Sum, Mean: any number of broadcast inputs of one type, folded two at a time. A NaN wins over every number
 * in Min and Max, as in IEEE 754-2019 minimum and maximum.
 */
import * as dim from '../ir/dim.ts'
import { sizeOf } from '../tensor/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import { contentOfEach, isIntegral } from './arithmetic.ts'
import { type Arithmetic, combine } from './combine.ts'
import { type OpDef, type Reference, type Samples, defineOps } from './define.ts'
import { broadcastOf, commonDtype, valueOf } from './infer.ts'
import { type BinaryKernel, type Place, emitBinary, emitUnary, isFloat32 } from './lower-elementwise.ts'
import { type IntegerOp, emitIntegers } from './lower-integer.ts'
import type { Lowering } from './lower.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { floats } from './sample-tensors.ts'

/** Inputs ONNX allows. */
const most = 2147483647

function define(
  kernel: BinaryKernel,
  integer: IntegerOp | null,
  content: ((a: dim.Dim, b: dim.Dim) => dim.Dim) | null,
  mean = false,
): OpDef {
  return {
    inputs: [1, most],
    numerics: mean
      ? { relative: 1e-6, absolute: 1e-6 }
      : kernel === 'binary_add_f32'
        ? { relative: 1e-6, absolute: 1e-6 }
        : 'exact',
    infer(infos, context) {
      const dtype = commonDtype(context, infos)
      const dims = broadcastOf(context, infos)
      const elements = content && isIntegral(dtype) ? contentOfEach(infos, dims, (...all) => all.reduce(content)) : null
      return [valueOf(dtype, dims, elements)]
    },
    lower: (lowering, { node }) => emitFold(lowering, kernel, integer, node.inputs.length, mean),
  }
}

function emitFold(
  lowering: Lowering,
  kernel: BinaryKernel,
  integer: IntegerOp | null,
  count: number,
  mean: boolean,
): boolean {
  const inputs = Array.from({ length: count }, (_, i) => lowering.input(i)!)
  const y = lowering.output(0)
  const isFloat = isFloat32(...inputs)
  if (!isFloat && integer === null) return false
  if (count === 1) {
    lowering.alias(0, 0)
    return true
  }
  // a partial result has the whole shape: nothing but the first step reads a broadcast left side
  let left: Place = inputs[0]
  for (const right of inputs.slice(1)) {
    const done = isFloat
      ? emitBinary(lowering, kernel, left, right, y.ref, y.dims)
      : emitIntegers(lowering, integer!, y.dtype, [left, right], y)
    if (!done) return false
    left = { ref: y.ref, dims: y.dims }
  }
  if (mean) emitUnary(lowering, 'unary_affine_f32', y.ref, y.ref, y.size, 1 / count, 0)
  return true
}

export const ops = defineOps({
  Max: define('binary_max_f32', 'Max', dim.max),
  Mean: define('binary_add_f32', null, null, true),
  Min: define('binary_min_f32', 'Min', dim.min),
  Sum: define('binary_add_f32', null, dim.add),
})

const functions: Readonly<Record<'Max' | 'Min' | 'Sum', Arithmetic>> = {
  Max: { number: (a, b) => Math.max(a, b), wide: (a, b) => (a > b ? a : b) },
  Min: { number: (a, b) => Math.min(a, b), wide: (a, b) => (a < b ? a : b) },
  Sum: { number: (a, b) => a + b, wide: (a, b) => a + b },
}

function fold(f: Arithmetic): Reference {
  return (inputs) => [(inputs as readonly Tensor[]).reduce((a, b) => combine(f, a, b))]
}

/** Sum of all in double precision; rounding is left to the end. */
function sum(inputs: readonly (Tensor | null)[]): Tensor {
  const doubles = inputs.map((x) => new Tensor('float64', Float64Array.from(numbersOf(x!)), x!.dims))
  return doubles.reduce((a, b) => combine(functions.Sum, a, b))
}

export const references = {
  Max: fold(functions.Max),
  Mean: (inputs) => {
    const total = sum(inputs)
    return [
      tensorOf(
        inputs[0]!.type,
        Array.from(numbersOf(total), (v) => v / inputs.length),
        total.dims,
      ),
    ]
  },
  Min: fold(functions.Min),
  Sum: (inputs) => {
    const { data, dims } = sum(inputs)
    return [tensorOf(inputs[0]!.type, data as Float64Array, dims)]
  },
} satisfies Record<string, Reference>

const sample: Samples = (random) => {
  const shapes = [[[2, 3]], [[2, 3], [3]], [[3, 1], [1, 4], []], [[0], [1]], [[4100], [4100]]]
  return shapes.map((dims) => ({ inputs: dims.map((own) => floats(random, own, -4, 4)) }))
}

const integerSample: Samples = (random) => [
  ...sample(random),
  { inputs: [new Tensor('int64', [1n, -5n, 2n ** 62n]), new Tensor('int64', [-3n], [])] },
  {
    inputs: [
      new Tensor(
        'float32',
        Float32Array.from({ length: sizeOf([2, 2]) }, () => NaN),
        [2, 2],
      ),
      floats(random, [2, 2]),
    ],
  },
]

export const samples = { Max: integerSample, Mean: sample, Min: integerSample, Sum: sample } satisfies Record<
  string,
  Samples
>
