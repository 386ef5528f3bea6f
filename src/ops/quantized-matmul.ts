// SPDX-License-Identifier: Apache-2.0
/**
 * ONNX Runtime's products with quantised weights (domain com.microsoft): DynamicQuantizeMatMul quantises A to asymmetric
 * 8 bits first, MatMulIntegerToFloat gets it so.
 * https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 */
import type { Tensor } from '../tensor/tensor.ts'
import { type Reference, type Sample, type Samples, defineOps } from './define.ts'
import { needed } from './infer.ts'
import { matMulDims } from './matmul-types.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { dotNumbers, matrixProduct } from './product.ts'
import { extentOf, quantizeWith, rangeOf } from './quantize.ts'
import { floats, integers } from './sample-tensors.ts'

export const ops = defineOps({
  'com.microsoft.DynamicQuantizeMatMul': {
    inputs: [3, 5],
    numerics: { relative: 1e-4, absolute: 1e-4 },
    infer([a, b], context) {
      const x = needed(context, a, 'A')
      return [{ dtype: x.dtype, dims: matMulDims(context, x, needed(context, b, 'B')) }]
    },
  },
  'com.microsoft.MatMulIntegerToFloat': {
    inputs: [4, 7],
    numerics: { relative: 1e-5, absolute: 1e-5 },
    infer([a, b, scale], context) {
      const { dtype } = needed(context, scale, 'a_scale')
      return [{ dtype, dims: matMulDims(context, needed(context, a, 'A'), needed(context, b, 'B')) }]
    },
  },
})

/** Elements of B less their zero point, times their scale; either is one number or one a column. */
function realColumns(b: Tensor, scale: Tensor, zero: Tensor | null | undefined) {
  const cols = b.dims.at(-1)!
  const [values, factors, shifts] = [numbersOf(b), numbersOf(scale), zero ? numbersOf(zero) : [0]]
  const perColumn = (list: ArrayLike<number>, i: number): number => list[list.length === 1 ? 0 : placeOf(list, i)]
  // vectors are [N], or [batch..., 1, N] for batches of matrices
  const placeOf = (list: ArrayLike<number>, i: number): number =>
    list.length === cols ? i % cols : Math.floor(i / (b.dims.at(-2)! * cols)) * cols + (i % cols)
  return {
    data: Float64Array.from(values, (v, i) => (v - perColumn(shifts, i)) * perColumn(factors, i)),
    dims: b.dims,
  }
}

function withBias(values: readonly (number | bigint)[], bias: Tensor | null | undefined): number[] {
  const shifts = bias ? numbersOf(bias) : [0]
  return values.map((v, i) => Number(v) + shifts[i % shifts.length])
}

export const references = {
  'com.microsoft.DynamicQuantizeMatMul': ([a, b, scale, zero, bias]) => {
    const range = rangeOf(...extentOf(numbersOf(a!)))
    const data = Float64Array.from(quantizeWith(numbersOf(a!), range), (q) => (q - range.zero) * range.scale)
    const { values, dims } = matrixProduct({ data, dims: a!.dims }, realColumns(b!, scale!, zero), dotNumbers)
    return [tensorOf(a!.type, withBias(values, bias), dims)]
  },
  'com.microsoft.MatMulIntegerToFloat': ([a, b, aScale, bScale, aZero, bZero, bias]) => {
    const [factor, shift] = [numbersOf(aScale!)[0], aZero ? numbersOf(aZero)[0] : 0]
    const data = Float64Array.from(numbersOf(a!), (q) => (q - shift) * factor)
    const { values, dims } = matrixProduct({ data, dims: a!.dims }, realColumns(b!, bScale!, bZero), dotNumbers)
    return [tensorOf(aScale!.type, withBias(values, bias), dims)]
  },
} satisfies Record<string, Reference>

export const samples = {
  'com.microsoft.DynamicQuantizeMatMul': (random): Sample[] => [
    {
      inputs: [floats(random, [2, 3, 8]), integers(random, [8, 5], -128, 127, 'int8'), floats(random, [5], 0.01, 0.02)],
    },
    {
      inputs: [
        floats(random, [3, 8]),
        integers(random, [8, 5], 0, 255, 'uint8'),
        floats(random, [], 0.01, 0.02),
        integers(random, [], 100, 140, 'uint8'),
        floats(random, [5]),
      ],
    },
  ],
  'com.microsoft.MatMulIntegerToFloat': (random): Sample[] => [
    {
      inputs: [
        integers(random, [3, 8], 0, 255, 'uint8'),
        integers(random, [8, 5], -128, 127, 'int8'),
        floats(random, [], 0.01, 0.02),
        floats(random, [5], 0.01, 0.02),
        integers(random, [], 100, 140, 'uint8'),
        null,
        floats(random, [5]),
      ],
    },
  ],
} satisfies Record<string, Samples>
