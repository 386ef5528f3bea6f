// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest'
import { erf } from '../../src/ops/erf.ts'

test('erf agrees with tabulated values to 1e-15 and is odd', () => {
  // Abramowitz & Stegun, table 7.1, extended by series to 16 digits
  const table = [
    [0, 0],
    [0.5, 0.5204998778130465],
    [1, 0.8427007929497149],
    [2, 0.9953222650189527],
    [3, 0.9999779095030014],
  ]
  for (const [x, y] of table) {
    expect(Math.abs(erf(x) - y)).toBeLessThan(1e-15)
    expect(erf(-x)).toBeCloseTo(-y, 15)
  }
})

test('erf is 1 far out, -1 on the other side, and NaN for NaN', () => {
  expect([erf(7), erf(-Infinity), erf(Number.NaN)]).toEqual([1, -1, Number.NaN])
})
