// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest'
import { biasCorrection } from '../../src/compress/correct-bias.ts'

test('the correction is what the errors of the weights do to the mean input', () => {
  const exact = Float32Array.of(1, 2, 3, 4)
  const after = Float32Array.of(1, 1.5, 3.5, 4)
  const shape = { channels: 2, taps: 1, inputs: 2 }
  expect([...biasCorrection(exact, after, shape, Float64Array.of(10, 4))]).toEqual([2, -5])
  expect([...biasCorrection(exact, exact, shape, Float64Array.of(10, 4))]).toEqual([0, 0])
})

test('every tap of a window sees the mean of its channel', () => {
  const exact = Float32Array.of(1, 1, 1, 1, 1, 1)
  const after = Float32Array.of(0, 1, 0, 1, 0, 0.5)
  expect([...biasCorrection(exact, after, { channels: 1, taps: 3, inputs: 2 }, Float64Array.of(2, 8))]).toEqual([10])
})

test('a group reads its own channels', () => {
  const exact = Float32Array.of(1, 1, 1, 1)
  const after = new Float32Array(4)
  const shape = { channels: 4, taps: 1, inputs: 1 }
  expect([...biasCorrection(exact, after, shape, Float64Array.of(1, 2, 3, 4), 4)]).toEqual([1, 2, 3, 4])
  expect([...biasCorrection(exact, after, shape, Float64Array.of(1, 2), 2)]).toEqual([1, 1, 2, 2])
})
