// SPDX-License-Identifier: Apache-2.0
/**
 * What the arithmetic of two inputs (binary.ts), of many (variadic.ts) and comparisons share besides their reference
 * (combine.ts): the content of small integer results.
 */
import { type Dim, areKnown } from '../ir/dim.ts'
import { maxContent } from '../ir/infer.ts'
import { type Dtype, dtypes } from '../tensor/dtype.ts'
import { mapBroadcast } from './broadcast.ts'
import type { ValueInfo } from './define.ts'
import { contentOf, knownSize } from './infer.ts'

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
