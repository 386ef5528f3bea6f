// SPDX-License-Identifier: Apache-2.0
/**
 * com.microsoft.QGemm: Gemm of quantised matrices, with exact int32 sums: (A - a zero)(B - b zero) + C, C int32, times
 * a scale * b scale, over y scale and rounded to the type of y's zero point, or float32 where there is no y scale.
 * https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.QGemm
 */
import { type Reference, type Sample, type Samples, type ValueInfo, type OpContext, defineOps } from './define.ts'
import type { Dim } from '../ir/dim.ts'
import { complaint, needed, printDims } from './infer.ts'
import { byteMatMulShape, emitByteMatMul } from './lower-byte-matmul.ts'
import { emitRequantize, isByte, isZeroOf, multipliersOf } from './lower-bytes.ts'
import { numbersOf, saturate, tensorOf } from './numeric.ts'
import { multiplier } from './quantize.ts'
import { floats, integers } from './sample-tensors.ts'

function dimsOf(context: OpContext, a: ValueInfo, b: ValueInfo): Dim[] | null {
  for (const { dims } of [a, b]) {
    if (dims !== null && dims.length !== 2) throw complaint(context, 'matrices', printDims(dims))
  }
  if (a.dims === null || b.dims === null) return null
  const { transA, transB } = context.attributes
  const [inner, depth] = [a.dims[transA === 1 ? 0 : 1], b.dims[transB === 1 ? 1 : 0]]
  if (typeof inner === 'number' && typeof depth === 'number' && inner !== depth) {
    throw complaint(context, `B of depth ${inner}`, printDims(b.dims))
  }
  return [a.dims[transA === 1 ? 1 : 0], b.dims[transB === 1 ? 0 : 1]]
}

export const ops = defineOps({
  'com.microsoft.QGemm': {
    inputs: [6, 9],
    attributes: {
      alpha: { kind: 'float', default: 1 },
      transA: { kind: 'int', default: 0 },
      transB: { kind: 'int', default: 0 },
    },
    numerics: { relative: 1e-5, absolute: 1e-5 },
    infer([a, , , b, , , , scale, zero], context) {
      const dims = dimsOf(context, needed(context, a, 'A'), needed(context, b, 'B'))
      return [{ dtype: scale ? needed(context, zero, 'y_zero_point').dtype : 'float32', dims }]
    },
    lower(lowering, { attributes: { alpha, transA, transB } }) {
      const [a, aScale, aZero, b, bScale, bZero, bias, yScale, yZero] = Array.from({ length: 9 }, (_, i) =>
        lowering.input(i),
      )
      if (!isByte(a) || !isByte(b) || alpha !== 1 || transA === 1 || a!.size * b!.size === 0 || !yScale) return false
      const { n } = byteMatMulShape(a!.dims, b!.dims, transB === 1)
      const y = lowering.output(0)
      const scale = multipliersOf([aScale!, bScale!, yScale], n)
      // one bias for each column
      const isRow = !bias || (bias.dtype === 'int32' && bias.dims.at(-1) === n && bias.size === n)
      if (scale === undefined || !isByte(y) || !isZeroOf(a!.dtype, aZero) || !isZeroOf(y.dtype, yZero) || !isRow)
        return false
      const c = lowering.scratch(y.size * 4)
      const call = { a: a!, aZero: aZero!.ref, b: 3, bZero, transposed: transB === 1, c }
      if (!emitByteMatMul(lowering, call)) return false
      emitRequantize(lowering, [c, y], y.size / n, n, scale, yZero, bias)
      return true
    },
  },
})

export const references = {
  'com.microsoft.QGemm': ([a, aScale, aZero, b, bScale, bZero, bias, yScale, yZero], { alpha, transA, transB }) => {
    const [left, right] = [numbersOf(a!), numbersOf(b!)]
    const [m, k] = transA === 1 ? [...a!.dims].reverse() : a!.dims
    const n = b!.dims[transB === 1 ? 0 : 1]
    const [zeroA, scaleA] = [numbersOf(aZero!)[0], numbersOf(aScale!)[0]]
    const [zeros, scales] = [numbersOf(bZero!), numbersOf(bScale!)]
    const at = (list: ArrayLike<number>, j: number): number => list[list.length === 1 ? 0 : j]
    const extra = bias ? numbersOf(bias) : [0]
    const [rows, columns] = bias && bias.dims.length > 1 ? bias.dims : [1, extra.length]
    const sums = Array.from({ length: m * n }, (_, i) => {
      const [row, j] = [Math.floor(i / n), i % n]
      let sum = extra[(rows === 1 ? 0 : row) * columns + (columns === 1 ? 0 : j)]
      for (let d = 0; d < k; d++) {
        const x = left[transA === 1 ? d * m + row : row * k + d] - zeroA
        sum += x * (right[transB === 1 ? j * k + d : d * n + j] - at(zeros, j))
      }
      return sum
    })
    const factor = (j: number): number => (alpha as number) * at(scales, j)
    if (!yScale)
      return [
        tensorOf(
          'float32',
          sums.map((sum, i) => sum * scaleA * factor(i % n)),
          [m, n],
        ),
      ]
    const [scale, zero] = [numbersOf(yScale)[0], numbersOf(yZero!)[0]]
    const values = sums.map((sum, i) => {
      const product = Math.fround(Math.fround(sum) * multiplier(scaleA, factor(i % n), scale))
      return saturate(yZero!.type, saturate('int32', product) + zero)
    })
    return [tensorOf(yZero!.type, values, [m, n])]
  },
} satisfies Record<string, Reference>

export const samples = {
  'com.microsoft.QGemm': (random): Sample[] => {
    const sides = (transB: number, channels: number[]) => [
      integers(random, [5, 12], 0, 255, 'uint8'),
      floats(random, [], 0.01, 0.02),
      integers(random, [], 100, 140, 'uint8'),
      integers(random, transB ? [9, 12] : [12, 9], -128, 127, 'int8'),
      floats(random, channels, 0.01, 0.02),
      integers(random, channels, 0, 0, 'int8'),
    ]
    const result = [floats(random, [], 0.05, 0.1), integers(random, [], 100, 140, 'uint8')]
    return [
      { inputs: [...sides(1, [9]), integers(random, [9], -500, 500), ...result], attributes: { transB: 1 } },
      { inputs: [...sides(0, []), null, ...result] },
      { inputs: sides(0, []) },
    ]
  },
} satisfies Record<string, Samples>
