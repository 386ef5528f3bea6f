// SPDX-License-Identifier: Apache-2.0
/**
 * What inference and lowerings read of elements: stored patterns, integers, and places. Arithmetic of references on every
 * type is in numeric.ts, which a page does not fetch.
 */
import { GraphError } from '../base/errors.ts'
import { type Dtype, type TensorData, dtypes } from '../tensor/dtype.ts'
import { sizeOf } from '../tensor/shape.ts'
import type { Tensor } from '../tensor/tensor.ts'

/** True for int64 and uint64, whose elements are bigints. */
export function isWide(dtype: Dtype): boolean {
  return dtype === 'int64' || dtype === 'uint64'
}

export function isFloat(dtype: Dtype): boolean {
  return dtypes[dtype].kind === 'float'
}

export function isInteger(dtype: Dtype): boolean {
  return dtypes[dtype].kind === 'int' || dtypes[dtype].kind === 'uint'
}

/** Least and greatest value of an integer type. */
export function rangeOf(dtype: Dtype): readonly [bigint, bigint] {
  const { bits, kind } = dtypes[dtype]
  const span = 1n << BigInt(bits)
  return kind === 'int' ? [-span / 2n, span / 2n - 1n] : [0n, span - 1n]
}

/** A mutable, array-like run of stored patterns, one per element (strings: the strings). */
export type Cells = (Exclude<TensorData, readonly string[]> | string[]) & { length: number }

/** Stored patterns, one per element: the data itself, or for sub-byte types an unpacked copy (low bits first). */
export function cellsOf(tensor: Tensor): Cells {
  const { bits } = dtypes[tensor.type]
  if (bits === 0 || bits >= 8) return tensor.data as Cells
  const packed = tensor.data as Uint8Array
  const perByte = 8 / bits
  const cells = new Uint8Array(tensor.size)
  for (let i = 0; i < cells.length; i++) {
    cells[i] = (packed[Math.floor(i / perByte)] >> ((i % perByte) * bits)) & ((1 << bits) - 1)
  }
  return cells
}

/** Calls `visit(i, offset)` for every element of `dims` in row-major order, offset = the sum of index * stride. */
export function walk(
  dims: readonly number[],
  strides: readonly number[],
  visit: (i: number, offset: number) => void,
): void {
  const size = sizeOf(dims)
  const index = new Array<number>(dims.length).fill(0)
  let offset = 0
  for (let i = 0; i < size; i++) {
    visit(i, offset)
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      offset += strides[axis]
      if (++index[axis] < dims[axis]) break
      offset -= strides[axis] * dims[axis]
      index[axis] = 0
    }
  }
}

/** The offsets `walk` visits, as an array. */
export function offsetsOf(dims: readonly number[], strides: readonly number[], start = 0): Int32Array {
  const offsets = new Int32Array(sizeOf(dims))
  walk(dims, strides, (i, offset) => {
    offsets[i] = start + offset
  })
  return offsets
}

/** Integer elements as safe integers: what lies beyond 2^53 is cut to it (INT64_MAX as "to the end"). */
export function integersOf(tensor: Tensor): number[] {
  const { bits, kind } = dtypes[tensor.type]
  const spare = kind === 'int' && bits < 8 ? 32 - bits : 0
  return Array.from(cellsOf(tensor) as ArrayLike<number | bigint>, (pattern) => {
    const value = Number(pattern)
    if (spare > 0) return (value << spare) >> spare
    return Math.min(Math.max(value, Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER)
  })
}

/** An index that may count from the end, from the front. @throws GraphError when it is out of range */
export function indexFromFront(index: number, size: number): number {
  if (index < -size || index >= size) {
    throw new GraphError({ where: 'indices', expected: `integers in [${-size}, ${size})`, got: String(index) })
  }
  return index < 0 ? index + size : index
}
