// SPDX-License-Identifier: Apache-2.0
/** Matrix products for references: doubles, or whatever exact numbers the caller holds. */

/** c[i][j] = sum over p of a[i][p] * b[j][p]: rows of a by rows of b, both k long. */
export function rowProducts(a: ArrayLike<number>, b: ArrayLike<number>, n: number, k: number): Float64Array {
  const m = k === 0 ? 0 : a.length / k
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
