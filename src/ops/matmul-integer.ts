// SPDX-License-Identifier: Apache-2.0
/**
 * MatMulInteger and QLinearMatMul: matrix products of 8-bit integers. The first gives the exact int32 sums of
 * (A - a zero)(B - b zero); the second scales them and rounds to 8 bits again, ties to even, saturating. Zero points
 * and scales are one number, or one for each row of A and column of B.
 * https://onnx.ai/onnx/operators/onnx__MatMulInteger.html, onnx__QLinearMatMul.html
 */
import type { Tensor } from '../tensor/tensor.ts'
import { type Reference, type Sample, type Samples, defineOps } from './define.ts'
import { broadcastOffsets } from './broadcast.ts'
import { needed } from './infer.ts'
import { matMulDims } from './matmul-types.ts'
import { numbersOf, saturate, tensorOf } from './numeric.ts'
import { dotNumbers, matrixProduct } from './product.ts'
import { floats, integers } from './sample-tensors.ts'

export const ops = defineOps({
  MatMulInteger: {
    inputs: [2, 4],
    infer([a, b], context) {
      return [{ dtype: 'int32', dims: matMulDims(context, needed(context, a, 'A'), needed(context, b, 'B')) }]
    },
  },
  QLinearMatMul: {
    inputs: [8, 8],
    infer([a, , , b, , , , zero], context) {
      const { dtype } = needed(context, zero, 'y_zero_point')
      return [{ dtype, dims: matMulDims(context, needed(context, a, 'a'), needed(context, b, 'b')) }]
    },
  },
})

/** What a zero point or scale says for element i: `axis` is where it varies when it is a vector ('rows' of A: -2, columns of B: -1). */
function perElement(
  operand: Tensor | null | undefined,
  dims: readonly number[],
  axis: -2 | -1,
): ((i: number) => number) | null {
  if (!operand) return null
  const values = numbersOf(operand)
  if (operand.size === 1) return () => values[0]
  const shape = operand.dims.length === 1 ? (axis === -1 ? operand.dims : [operand.dims[0], 1]) : operand.dims
  const offsets = broadcastOffsets(shape, dims)
  return (i) => values[offsets?.[i] ?? i]
}

/** Elements less their zero points, times their scales. */
function centred(x: Tensor, zero: Tensor | null | undefined, axis: -2 | -1, scale?: Tensor | null) {
  const shift = perElement(zero, x.dims, axis)
  const factor = perElement(scale, x.dims, axis)
  const values = numbersOf(x)
  return {
    data: Float64Array.from({ length: x.size }, (_, i) => (values[i] - (shift?.(i) ?? 0)) * (factor?.(i) ?? 1)),
    dims: x.dims,
  }
}

export const references = {
  MatMulInteger([a, b, aZero, bZero]) {
    const { values, dims } = matrixProduct(centred(a!, aZero, -2), centred(b!, bZero, -1), dotNumbers)
    return [tensorOf('int32', values, dims)]
  },
  QLinearMatMul([a, aScale, aZero, b, bScale, bZero, yScale, yZero]) {
    const product = matrixProduct(centred(a!, aZero, -2, aScale), centred(b!, bZero, -1, bScale), dotNumbers)
    const scale = perElement(yScale, product.dims, -2)!
    const zero = perElement(yZero, product.dims, -2)!
    const values = product.values.map((v, i) => requantized(yZero!.type, Number(v) / scale(i), zero(i)))
    return [tensorOf(yZero!.type, values, product.dims)]
  },
} satisfies Record<string, Reference>

/** round(value) + zero, saturated. */
function requantized(type: Tensor['type'], value: number, zero: number): number {
  return saturate(type, saturate('int32', value) + zero)
}

export const samples = {
  MatMulInteger: (random): Sample[] => [
    { inputs: [integers(random, [3, 5], 0, 255, 'uint8'), integers(random, [5, 4], -128, 127, 'int8')] },
    {
      inputs: [
        integers(random, [2, 3, 5], 0, 255, 'uint8'),
        integers(random, [5, 4], 0, 255, 'uint8'),
        integers(random, [], 100, 140, 'uint8'),
        integers(random, [4], 100, 140, 'uint8'),
      ],
    },
  ],
  QLinearMatMul: (random): Sample[] => [
    {
      inputs: [
        integers(random, [3, 5], 0, 255, 'uint8'),
        floats(random, [], 0.01, 0.02),
        integers(random, [], 100, 140, 'uint8'),
        integers(random, [5, 4], 0, 255, 'uint8'),
        floats(random, [4], 0.01, 0.02),
        integers(random, [4], 100, 140, 'uint8'),
        floats(random, [], 0.05, 0.1),
        integers(random, [], 100, 140, 'uint8'),
      ],
    },
  ],
} satisfies Record<string, Samples>
