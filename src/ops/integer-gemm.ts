// SPDX-License-Identifier: Apache-2.0
/**
 * whittle.IntegerGemm: rows of bytes a [..., K] with one scale and one zero point times int8 weights w [N, K] with a scale per
 * output, as float32: what com.microsoft.MatMulIntegerToFloat is where its weights are constant, with an epilogue.
 * y = act(aScale * wScale[n] * sum((a - aZero) * w) + bias + residual) * post_scale + post_shift, the sum in exact integers.
 */
import { sizeOf } from '../tensor/shape.ts'
import { applyEpilogue } from './activation-reference.ts'
import { type Attributes, type Random, type Reference, type Sample, type Samples, defineOps } from './define.ts'
import { epilogueArgs, epilogueAttributes } from './epilogue.ts'
import { inferRows } from './gemm-types.ts'
import { complaint, needed } from './infer.ts'
import { emitByteMatMul } from './lower-byte-matmul.ts'
import { isByte, isZeroOf } from './lower-bytes.ts'
import { isFloat32 } from './lower-elementwise.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { rowProducts } from './product.ts'
import { floats, integers } from './sample-tensors.ts'

export const ops = defineOps({
  'whittle.IntegerGemm': {
    inputs: [4, 7],
    attributes: epilogueAttributes,
    numerics: { relative: 1e-5, absolute: 1e-5 },
    infer([a, w, aScale, wScale, , bias, residual], context) {
      if (w && w.dtype !== 'int8') throw complaint(context, 'int8 weights', w.dtype)
      const { dtype } = needed(context, aScale, 'aScale')
      const vectors = [
        ['wScale', needed(context, wScale, 'wScale')],
        ['bias', bias],
      ] as const
      return inferRows(context, a, w, vectors, residual).map(({ dims }) => ({ dtype, dims }))
    },
    lower(lowering, { attributes }) {
      const [a, w, aScale, wScale, aZero, bias, residual] = [0, 1, 2, 3, 4, 5, 6].map((i) => lowering.input(i))
      if (!isByte(a) || !isFloat32(aScale, wScale, bias, residual) || a!.size === 0 || w!.size === 0) return false
      if (aScale!.size !== 1 || !isZeroOf(a!.dtype, aZero)) return false
      const epilogue = epilogueArgs(attributes, bias, residual, w!.dims[0], 0)
      return emitByteMatMul(lowering, {
        a: a!,
        aScale: aScale!.ref,
        aZero: aZero?.ref ?? null,
        b: 1,
        bZero: null,
        transposed: true,
        c: lowering.output(0).ref,
        float: { wScale: wScale!.ref, epilogue },
      })
    },
  },
})

export const references = {
  'whittle.IntegerGemm'([a, w, aScale, wScale, aZero, bias, residual], attributes) {
    const [n, k] = w!.dims
    const m = sizeOf(a!.dims.slice(0, -1))
    const [factor, zero] = [numbersOf(aScale!)[0], aZero ? numbersOf(aZero)[0] : 0]
    const scales = numbersOf(wScale!)
    const centred = Float64Array.from(numbersOf(a!), (value) => value - zero)
    const data = rowProducts(centred, numbersOf(w!), m, n, k)
    for (let i = 0; i < data.length; i++) data[i] *= factor * scales[i % n]
    applyEpilogue(data, n, attributes, bias ? numbersOf(bias) : null, residual ? numbersOf(residual) : null)
    return [tensorOf(aScale!.type, data, [...a!.dims.slice(0, -1), n])]
  },
} satisfies Record<string, Reference>

function sample(random: Random, a: number[], n: number, attributes: Attributes, type: 'int8' | 'uint8' | null): Sample {
  const k = a[a.length - 1]
  const inputs = [
    type === 'int8' ? integers(random, a, -128, 127, 'int8') : integers(random, a, 0, 255, 'uint8'),
    integers(random, [n, k], -128, 127, 'int8'),
    floats(random, [], 0.01, 0.02),
    floats(random, [n], 0.01, 0.02),
    type === null ? null : integers(random, [], type === 'int8' ? -10 : 100, type === 'int8' ? 10 : 140, type),
    floats(random, [n]),
    type === null ? null : floats(random, [...a.slice(0, -1), n]),
  ]
  return { inputs, attributes }
}

export const samples = {
  'whittle.IntegerGemm': (random) => [
    sample(random, [1, 13], 10, {}, null),
    sample(random, [2, 3, 32], 19, { activation: 'Relu' }, 'uint8'),
    sample(random, [7, 9], 40, { activation: 'Gelu', post_scale: 2, post_shift: -1 }, 'int8'),
  ],
} satisfies Record<string, Samples>
