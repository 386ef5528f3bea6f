// SPDX-License-Identifier: Apache-2.0
/** Cases of kernels that make a row of a row: shapes that reach every tail, rows with what float32 has at its ends. */
import { randomInteger } from '../../../src/base/rng.ts'
import { inPlace, input, output, same, type Bound, type KernelCase } from '../kernel.ts'

/** What becomes of a row, in float64, and how far each element may be off. */
export type RowRule = (row: readonly number[], index: number) => { want: number[]; bounds: readonly Bound[] }

/** Kernels over rows of `cols`: once apart and once in place. */
export function rowCases(
  random: () => number,
  rule: RowRule,
  numbers: Readonly<Record<string, KernelCase['args'][string]>>,
  [rows, cols]: readonly [number, number],
  x: Float32Array,
  kind: string,
): KernelCase[] {
  const want: number[] = []
  const bounds: Bound[] = []
  for (let row = 0; row < rows; row++) {
    const result = rule(Array.from(x.subarray(row * cols, (row + 1) * cols)), row)
    want.push(...result.want.map(Math.fround))
    bounds.push(...result.bounds)
  }
  const bound = (i: number): Bound => bounds[i]!
  const title = `${rows} rows of ${cols}, ${kind}`
  return [
    { title, units: rows, args: { x: input(x, 4), y: output(Float32Array, want, bound, 12), rows, cols, ...numbers } },
    {
      title: `${title}, in place`,
      units: rows,
      args: { x: same('y'), y: inPlace(x, want, bound, randomInteger(random, 0, 3) * 4), rows, cols, ...numbers },
    },
  ]
}

export const rowShapes: readonly (readonly [number, number])[] = [
  [3, 64],
  [4, 1],
  [2, 3],
  [5, 13],
  [2, 39],
  [3, 130],
]

/**
 * Rows no kernel may stumble over: one huge value, a mask of -inf, only -inf, a NaN, +inf, values far apart, denormals,
 * zeros, the largest of both signs, and what has squares that float32 cannot hold or holds as a denormal.
 */
export const hardRows: readonly (readonly number[])[] = [
  [1e30, 1, 2, 3, 4, 5, 6],
  [-Infinity, 1, -Infinity, 2, -Infinity, -Infinity, 0.5],
  Array<number>(7).fill(-Infinity),
  [1, 2, NaN, 4, 5, 6, 7],
  [1, Infinity, 3, 4, 5, 6, 7],
  [0, -50, -87, -88, -100, -10000, 3e38 * -1],
  [1e-40, 2e-40, -1e-40, 0, 1e-45, 2e-42, -0],
  Array<number>(7).fill(0),
  [3e38, -3e38, 2e38, 3e38, 3e38, 3e38, 1e38],
  [3e19, -3e19, 1, 2e19, 3e10, 4, 5e18],
  [1e-20, 2e-20, 3e-20, -1e-20, 0, 5e-20, 1e-20],
]
