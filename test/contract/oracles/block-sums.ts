// SPDX-License-Identifier: Apache-2.0
/**
 * The sums of products whose weights have a scale per block of K (src/kernels/gemm.ts), in double precision, with the
 * arguments that belong to the zero points of both sides.
 */
import { input } from '../kernel.ts'
import { randomIntegers } from '../values.ts'
import { roundUp } from './panels.ts'

export interface BlockSumOptions {
  /** 4-bit weights have zero points. */
  readonly zeros?: boolean
  readonly bits: 4 | 8
  readonly lda: number
  /** [n/8][blocks][8]. */
  readonly scales: Float32Array
}

/**
 * Of rows `a` and weights `w` [n][k] as they are stored.
 * @returns `of` gives the sum of a row and a column, without the row's scale, and the size of what float32 adds up on the way;
 * `ofLargest` what rounding weights to shares of the largest scale is a share of
 */
export function blockSums(
  random: () => number,
  a: ArrayLike<number>,
  w: ArrayLike<number>,
  [m, n, k]: readonly [number, number, number],
  block: number,
  { zeros = false, bits, lda, scales }: BlockSumOptions,
) {
  const blocks = Math.ceil(k / block)
  const words = roundUp(n, 8) * blocks
  const offsets = randomIntegers(Int32Array, random, words, zeros ? -7 : 0, zeros ? 8 : 0)
  const placeOf = (column: number, at: number) => ((column >> 3) * blocks + at) * 8 + (column & 7)
  const weightAt = (column: number, i: number): number =>
    w[column * k + i]! - (bits === 4 ? 8 - offsets[placeOf(column, Math.floor(i / block))]! : 0)
  const rowSums = new Int32Array(m * blocks)
  for (let row = 0; row < m; row++) {
    for (let i = 0; i < k; i++) rowSums[row * blocks + Math.floor(i / block)]! += a[row * lda + i]!
  }
  const wSum = new Float32Array(roundUp(n, 8))
  for (let column = 0; column < n; column++) {
    let sum = 0
    for (let i = 0; i < k; i++) sum += scales[placeOf(column, Math.floor(i / block))]! * weightAt(column, i)
    wSum[column] = sum
  }
  const of = (row: number, column: number, zero: number) => {
    let value = -zero * wSum[column]!
    let size = Math.abs(value)
    for (let at = 0; at < blocks; at++) {
      let acc = 0
      for (let i = at * block; i < Math.min(k, (at + 1) * block); i++) acc += a[row * lda + i]! * weightAt(column, i)
      const part = scales[placeOf(column, at)]! * acc
      value += part
      size += Math.abs(part)
    }
    return { value, size }
  }
  /** The sum of the row's bytes times the largest scale of the column, of blocks that are not all zeros. */
  const ofLargest = (row: number, column: number) => {
    let [sum, largest] = [0, 0]
    for (let i = 0; i < k; i++) {
      sum += Math.abs(a[row * lda + i]!)
      const scale = Math.abs(scales[placeOf(column, Math.floor(i / block))]!)
      if (weightAt(column, i) !== 0) largest = Math.max(largest, scale)
    }
    return sum * largest
  }
  const args = {
    rowSums: bits === 4 ? input(rowSums.map((sum) => sum & 0xffff)) : null,
    wScale: input(scales, 4),
    wSum: input(wSum),
    wZeros: zeros ? input(offsets) : null,
  }
  return { of, ofLargest, offsets, args }
}
