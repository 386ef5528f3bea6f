// SPDX-License-Identifier: Apache-2.0
/**
 * whittle.Gemm: rows of x times a weight of one row per output, with an epilogue. x is [..., K], w is [N, K], then
 * bias [N] and a residual with the dims of y.
 * y[..., n] = act(sum over k of x[..., k] * w[n, k] + bias[n] + residual) * post_scale + post_shift
 */
import { sizeOf } from '../tensor/shape.ts'
import { type Attributes, type Random, type Reference, type Sample, type Samples, defineOps } from './define.ts'
import { applyEpilogue } from './activation-reference.ts'
import { epilogueArgs, epilogueAttributes } from './epilogue.ts'
import { inferRows, rowsOf } from './gemm-types.ts'
import { isFloat32 } from './lower-elementwise.ts'
import { emitGemm, packF32, packedWeight } from './lower-gemm.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { rowProducts } from './product.ts'
import { floats } from './sample-tensors.ts'

export const ops = defineOps({
  'whittle.Gemm': {
    inputs: [2, 4],
    attributes: epilogueAttributes,
    numerics: { relative: 1e-5, absolute: 1e-5 },
    infer: ([x, w, bias, residual], context) => inferRows(context, x, w, [['bias', bias]], residual),
    lower(lowering, { attributes }) {
      const [x, w, bias, residual] = [0, 1, 2, 3].map((i) => lowering.input(i))
      if (!isFloat32(x, w, bias, residual) || w!.size === 0) return false
      const { m, n, k } = rowsOf(x!, w!)
      const b = packedWeight(lowering, 1, packF32({ n, k, colStride: k, depthStride: 1 }))
      const epilogue = epilogueArgs(attributes, bias, residual, n, 0)
      emitGemm(lowering, { a: x!.ref, lda: k, b, c: lowering.output(0).ref, ldc: n, m, n, k, epilogue })
      return true
    },
  },
})

export const references = {
  'whittle.Gemm'([x, w, bias, residual], attributes) {
    const [n, k] = w!.dims
    const data = rowProducts(numbersOf(x!), numbersOf(w!), sizeOf(x!.dims.slice(0, -1)), n, k)
    applyEpilogue(data, n, attributes, bias ? numbersOf(bias) : null, residual ? numbersOf(residual) : null)
    return [tensorOf(x!.type, data, [...x!.dims.slice(0, -1), n])]
  },
} satisfies Record<string, Reference>

function sample(random: Random, x: number[], n: number, attributes: Attributes, bias = true, residual = false): Sample {
  const inputs = [
    floats(random, x),
    floats(random, [n, x[x.length - 1]]),
    bias ? floats(random, [n]) : null,
    residual ? floats(random, [...x.slice(0, -1), n]) : null,
  ]
  return { inputs, attributes }
}

export const samples = {
  'whittle.Gemm': (random) => [
    sample(random, [1, 13], 10, {}),
    sample(random, [7, 5], 3, { activation: 'Relu' }, false),
    sample(random, [2, 3, 4, 9], 17, { activation: 'Gelu', post_scale: 2, post_shift: -1 }, true, true),
    sample(random, [13, 32], 40, { activation: 'HardSigmoid', alpha: 0.3, beta: 0.4 }),
    sample(random, [0, 4], 3, {}),
    sample(random, [6], 4, { activation: 'GeluTanh' }),
    sample(random, [5, 8], 8, { activation: 'Sigmoid' }, false, true),
  ],
} satisfies Record<string, Samples>
