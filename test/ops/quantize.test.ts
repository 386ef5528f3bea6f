// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest'
import { seededRandom } from '../../src/base/rng.ts'
import { extentOf, quantizeRuns, quantizeWith, rangeOf } from '../../src/ops/quantize.ts'

test('zero is always representable, exactly', () => {
  const random = seededRandom(3)
  for (let i = 0; i < 200; i++) {
    const range = rangeOf(random() * 4 - 2, random() * 4)
    expect(quantizeWith([0], range)[0]).toBe(range.zero)
  }
})

test('a value comes back within half a step', () => {
  const random = seededRandom(4)
  const x = Float32Array.from({ length: 300 }, () => random() * 5 - 2)
  const range = rangeOf(...extentOf(x))
  quantizeWith(x, range).forEach((q, i) => {
    expect(Math.abs((q - range.zero) * range.scale - x[i])).toBeLessThanOrEqual(range.scale * 0.5001)
  })
})

test('a run of zeros, NaN and infinities quantises to integers', () => {
  expect(rangeOf(0, 0)).toEqual({ scale: 1, zero: 0 })
  const x = [NaN, Infinity, -1, 0]
  const range = rangeOf(...extentOf(x))
  expect(Number.isFinite(range.scale)).toBe(true)
  expect([...quantizeWith(x, range)]).toEqual([range.zero, 255, range.zero, range.zero])
})

test('each run has a scale of its own', () => {
  const { centred, scales } = quantizeRuns([0, 255, 0, 510], 2, 2)
  expect([...scales]).toEqual([1, 2])
  expect([...centred]).toEqual([0, 255, 0, 255])
})
