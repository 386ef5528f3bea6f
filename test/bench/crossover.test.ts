// SPDX-License-Identifier: Apache-2.0
/** Where sparse and dense are as fast, found from made-up ratios. */
import { expect, test } from 'vitest'
import { crossing } from '../../bench/pick/crossover.ts'

const ends = [0.02, 0.98] as const
/** Sparse products cost what their weights do, and a part more. */
const machine = (zeros: number, perWeight: number) => {
  const ratio = 0.05 + perWeight * (1 - zeros)
  return { zeros, sparse: ratio, dense: 1, ratio }
}

test('the crossover is found between the ends, with the points on the way in order', () => {
  const { zeros, points } = crossing((share) => machine(share, 2), ends, 7)
  expect(zeros).toBeCloseTo(0.525, 6)
  expect(points).toHaveLength(9)
  expect(points.map((point) => point.zeros)).toEqual([...points.map((point) => point.zeros)].sort((a, b) => a - b))
})

test('weights that are ahead or behind at all shares have the first end, or none', () => {
  expect(crossing((share) => machine(share, 0.5), ends, 7).zeros).toBe(0.02)
  expect(crossing((share) => machine(share, 100), ends, 7).zeros).toBe(null)
})
