// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest'
import { randomInteger, randomNormal, seededRandom } from '../../src/base/rng.ts'

test('a seed gives the same numbers again and another seed gives others', () => {
  const take = (seed: number) => Array.from({ length: 8 }, seededRandom(seed))
  expect(take(7)).toEqual(take(7))
  expect(take(7)).not.toEqual(take(8))
})

test('numbers are uniform in [0, 1), integers cover their range, normals have unit variance', () => {
  const random = seededRandom(3)
  const values = Array.from({ length: 20000 }, random)
  expect(Math.min(...values)).toBeGreaterThanOrEqual(0)
  expect(Math.max(...values)).toBeLessThan(1)
  expect(values.reduce((a, b) => a + b) / values.length).toBeCloseTo(0.5, 1)
  expect(new Set(Array.from({ length: 200 }, () => randomInteger(random, -1, 2)))).toEqual(new Set([-1, 0, 1, 2]))
  const normals = Array.from({ length: 20000 }, () => randomNormal(random))
  expect(normals.reduce((a, b) => a + b * b, 0) / normals.length).toBeCloseTo(1, 1)
})
