// SPDX-License-Identifier: Apache-2.0
/** Quantised tensors as real numbers and back, float32 at every step: what the operators on them share. */
import type { Dtype } from '../tensor/dtype.ts'
import { Tensor } from '../tensor/tensor.ts'
import { numbersOf, saturate, tensorOf } from './numeric.ts'

type Input = Tensor | null | undefined

/** (q - zero) * scale. A zero point left out is 0. */
export function real(
  x: Tensor,
  scale: Input,
  zero: Input,
): { readonly data: Float32Array; readonly dims: readonly number[] } {
  const [factor, shift] = [numbersOf(scale!)[0], zero ? numbersOf(zero)[0] : 0]
  return { data: Float32Array.from(numbersOf(x), (v) => (v - shift) * factor), dims: x.dims }
}

/** saturate(nearest(value / scale) + zero). */
export function quantised(
  dtype: Dtype,
  values: ArrayLike<number>,
  dims: readonly number[],
  scale: Input,
  zero: Input,
): Tensor {
  const [factor, shift] = [numbersOf(scale!)[0], zero ? numbersOf(zero)[0] : 0]
  const result = Array.from(values, (v) =>
    saturate(dtype, saturate('int32', Math.fround(Math.fround(v) / factor)) + shift),
  )
  return tensorOf(dtype, result, dims)
}

/** What f makes of each of the 256 bytes, by their pattern. */
export function quantisedTable(
  dtype: 'int8' | 'uint8',
  [xScale, xZero, yScale, yZero]: readonly [Input, Input, Input, Input],
  f: (x: number) => number,
): Tensor {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i)
  const all = new Tensor(dtype, dtype === 'int8' ? new Int8Array(bytes.buffer) : bytes)
  const { data, dims } = real(all, xScale, xZero)
  return quantised(dtype, Array.from(data, f), dims, yScale, yZero)
}
