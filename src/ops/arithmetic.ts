// SPDX-License-Identifier: Apache-2.0
/**
 * What the arithmetic of two inputs (binary.ts), of many (variadic.ts) and comparisons share: the reference that picks
 * doubles or 64-bit integers by type, and the content of small integer results.
 */
import { type Dim, areKnown } from '../ir/dim.ts'
import { maxContent } from '../ir/infer.ts'
import { type Dtype, dtypes } from '../tensor/dtype.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { mapBroadcast } from './broadcast.ts'
import type { ValueInfo } from './define.ts'
import { contentOf, knownSize } from './infer.ts'
import { isWide, numbersOf, tensorOf } from './numeric.ts'

/** One function for doubles and one for 64-bit integers; each sees what kind the element type is of. */
export interface Arithmetic {
  readonly number: (a: number, b: number, dtype: Dtype) => number
  readonly wide: (a: bigint, b: bigint) => bigint
}

/** f over two broadcast tensors, as elements of `dtype`. Integers wrap around. */
export function combine(f: Arithmetic, a: Tensor, b: Tensor, dtype: Dtype = a.type): Tensor {
  if (isWide(a.type) && isWide(b.type)) {
    const left = { values: a.data as BigInt64Array, dims: a.dims }
    const { values, dims } = mapBroadcast([left, { values: b.data as BigInt64Array, dims: b.dims }], f.wide)
    return tensorOf(dtype, values, dims)
  }
  const left = { values: numbersOf(a), dims: a.dims }
  const right = { values: numbersOf(b), dims: b.dims }
  const { values, dims } = mapBroadcast<number, number>([left, right], (x, y) => f.number(x, y, a.type))
  return tensorOf(dtype, values, dims)
}

/** Content of an element-wise result: f over broadcast contents, null where one is missing or f does not know. */
export function contentOfEach(
  infos: readonly (ValueInfo | null)[],
  dims: readonly Dim[] | null,
  f: (...elements: Dim[]) => Dim | null,
): (Dim | null)[] | null {
  const size = knownSize(dims)
  if (dims === null || size === null || size > maxContent) return null
  const operands: { values: readonly Dim[]; dims: readonly number[] }[] = []
  for (const info of infos) {
    const values = contentOf(info)
    if (values === null || !info?.dims || !areKnown(info.dims)) return null
    operands.push({ values, dims: info.dims })
  }
  return mapBroadcast(operands, f).values
}

/** Integer division of ONNX: towards zero; by zero gives 0. */
export function divideIntegers(a: number, b: number): number {
  return b === 0 ? 0 : Math.trunc(a / b)
}

/** True for element types whose arithmetic is that of integers. */
export function isIntegral(dtype: Dtype): boolean {
  return dtypes[dtype].kind !== 'float'
}
