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
import { byteMatMulShape, emitByteMatMul } from './lower-byte-matmul.ts'
import { emitRequantize, isByte, isZeroOf, multipliersOf } from './lower-bytes.ts'
import { matMulDims } from './matmul-types.ts'
import { numbersOf, saturate, tensorOf } from './numeric.ts'
import { dotNumbers, matrixProduct } from './product.ts'
import { multiplier } from './quantize.ts'
import { floats, integers } from './sample-tensors.ts'

export const ops = defineOps({
  MatMulInteger: {
    inputs: [2, 4],
    infer([a, b], context) {
      return [{ dtype: 'int32', dims: matMulDims(context, needed(context, a, 'A'), needed(context, b, 'B')) }]
    },
    lower(lowering) {
      const [a, b, aZero, bZero] = [0, 1, 2, 3].map((i) => lowering.input(i))
      if (!isByte(a) || !isByte(b) || a!.size * b!.size === 0 || !isZeroOf(a!.dtype, aZero)) return false
      const c = lowering.output(0).ref
      return emitByteMatMul(lowering, { a: a!, aZero: aZero?.ref ?? null, b: 1, bZero, c })
    },
  },
  QLinearMatMul: {
    inputs: [8, 8],
    infer([a, , , b, , , , zero], context) {
      const { dtype } = needed(context, zero, 'y_zero_point')
      return [{ dtype, dims: matMulDims(context, needed(context, a, 'a'), needed(context, b, 'b')) }]
    },
    lower(lowering) {
      const [a, aScale, aZero, b, bScale, bZero, yScale, yZero] = Array.from({ length: 8 }, (_, i) => lowering.input(i))
      if (!isByte(a) || !isByte(b) || a!.size * b!.size === 0 || !isZeroOf(a!.dtype, aZero)) return false
      const y = lowering.output(0)
      if (!isByte(y) || !isZeroOf(y.dtype, yZero)) return false
      const { n } = byteMatMulShape(a!.dims, b!.dims)
      const scale = multipliersOf([aScale!, bScale!, yScale!], n)
      if (scale === undefined) return false
      const c = lowering.scratch(y.size * 4)
      if (!emitByteMatMul(lowering, { a: a!, aZero: aZero!.ref, b: 3, bZero, c })) return false
      emitRequantize(lowering, [c, y], y.size / n, n, scale, yZero)
      return true
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

/** Elements less their zero points. */
function centred(x: Tensor, zero: Tensor | null | undefined, axis: -2 | -1) {
  const shift = perElement(zero, x.dims, axis)
  const values = numbersOf(x)
  return {
    data: Float64Array.from({ length: x.size }, (_, i) => values[i] - (shift?.(i) ?? 0)),
    dims: x.dims,
  }
}

export const references = {
  MatMulInteger([a, b, aZero, bZero]) {
    const { values, dims } = matrixProduct(centred(a!, aZero, -2), centred(b!, bZero, -1), dotNumbers)
    return [tensorOf('int32', values, dims)]
  },
  QLinearMatMul([a, aScale, aZero, b, bScale, bZero, yScale, yZero]) {
    const { values, dims } = matrixProduct(centred(a!, aZero, -2), centred(b!, bZero, -1), dotNumbers)
    const [rows, columns, all] = [
      perElement(aScale, [...dims.slice(0, -1), 1], -2),
      perElement(bScale, dims, -1),
      perElement(yScale, dims, -2),
    ]
    const zero = perElement(yZero, dims, -2)!
    const n = dims.at(-1) ?? 1
    const result = values.map((sum, i) => {
      const factor = multiplier(rows!(Math.floor(i / n)), columns!(i), all!(i))
      return requantized(yZero!.type, Math.fround(Math.fround(Number(sum)) * factor), zero(i))
    })
    return [tensorOf(yZero!.type, result, dims)]
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
    {
      inputs: [
        integers(random, [2, 1, 7, 9], -128, 127, 'int8'),
        integers(random, [3, 9, 10], -128, 127, 'int8'),
        integers(random, [], -9, 9, 'int8'),
        integers(random, [], -9, 9, 'int8'),
      ],
    },
    {
      inputs: [
        integers(random, [6, 40], 0, 255, 'uint8'),
        integers(random, [40, 33], -128, 127, 'int8'),
        integers(random, [], 0, 255, 'uint8'),
        integers(random, [33], 0, 0, 'int8'),
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
    {
      inputs: [
        integers(random, [2, 5, 16], -128, 127, 'int8'),
        floats(random, [], 0.01, 0.02),
        integers(random, [], -9, 9, 'int8'),
        integers(random, [2, 16, 20], -128, 127, 'int8'),
        floats(random, [], 0.01, 0.02),
        integers(random, [], -9, 9, 'int8'),
        floats(random, [], 0.05, 0.1),
        integers(random, [], -9, 9, 'int8'),
      ],
    },
  ],
} satisfies Record<string, Samples>
