// SPDX-License-Identifier: Apache-2.0
/** Matrix products for references: doubles, or whatever exact numbers the caller holds. Only references use this file. */
import { broadcastDims, sizeOf } from '../tensor/shape.ts'
import { broadcastOffsets } from './broadcast.ts'
import { matMulShape } from './matmul-types.ts'
import type { Exact } from './numeric.ts'

/** c[i][j] = sum over p of a[i][p] * b[j][p]: m rows of a by n rows of b, all k long. */
export function rowProducts(a: ArrayLike<number>, b: ArrayLike<number>, m: number, n: number, k: number): Float64Array {
  const c = new Float64Array(m * n)
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0
      for (let p = 0; p < k; p++) sum += a[i * k + p] * b[j * k + p]
      c[i * n + j] = sum
    }
  }
  return c
}

/** A matrix in a larger array: element (i, j) is at start + i * row + j * col. */
export interface MatrixView<T> {
  readonly data: ArrayLike<T>
  readonly start: number
  readonly row: number
  readonly col: number
}

/** Element (i, j) of the product of two views with inner length k; 0 when k is 0. */
export function dotNumbers(a: MatrixView<number>, b: MatrixView<number>, i: number, j: number, k: number): number {
  let sum = 0
  for (let p = 0; p < k; p++) sum += a.data[a.start + i * a.row + p * a.col] * b.data[b.start + p * b.row + j * b.col]
  return sum
}

/** The same in integers of any size. */
export function dotExact(
  a: MatrixView<number | bigint>,
  b: MatrixView<number | bigint>,
  i: number,
  j: number,
  k: number,
): bigint {
  let sum = 0n
  for (let p = 0; p < k; p++) {
    sum += BigInt(a.data[a.start + i * a.row + p * a.col]) * BigInt(b.data[b.start + p * b.row + j * b.col])
  }
  return sum
}

/** One of the two above. */
export type Dot<T> = (a: MatrixView<T>, b: MatrixView<T>, i: number, j: number, k: number) => Exact

/** An operand: elements and shape. */
export interface Matrices<T> {
  readonly data: ArrayLike<T>
  readonly dims: readonly number[]
}

/** numpy.matmul of two operands by `dot`. */
export function matrixProduct<T extends Exact>(
  x: Matrices<T>,
  y: Matrices<T>,
  dot: Dot<T>,
): { values: Exact[]; dims: number[] } {
  const { a, b, tail } = matMulShape(x.dims, y.dims, 1)
  const [m, k] = a.slice(-2)
  const n = b[b.length - 1]
  const aFront = a.slice(0, -2)
  const bFront = b.slice(0, -2)
  const front = broadcastDims(aFront, bFront)
  const aAt = broadcastOffsets(aFront, front)
  const bAt = broadcastOffsets(bFront, front)
  const values = new Array<Exact>(sizeOf(front) * m * n)
  for (let i = 0; i < values.length; i++) {
    const at = Math.floor(i / (m * n))
    const rows = { data: x.data, start: (aAt?.[at] ?? at) * m * k, row: k, col: 1 }
    const cols = { data: y.data, start: (bAt?.[at] ?? at) * k * n, row: n, col: 1 }
    values[i] = dot(rows, cols, Math.floor(i / n) % m, i % n, k)
  }
  return { values, dims: [...front, ...tail] }
}

/**
 * rowProducts whose second operand has a scale per row and `block` elements of it: the sum over blocks of
 * scales[j][block] times the block's product.
 */
export function blockProducts(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  scales: ArrayLike<number>,
  { m, n, k, block }: { readonly m: number; readonly n: number; readonly k: number; readonly block: number },
): Float64Array {
  const blocks = Math.ceil(k / block)
  const c = new Float64Array(m * n)
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      for (let at = 0; at < blocks; at++) {
        const end = Math.min(k, (at + 1) * block)
        let sum = 0
        for (let p = at * block; p < end; p++) sum += a[i * k + p] * b[j * k + p]
        c[i * n + j] += scales[j * blocks + at] * sum
      }
    }
  }
  return c
}
