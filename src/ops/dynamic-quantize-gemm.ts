// SPDX-License-Identifier: Apache-2.0
/**
 * whittle.DynamicQuantizeGemm: whittle.Gemm with quantised weights [N, K] and x quantised on the fly, each row by
 * itself, to asymmetric 8 bits (rules: kernels/pack.ts, oracle: quantize.ts). int8 weights have one scale per output,
 * wScale [N], or, with the attribute `block` (32, 64 or 128), one per output and block of K, wScale
 * [N, ceil(K / block)]. int4 and uint4 weights always have blocks; those of uint4 have zero points, wZero uint4
 * [N, ceil(K / block)], 8 where it is left out. The attribute `narrow` says that int8 weights are (kernels/gemm.ts).
 * whittle.WeightOnlyGemm has the same inputs and leaves x as it is; its blocks may be any multiple of 16.
 * y = act(xScale[row] * sum over blocks of wScale[n, block] * sum((q - zero) * (w - wZero[n, block])) + bias + residual)
 *     * post_scale + post_shift, the inner sum in exact integers; hosts with int16 pairs round w * wScale to 16 bits where there
 * are blocks and 16 rows (kernels/gemm.ts).
 */
import { roundUp } from '../kernels/blocks.ts'
import { sizeOf } from '../tensor/shape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import {
  type AttributeSpec,
  type Attributes,
  type OpContext,
  type Random,
  type Reference,
  type Sample,
  type Samples,
  type ValueInfo,
  defineOps,
} from './define.ts'
import { applyEpilogue } from './activation-reference.ts'
import { type EpilogueArgs, epilogueArgs, epilogueAttributes } from './epilogue.ts'
import { checkBlocks, checkScales, inferRows, rowsOf } from './gemm-types.ts'
import { complaint, needed } from './infer.ts'
import { type BlockWeights, blockNumerics, emitBlockGemm, emitWeightOnlyGemm } from './lower-blocks.ts'
import { isFloat32, shifted } from './lower-elementwise.ts'
import {
  type ByteRecipe,
  emitByteGemm,
  mostByteDepth,
  narrowAttribute,
  packS8,
  packedWeight,
  quantizeRows,
  recipeFor,
} from './lower-gemm.ts'
import type { Lowering, Operand } from './lower.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { blockProducts } from './product.ts'
import { quantizeRuns } from './quantize.ts'
import { floats, integers, narrowWeights, smallIntegers } from './sample-tensors.ts'

const attributes = {
  ...epilogueAttributes,
  ...narrowAttribute,
  /** Elements of K that share a scale; 0: all. */
  block: { kind: 'int', default: 0 },
} as const satisfies Record<string, AttributeSpec>

/** Types of both operators. */
function inferQuantized(
  [x, w, scale, bias, residual, zero]: readonly (ValueInfo | null)[],
  context: OpContext,
): ValueInfo[] {
  const block = context.attributes.block as number
  if (w && !['int8', 'int4', 'uint4'].includes(w.dtype)) {
    throw complaint(context, 'int8, int4 or uint4 weights', w.dtype)
  }
  if (w && w.dtype !== 'int8' && block === 0) throw complaint(context, `block with ${w.dtype} weights`, '0')
  if (zero && (w?.dtype !== 'uint4' || zero.dtype !== 'uint4')) {
    throw complaint(context, 'uint4 zero points, of uint4 weights', `${zero.dtype} of ${w?.dtype}`)
  }
  checkScales(context, needed(context, scale, 'wScale'), w, block, context.node.op === 'whittle.WeightOnlyGemm')
  if (zero) checkBlocks(context, 'wZero', zero, w, block)
  return inferRows(context, x, w, [['bias', bias]], residual)
}

export const ops = defineOps({
  'whittle.DynamicQuantizeGemm': {
    inputs: [3, 6],
    attributes,
    numerics: blockNumerics,
    infer: inferQuantized,
    lower(lowering, { attributes }) {
      const [x, w, scale, bias, residual, zero] = [0, 1, 2, 3, 4, 5].map((i) => lowering.input(i))
      if (!isFloat32(x, scale, bias, residual) || w!.size === 0) return false
      const { m, n, k } = rowsOf(x!, w!)
      const block = attributes.block as number
      if (block === 0 && k > mostByteDepth) return false
      if (m === 0) return true
      const epilogue = epilogueArgs(attributes, bias, residual, n, 0)
      if (block === 0) emitRows(lowering, { m, n, k }, recipeFor(lowering.host, attributes, k), epilogue)
      else {
        const recipe = recipeFor(lowering.host, attributes, k)
        emitBlockGemm(lowering, { m, n, k }, { ...weightsOf(w!, zero, attributes), recipe }, epilogue)
      }
      return true
    },
  },
  'whittle.WeightOnlyGemm': {
    inputs: [3, 6],
    attributes,
    numerics: { relative: 1e-5, absolute: 1e-5 },
    infer: inferQuantized,
    lower(lowering, { attributes }) {
      const [x, w, scale, bias, residual, zero] = [0, 1, 2, 3, 4, 5].map((i) => lowering.input(i))
      if (!isFloat32(x, scale, bias, residual) || w!.size === 0) return false
      const { m, n, k } = rowsOf(x!, w!)
      if (m === 0) return true
      const weights = weightsOf(w!, zero, attributes)
      emitWeightOnlyGemm(lowering, { m, n, k }, weights, epilogueArgs(attributes, bias, residual, n, 0))
      return true
    },
  },
})

function weightsOf(w: Operand, zero: Operand | null, { block }: Attributes): BlockWeights {
  const bits = w.dtype === 'int8' ? 8 : 4
  return { inputs: [1, 2, zero && 5], bits, block: block as number, signed: w.dtype === 'int4' }
}

/** One scale per output: quantises the rows of x, then multiplies them. */
function emitRows(
  lowering: Lowering,
  { m, n, k }: { m: number; n: number; k: number },
  recipe: ByteRecipe,
  epilogue: EpilogueArgs,
): void {
  const packing = packS8({ n, k, colStride: k, depthStride: 1 }, recipe)
  const b = packedWeight(lowering, 1, packing)
  const ldq = roundUp(k, recipe.group)
  const { q, params } = quantizeRows(lowering, recipe, { x: lowering.input(0)!.ref, m, k, ldq })
  const [wScale, wSum] = [lowering.input(2)!.ref, shifted(b, packing.sums)]
  emitByteGemm(
    lowering,
    { a: q, lda: ldq, b, c: lowering.output(0).ref, ldc: n, m, n, k, epilogue },
    { aParams: params, aParamsStride: 1, batchParams: 0, wScale, wSum },
    recipe,
  )
}

/** Weights less their zero points. */
function centredWeights(w: Tensor, zero: Tensor | null | undefined, block: number): ArrayLike<number> {
  const values = numbersOf(w)
  if (w.type !== 'uint4') return values
  const k = w.dims[1]
  const blocks = Math.ceil(k / block)
  const zeros = zero ? numbersOf(zero) : null
  const zeroAt = (i: number) => (zeros ? zeros[Math.floor(i / k) * blocks + Math.floor((i % k) / block)] : 8)
  return Float64Array.from({ length: w.size }, (_, i) => values[i] - zeroAt(i))
}

/** Sums [rows of x, n] after the epilogue. */
function finished(
  x: Tensor,
  n: number,
  data: Float64Array,
  attributes: Attributes,
  bias: Tensor | null | undefined,
  residual: Tensor | null | undefined,
): Tensor {
  applyEpilogue(data, n, attributes, bias ? numbersOf(bias) : null, residual ? numbersOf(residual) : null)
  return tensorOf(x.type, data, [...x.dims.slice(0, -1), n])
}

export const references = {
  'whittle.DynamicQuantizeGemm'([x, w, wScale, bias, residual, zero], attributes) {
    const [n, k] = w!.dims
    const m = sizeOf(x!.dims.slice(0, -1))
    const { centred, scales } = quantizeRuns(numbersOf(x!), k, m)
    const block = (attributes.block as number) || Math.max(1, k)
    const weights = centredWeights(w!, zero, block)
    const data = blockProducts(centred, weights, numbersOf(wScale!), { m, n, k, block })
    for (let i = 0; i < data.length; i++) data[i] *= scales[Math.floor(i / n)]
    return [finished(x!, n, data, attributes, bias, residual)]
  },
  'whittle.WeightOnlyGemm'([x, w, wScale, bias, residual, zero], attributes) {
    const [n, k] = w!.dims
    const m = sizeOf(x!.dims.slice(0, -1))
    const block = (attributes.block as number) || Math.max(1, k)
    const weights = centredWeights(w!, zero, block)
    const data = blockProducts(numbersOf(x!), weights, numbersOf(wScale!), { m, n, k, block })
    return [finished(x!, n, data, attributes, bias, residual)]
  },
} satisfies Record<string, Reference>

interface Options {
  readonly bias?: boolean
  readonly residual?: boolean
  readonly type?: 'int8' | 'int4' | 'uint4'
  readonly zero?: boolean
}

function codesOf(random: Random, n: number, k: number, { narrow }: Attributes): Tensor {
  return narrow === 1 ? narrowWeights(random, [n, k], k) : integers(random, [n, k], -128, 127, 'int8')
}

function sample(random: Random, x: number[], n: number, attributes: Attributes, options: Options = {}): Sample {
  const { bias = true, residual = false, type = 'int8', zero = false } = options
  const k = x[x.length - 1]
  const block = (attributes.block as number | undefined) ?? 0
  const blocks = block === 0 ? [n] : [n, Math.ceil(k / block)]
  const inputs = [
    floats(random, x, -2, 1),
    type === 'int8' ? codesOf(random, n, k, attributes) : smallIntegers(random, [n, k], type),
    floats(random, blocks, 0.001, 0.02),
    bias ? floats(random, [n]) : null,
    residual ? floats(random, [...x.slice(0, -1), n]) : null,
    zero ? smallIntegers(random, blocks, 'uint4') : null,
  ]
  return { inputs, attributes }
}

const quantizedSamples: Samples = (random) => [
  sample(random, [1, 13], 10, {}),
  sample(random, [7, 5], 3, { activation: 'Relu' }, { bias: false }),
  sample(random, [2, 3, 4, 9], 17, { activation: 'Gelu', post_scale: 2, post_shift: -1 }, { residual: true }),
  sample(random, [13, 32], 40, { activation: 'HardSwish' }),
  sample(random, [0, 4], 3, {}),
  sample(random, [6], 4, { activation: 'Clip', alpha: -1, beta: 1 }),
  { inputs: [floats(random, [2, 4], 0, 0), ...sample(random, [1, 4], 3, {}).inputs.slice(1)] },
  sample(random, [1, 64], 40, { block: 32 }),
  sample(random, [13, 33], 40, { narrow: 1 }),
  sample(random, [3, 64], 9, { narrow: 1, activation: 'Relu' }),
  sample(random, [9, 100], 19, { narrow: 1, block: 32 }),
  sample(random, [2, 64], 40, { narrow: 1, block: 64 }),
  sample(random, [2, 7, 100], 19, { block: 32, activation: 'Relu' }, { residual: true }),
  sample(random, [3, 130], 16, { block: 64 }, { bias: false }),
  sample(random, [5, 40], 3, { block: 128 }),
  sample(random, [1, 96], 43, { block: 32 }, { type: 'int4' }),
  sample(random, [2, 9, 77], 19, { block: 32, activation: 'Relu' }, { type: 'int4', residual: true }),
  sample(random, [1, 256], 9, { block: 128 }, { type: 'uint4', zero: true }),
  sample(random, [3, 100], 17, { block: 64 }, { type: 'uint4', zero: true, bias: false }),
  sample(random, [11, 65], 5, { block: 32 }, { type: 'uint4' }),
]

/** The deeper a product, the fewer bits have the shares that hosts with int16 sums of products round scales to (kernels/pack.ts). */
const deepNumerics = { ...blockNumerics, ofLargest: 1e-3 } as const

export const samples = {
  'whittle.DynamicQuantizeGemm': (random) => [
    ...quantizedSamples(random),
    // deep enough for shares of few bits, and for sums that are begun anew
    { ...sample(random, [9, 1100], 19, { narrow: 1, block: 32 }), numerics: deepNumerics },
    { ...sample(random, [5, 4200], 11, { block: 64 }, { type: 'uint4', zero: true }), numerics: deepNumerics },
  ],
  'whittle.WeightOnlyGemm': (random) => [
    ...quantizedSamples(random),
    sample(random, [5, 40], 9, { block: 16, activation: 'Silu' }, { residual: true }),
    sample(random, [2, 300], 9, { block: 256 }, { type: 'uint4', zero: true }),
  ],
} satisfies Record<string, Samples>
