// SPDX-License-Identifier: Apache-2.0
/**
 * Operators that give what chance does: RandomNormal, RandomUniform, the same in the shape of an input, Bernoulli, and
 * Multinomial. With the attribute `seed` every run gives the same numbers; without it every run gives others.
 * https://onnx.ai/onnx/operators/onnx__RandomNormal.html
 */
import { randomNormal, seededRandom } from '../base/rng.ts'
import { type Dtype, dtypeOfOnnx, dtypes } from '../tensor/dtype.ts'
import { sizeOf } from '../tensor/shape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import {
  type Attributes,
  type OpContext,
  type OpDef,
  type Random,
  type Reference,
  type Sample,
  type Samples,
  type ValueInfo,
  defineOps,
} from './define.ts'
import { complaint, needed, printDims } from './infer.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { floats } from './sample-tensors.ts'

/** Codes of ONNX's types. */
const [float32, int32] = [dtypes.float32.onnx, dtypes.int32.onnx]

const numeric: readonly Dtype[] = (Object.keys(dtypes) as Dtype[]).filter(
  (dtype) => dtypes[dtype].kind !== 'string' && dtypes[dtype].bits >= 8,
)
const real: readonly Dtype[] = ['float16', 'bfloat16', 'float32', 'float64']

/** The type asked for. @throws GraphError naming the node where it is none of these */
function typeOf(context: OpContext, types: readonly Dtype[], fallback?: Dtype): Dtype {
  const code = context.attributes.dtype as number | undefined
  const dtype = code === undefined ? fallback : dtypeOfOnnx(code)
  if (dtype === undefined || !types.includes(dtype))
    throw complaint(context, `a dtype of ${types.join(', ')}`, dtype ?? String(code))
  return dtype
}

const chance = { impure: true, numerics: { relative: 1e-6, absolute: 1e-6 } } as const
const seed = { seed: { kind: 'float' } } as const
const normal = { mean: { kind: 'float', default: 0 }, scale: { kind: 'float', default: 1 }, ...seed } as const
const uniform = { low: { kind: 'float', default: 0 }, high: { kind: 'float', default: 1 }, ...seed } as const

/** Of a shape that an attribute says. */
function shaped(attributes: OpDef['attributes']): OpDef {
  return {
    ...chance,
    inputs: [0, 0],
    attributes: { ...attributes, dtype: { kind: 'int', default: float32 }, shape: { kind: 'ints', required: true } },
    infer(_, context) {
      const dims = context.attributes.shape as readonly number[]
      if (dims.some((size) => size < 0)) throw complaint(context, 'a shape of sizes', printDims(dims))
      return [{ dtype: typeOf(context, real), dims }]
    },
  }
}

/** Of the shape of its input. */
function alike(attributes: OpDef['attributes'], types: readonly Dtype[]): OpDef {
  return {
    ...chance,
    inputs: [1, 1],
    attributes: { ...attributes, dtype: { kind: 'int' } },
    infer([like], context): ValueInfo[] {
      const { dtype, dims } = needed(context, like, 'input')
      return [{ dtype: typeOf(context, types, dtype), dims }]
    },
  }
}

export const ops = defineOps({
  Bernoulli: alike(seed, numeric),
  Multinomial: {
    ...chance,
    inputs: [1, 1],
    attributes: {
      ...seed,
      dtype: { kind: 'int', default: int32 },
      sample_size: { kind: 'int', default: 1 },
    },
    infer([logs], context) {
      const { dims } = needed(context, logs, 'input')
      const count = context.attributes.sample_size as number
      if (count < 1) throw complaint(context, 'a sample_size of 1 or more', String(count))
      if (dims !== null && dims.length !== 2) throw complaint(context, 'an input of rank 2', printDims(dims))
      if (dims?.[1] === 0) throw complaint(context, 'one class or more', '0')
      return [{ dtype: typeOf(context, ['int32', 'int64']), dims: dims && [dims[0], count] }]
    },
  },
  RandomNormal: shaped(normal),
  RandomNormalLike: alike(normal, real),
  RandomUniform: shaped(uniform),
  RandomUniformLike: alike(uniform, real),
})

/** The numbers of one run. The bits of the seed count, which is a float32. */
function randomOf({ seed: given }: Attributes): Random {
  if (given === undefined) return seededRandom(Math.floor(Math.random() * 2 ** 32))
  return seededRandom(new Int32Array(Float32Array.of(given as number).buffer)[0])
}

/** Each element by itself. */
function drawn(
  dtype: Dtype,
  dims: readonly number[],
  attributes: Attributes,
  draw: (random: Random, i: number) => number,
): Tensor {
  const random = randomOf(attributes)
  return tensorOf(
    dtype,
    Float64Array.from({ length: sizeOf(dims) }, (_, i) => draw(random, i)),
    dims,
  )
}

const asked = ({ dtype }: Attributes, fallback: Dtype): Dtype =>
  dtype === undefined ? fallback : dtypeOfOnnx(dtype as number)!

const normals =
  ({ mean, scale }: Attributes) =>
  (random: Random): number =>
    (mean as number) + (scale as number) * randomNormal(random)

const uniforms =
  ({ low, high }: Attributes) =>
  (random: Random): number =>
    (low as number) + ((high as number) - (low as number)) * random()

export const references = {
  Bernoulli([p], attributes) {
    const shares = numbersOf(p!)
    return [drawn(asked(attributes, p!.type), p!.dims, attributes, (random, i) => Number(random() < shares[i]))]
  },
  Multinomial([logs], attributes) {
    const values = numbersOf(logs!)
    const [batch, classes] = logs!.dims
    const count = attributes.sample_size as number
    const sums = Array.from({ length: batch }, (_, b) => {
      const row = Array.from({ length: classes }, (_, c) => values[b * classes + c])
      const most = row.reduce((a, v) => Math.max(a, v), -Infinity)
      let sum = 0
      return row.map((v) => (sum += Math.exp(v - most)))
    })
    const pick = (random: Random, i: number): number => {
      const own = sums[Math.floor(i / count)]
      const at = random() * own[classes - 1]
      const found = own.findIndex((sum) => at < sum)
      return found < 0 ? classes - 1 : found
    }
    return [drawn(asked(attributes, 'int32'), [batch, count], attributes, pick)]
  },
  RandomNormal: (_, attributes) => [
    drawn(asked(attributes, 'float32'), attributes.shape as readonly number[], attributes, normals(attributes)),
  ],
  RandomNormalLike: ([like], attributes) => [
    drawn(asked(attributes, like!.type), like!.dims, attributes, normals(attributes)),
  ],
  RandomUniform: (_, attributes) => [
    drawn(asked(attributes, 'float32'), attributes.shape as readonly number[], attributes, uniforms(attributes)),
  ],
  RandomUniformLike: ([like], attributes) => [
    drawn(asked(attributes, like!.type), like!.dims, attributes, uniforms(attributes)),
  ],
} satisfies Record<string, Reference>

export const samples = {
  Bernoulli: (random): Sample[] => [
    { inputs: [floats(random, [3, 4], 0, 1)], attributes: { seed: 3.5 } },
    { inputs: [floats(random, [5], 0, 1)], attributes: { seed: 1.5, dtype: dtypes.bool.onnx } },
  ],
  Multinomial: (random): Sample[] => [
    { inputs: [floats(random, [2, 5])], attributes: { seed: 2.5, sample_size: 7 } },
    { inputs: [floats(random, [1, 3])], attributes: { seed: 2.5, dtype: dtypes.int64.onnx } },
  ],
  RandomNormal: (): Sample[] => [{ inputs: [], attributes: { seed: 1.5, shape: [2, 3], mean: 0.5, scale: 2.5 } }],
  RandomNormalLike: (random): Sample[] => [
    { inputs: [floats(random, [2, 3])], attributes: { seed: 1.5 } },
    { inputs: [floats(random, [4])], attributes: { seed: 4.5, dtype: dtypes.float64.onnx } },
  ],
  RandomUniform: (): Sample[] => [{ inputs: [], attributes: { seed: 1.5, shape: [2, 3], low: -1.5, high: 2.5 } }],
  RandomUniformLike: (random): Sample[] => [{ inputs: [floats(random, [2, 3])], attributes: { seed: 1.5 } }],
} satisfies Record<string, Samples>
