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
import { noEpilogue } from './epilogue.ts'
import { type ByteMatMul, byteMatMulShape, emitByteMatMul } from './lower-byte-matmul.ts'
import { emitQuantize, emitRange, isByte, isZeroOf, oneChannel, weightZeroOf } from './lower-bytes.ts'
import { emitBinary, isFloat32 } from './lower-elementwise.ts'
import { emitCast } from './lower-cast.ts'
import type { Lowering, Operand, Ref } from './lower.ts'
import { numbersOf, saturate, tensorOf } from './numeric.ts'
import { dotNumbers, matrixProduct } from './product.ts'
import { extentOf, rangeOf } from './quantize.ts'
import { floats, integers } from './sample-tensors.ts'

export const ops = defineOps({
  'com.microsoft.DynamicQuantizeMatMul': {
    inputs: [3, 5],
    numerics: { relative: 1e-4, absolute: 1e-4 },
    infer([a, b], context) {
      const x = needed(context, a, 'A')
      return [{ dtype: x.dtype, dims: matMulDims(context, x, needed(context, b, 'B')) }]
    },
    lower(lowering) {
      const [x, , scale, zero, bias] = [0, 1, 2, 3, 4].map((i) => lowering.input(i))
      if (!isFloat32(x, scale, bias) || x!.size === 0) return false
      const [aScale, aZero, q] = [4, 1, x!.size].map((bytes) => lowering.scratch(bytes))
      emitRange(lowering, x!.ref, x!.size, aScale, aZero)
      emitQuantize(lowering, [x!.ref, q], x!.size, oneChannel(x!.size), aScale, aZero, false)
      const a = { ref: q, dtype: 'uint8', dims: x!.dims } as const
      return emitToFloat(lowering, { a, aScale, aZero }, [scale!, zero, bias])
    },
  },
  'com.microsoft.MatMulIntegerToFloat': {
    inputs: [4, 7],
    numerics: { relative: 1e-5, absolute: 1e-5 },
    infer([a, b, scale], context) {
      const { dtype } = needed(context, scale, 'a_scale')
      return [{ dtype, dims: matMulDims(context, needed(context, a, 'A'), needed(context, b, 'B')) }]
    },
    lower(lowering) {
      const [a, , aScale, bScale, aZero, bZero, bias] = [0, 1, 2, 3, 4, 5, 6].map((i) => lowering.input(i))
      if (!isByte(a) || !isFloat32(aScale, bScale, bias) || a!.size === 0) return false
      if (aScale!.size !== 1 || !isZeroOf(a!.dtype, aZero)) return false
      const left = { a: a!, aScale: aScale!.ref, aZero: aZero?.ref ?? null }
      return emitToFloat(lowering, left, [bScale!, bZero, bias])
    },
  },
})

/** y = (a - a zero)(b - b zero) * a scale * b scale + bias, b the input 1. */
function emitToFloat(
  lowering: Lowering,
  { a, aScale, aZero }: Pick<ByteMatMul, 'a' | 'aZero'> & { readonly aScale: Ref },
  [bScale, bZero, bias]: readonly [Operand, Operand | null, Operand | null],
): boolean {
  const [b, y] = [lowering.input(1)!, lowering.output(0)]
  const { n } = byteMatMulShape(a.dims, b.dims)
  if (!isByte(b) || b.size === 0 || (bias && bias.size !== n) || bScale.dims.length > 1) return false
  if (bScale.size !== 1 && bScale.size !== n) return false
  const one = bScale.size === n ? undefined : bScale.tensor
  const scales = bScale.size === n ? bScale.ref : one && lowering.table(new Float32Array(n).fill(numbersOf(one)[0]))
  if (scales && b.dims.length === 2 && weightZeroOf(lowering, b, bZero, n) === null) {
    const float = { wScale: scales, epilogue: { ...noEpilogue, bias: bias?.ref ?? null } }
    return emitByteMatMul(lowering, { a, aScale, aZero, b: 1, bZero, c: y.ref, float })
  }
  const c = lowering.scratch(y.size * 4)
  if (!emitByteMatMul(lowering, { a, aZero, b: 1, bZero, c })) return false
  emitCast(lowering, ['int32', c], ['float32', y.ref], y.size)
  const terms = [
    ['binary_mul_f32', { ref: aScale, dims: [] }],
    ['binary_mul_f32', bScale],
    ['binary_add_f32', bias],
  ] as const
  return terms.every(([kernel, term]) => term === null || emitBinary(lowering, kernel, y, term, y.ref, y.dims))
}

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
    const nearest = (v: number): number => saturate('int32', Math.fround(v / range.scale))
    const data = Float64Array.from(
      numbersOf(a!),
      (v) => (saturate('uint8', nearest(v) + range.zero) - range.zero) * range.scale,
    )
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
