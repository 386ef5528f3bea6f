// SPDX-License-Identifier: Apache-2.0
/**
 * whittle.DynamicQuantizeGemm: whittle.Gemm with int8 weights [N, K], one scale per output, and x quantised on the
 * fly, each row by itself, to asymmetric 8 bits (rules: kernels/pack.ts, oracle: quantize.ts).
 * y = act(xScale[row] * wScale[n] * sum((q - zero) * w) + bias + residual) * post_scale + post_shift, the sum in exact integers.
 */
import { sizeOf } from '../tensor/shape.ts'
import { type Attributes, type Random, type Reference, type Sample, type Samples, defineOps } from './define.ts'
import { applyEpilogue } from './activation-reference.ts'
import { epilogueArgs, epilogueAttributes } from './epilogue.ts'
import { inferRows, rowsOf } from './gemm-types.ts'
import { grainOf, roundUp } from './grid.ts'
import { complaint, needed } from './infer.ts'
import { isFloat32, shifted } from './lower-elementwise.ts'
import { byteRecipes, emitByteGemm, mostByteDepth, packS8, packedWeight } from './lower-gemm.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { rowProducts } from './product.ts'
import { quantizeRuns } from './quantize.ts'
import { floats, integers } from './sample-tensors.ts'

export const ops = defineOps({
  'whittle.DynamicQuantizeGemm': {
    inputs: [3, 5],
    attributes: epilogueAttributes,
    numerics: { relative: 1e-5, absolute: 1e-5 },
    infer([x, w, scale, bias, residual], context) {
      needed(context, scale, 'wScale')
      if (w && w.dtype !== 'int8') throw complaint(context, 'int8 weights', w.dtype)
      return inferRows(
        context,
        x,
        w,
        [
          ['wScale', scale],
          ['bias', bias],
        ],
        residual,
      )
    },
    lower(lowering, { attributes }) {
      const [x, w, scale, bias, residual] = [0, 1, 2, 3, 4].map((i) => lowering.input(i))
      if (!isFloat32(x, scale, bias, residual) || w!.dtype !== 'int8' || w!.size === 0) return false
      const { m, n, k } = rowsOf(x!, w!)
      if (k > mostByteDepth) return false
      if (m === 0) return true
      const recipe = byteRecipes[lowering.host.int8]
      const packing = packS8({ n, k, colStride: k, depthStride: 1 }, recipe)
      const b = packedWeight(lowering, 1, packing)
      const ldq = roundUp(k, recipe.group)
      const q = lowering.scratch(m * ldq * recipe.bytes)
      const params = lowering.scratch(m * 8)
      lowering.step({
        kernel: recipe.rows,
        units: m,
        grain: grainOf(k),
        args: { x: x!.ref, ldx: k, q, ldq, params, m, k, bias: recipe.bias },
      })
      const epilogue = epilogueArgs(attributes, bias, residual, n, 0)
      emitByteGemm(
        lowering,
        { a: q, lda: ldq, b, c: lowering.output(0).ref, ldc: n, m, n, k, epilogue },
        { aParams: params, aParamsStride: 1, batchParams: 0, wScale: scale!.ref, wSum: shifted(b, packing.sums) },
      )
      return true
    },
  },
})

export const references = {
  'whittle.DynamicQuantizeGemm'([x, w, wScale, bias, residual], attributes) {
    const [n, k] = w!.dims
    const { centred, scales } = quantizeRuns(numbersOf(x!), k, sizeOf(x!.dims.slice(0, -1)))
    const perOutput = numbersOf(wScale!)
    const data = rowProducts(centred, numbersOf(w!), sizeOf(x!.dims.slice(0, -1)), n, k)
    for (let i = 0; i < data.length; i++) data[i] *= scales[Math.floor(i / n)] * perOutput[i % n]
    applyEpilogue(data, n, attributes, bias ? numbersOf(bias) : null, residual ? numbersOf(residual) : null)
    return [tensorOf(x!.type, data, [...x!.dims.slice(0, -1), n])]
  },
} satisfies Record<string, Reference>

function sample(random: Random, x: number[], n: number, attributes: Attributes, bias = true, residual = false): Sample {
  const inputs = [
    floats(random, x, -2, 1),
    integers(random, [n, x[x.length - 1]], -127, 127, 'int8'),
    floats(random, [n], 0.001, 0.02),
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
  ],
} satisfies Record<string, Samples>
