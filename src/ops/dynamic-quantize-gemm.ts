// SPDX-License-Identifier: Apache-2.0
/**
 * whittle.DynamicQuantizeGemm: whittle.Gemm with int8 weights [N, K] and x quantised on the fly, each row by itself, to
 * asymmetric 8 bits (rules: kernels/pack.ts, oracle: quantize.ts). Weights have one scale per output, wScale [N], or, with
 * the attribute `block` (32, 64 or 128), one per output and block of K, wScale [N, ceil(K / block)].
 * y = act(xScale[row] * sum over blocks of wScale[n, block] * sum((q - zero) * w) + bias + residual) * post_scale
 *     + post_shift, the inner sum in exact integers.
 */
import { sizeOf } from '../tensor/shape.ts'
import {
  type AttributeSpec,
  type Attributes,
  type Random,
  type Reference,
  type Sample,
  type Samples,
  defineOps,
} from './define.ts'
import { applyEpilogue } from './activation-reference.ts'
import { type EpilogueArgs, epilogueArgs, epilogueAttributes } from './epilogue.ts'
import { checkScales, inferRows, rowsOf } from './gemm-types.ts'
import { grainOf, roundUp } from './grid.ts'
import { complaint, needed } from './infer.ts'
import { isFloat32, shifted } from './lower-elementwise.ts'
import type { Lowering } from './lower.ts'
import {
  byteRecipes,
  emitByteGemm,
  emitScaledGemm,
  mostByteDepth,
  packF32,
  packS8,
  packS8Blocks,
  packedWeight,
} from './lower-gemm.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { blockProducts } from './product.ts'
import { quantizeRuns } from './quantize.ts'
import { floats, integers } from './sample-tensors.ts'

const attributes = {
  ...epilogueAttributes,
  /** Elements of K that share a scale; 0: all. */
  block: { kind: 'int', default: 0 },
} as const satisfies Record<string, AttributeSpec>

export const ops = defineOps({
  'whittle.DynamicQuantizeGemm': {
    inputs: [3, 5],
    attributes,
    numerics: { relative: 1e-5, absolute: 1e-5 },
    infer([x, w, scale, bias, residual], context) {
      if (w && w.dtype !== 'int8') throw complaint(context, 'int8 weights', w.dtype)
      checkScales(context, needed(context, scale, 'wScale'), w, context.attributes.block as number)
      return inferRows(context, x, w, [['bias', bias]], residual)
    },
    lower(lowering, { attributes }) {
      const [x, w, scale, bias, residual] = [0, 1, 2, 3, 4].map((i) => lowering.input(i))
      if (!isFloat32(x, scale, bias, residual) || w!.dtype !== 'int8' || w!.size === 0) return false
      const { m, n, k } = rowsOf(x!, w!)
      const block = attributes.block as number
      if (block === 0 && k > mostByteDepth) return false
      if (m === 0) return true
      emitRows(lowering, { m, n, k }, block, epilogueArgs(attributes, bias, residual, n, 0))
      return true
    },
  },
})

/** Quantises the rows of x, then multiplies them. */
function emitRows(
  lowering: Lowering,
  { m, n, k }: { m: number; n: number; k: number },
  block: number,
  epilogue: EpilogueArgs,
): void {
  const recipe = byteRecipes[lowering.host.int8]
  const matrix = { n, k, colStride: k, depthStride: 1 }
  const packing = block === 0 ? packS8(matrix, recipe) : packS8Blocks(matrix, recipe, block)
  const b = packedWeight(lowering, 1, packing)
  const ldq = roundUp(k, recipe.group)
  const q = lowering.scratch(m * ldq * recipe.bytes)
  const params = lowering.scratch(m * 8)
  lowering.step({
    kernel: recipe.rows,
    units: m,
    grain: grainOf(k),
    args: { x: lowering.input(0)!.ref, ldx: k, q, ldq, params, m, k, bias: recipe.bias },
  })
  const call = { a: q, lda: ldq, b, c: lowering.output(0).ref, ldc: n, m, n, k, epilogue }
  const wSum = shifted(b, packing.sums)
  if (block === 0) {
    const wScale = lowering.input(2)!.ref
    emitByteGemm(lowering, call, { aParams: params, aParamsStride: 1, batchParams: 0, wScale, wSum })
    return
  }
  const blocks = Math.ceil(k / block)
  const wScale = packedWeight(lowering, 2, packF32({ n, k: blocks, colStride: blocks, depthStride: 1 }))
  // The row's term is the zero point beside its scale.
  const rows = { aParams: params, rowTerms: shifted(params, 4), rowTermsRow: 2, rowTermsBlock: 0 }
  emitScaledGemm(lowering, call, { ...rows, wScale, wTerms: wSum, block })
}

export const references = {
  'whittle.DynamicQuantizeGemm'([x, w, wScale, bias, residual], attributes) {
    const [n, k] = w!.dims
    const m = sizeOf(x!.dims.slice(0, -1))
    const { centred, scales } = quantizeRuns(numbersOf(x!), k, m)
    const block = (attributes.block as number) || Math.max(1, k)
    const data = blockProducts(centred, numbersOf(w!), numbersOf(wScale!), { m, n, k, block })
    for (let i = 0; i < data.length; i++) data[i] *= scales[Math.floor(i / n)]
    applyEpilogue(data, n, attributes, bias ? numbersOf(bias) : null, residual ? numbersOf(residual) : null)
    return [tensorOf(x!.type, data, [...x!.dims.slice(0, -1), n])]
  },
} satisfies Record<string, Reference>

function sample(random: Random, x: number[], n: number, attributes: Attributes, bias = true, residual = false): Sample {
  const k = x[x.length - 1]
  const block = (attributes.block as number | undefined) ?? 0
  const inputs = [
    floats(random, x, -2, 1),
    integers(random, [n, k], -127, 127, 'int8'),
    floats(random, block === 0 ? [n] : [n, Math.ceil(k / block)], 0.001, 0.02),
    bias ? floats(random, [n]) : null,
    residual ? floats(random, [...x.slice(0, -1), n]) : null,
  ]
  return { inputs, attributes }
}

export const samples = {
  'whittle.DynamicQuantizeGemm': (random) => [
    sample(random, [1, 13], 10, {}),
    sample(random, [7, 5], 3, { activation: 'Relu' }, false),
    sample(random, [2, 3, 4, 9], 17, { activation: 'Gelu', post_scale: 2, post_shift: -1 }, true, true),
    sample(random, [13, 32], 40, { activation: 'HardSwish' }),
    sample(random, [0, 4], 3, {}),
    sample(random, [6], 4, { activation: 'Clip', alpha: -1, beta: 1 }),
    { inputs: [floats(random, [2, 4], 0, 0), ...sample(random, [1, 4], 3, {}).inputs.slice(1)] },
    sample(random, [1, 64], 40, { block: 32 }),
    sample(random, [2, 7, 100], 19, { block: 32, activation: 'Relu' }, true, true),
    sample(random, [3, 130], 16, { block: 64 }, false),
    sample(random, [5, 40], 3, { block: 128 }),
  ],
} satisfies Record<string, Samples>
