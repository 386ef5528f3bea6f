// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest'
import { seededRandom } from '../../src/base/rng.ts'
import { extentOf, quantizeRuns, quantizeWith, rangeOf } from '../../src/ops/quantize.ts'

const largest = 3.4028234663852886e38

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

test.each([
  ['nothing', [], { scale: 1, zero: 0 }],
  ['nothing but NaN', [NaN, NaN], { scale: 1, zero: 0 }],
  ['a range whose step is below the smallest normal number', [-1e-40, 2e-37], { scale: 1, zero: 0 }],
  ['the smallest step that is normal', [0, 255 * 2 ** -126], { scale: 2 ** -126, zero: 0 }],
  ['minus infinity', [-Infinity, 0], { scale: Math.fround(largest / 255), zero: 255 }],
  ['a width beyond float32', [-largest, largest], { scale: Math.fround(largest / 255), zero: 255 }],
  ['a zero point between two integers, to the even one', [-0.5, 254.5], { scale: 1, zero: 0 }],
])('the range of %s', (_, x, range) => {
  expect(rangeOf(...extentOf(x))).toEqual(range)
})

test('values far outside a range that they did not make saturate', () => {
  const range = rangeOf(-1, 1)
  expect([...quantizeWith([1e30, -1e30, Infinity, -Infinity, NaN], range)]).toEqual([255, 0, 255, 0, range.zero])
})

test('each run has a scale of its own', () => {
  const { centred, scales } = quantizeRuns([0, 255, 0, 510], 2, 2)
  expect([...scales]).toEqual([1, 2])
  expect([...centred]).toEqual([0, 255, 0, 255])
})
