// SPDX-License-Identifier: Apache-2.0
/** The reference of element-wise arithmetic: picks doubles or 64-bit integers by type. */
import type { Dtype } from '../tensor/dtype.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { mapBroadcast } from './broadcast.ts'
import { isWide } from './elements.ts'
import { numbersOf, tensorOf } from './numeric.ts'

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
