// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest'
import { randomNormal, seededRandom } from '../../src/base/rng.ts'
import { areNarrow, dequantizeWeights, quantizeWeights, signalToNoise } from '../../src/compress/quantize-weights.ts'

const random = seededRandom(5)
const normal = (length: number): Float32Array => Float32Array.from({ length }, () => randomNormal(random))

describe('quantizeWeights', () => {
  const shapes = [
    { channels: 3, taps: 1, inputs: 40 },
    { channels: 4, taps: 9, inputs: 5 },
    { channels: 2, taps: 9, inputs: 1 },
    { channels: 1, taps: 1, inputs: 1 },
  ]

  test.each(shapes)('rounds each weight up or down or clips it, on a scale per output channel: %o', (shape) => {
    const length = shape.taps * shape.inputs
    const weights = normal(shape.channels * length)
    const { codes, scales } = quantizeWeights(weights, shape)
    expect(scales).toHaveLength(shape.channels)
    scales.forEach((scale, channel) => {
      const row = weights.subarray(channel * length, (channel + 1) * length)
      const peak = Math.max(...row.map(Math.abs))
      expect(scale).toBeLessThanOrEqual(Math.fround(peak / 127))
      expect(scale).toBeGreaterThan((0.6 * peak) / 127)
      row.forEach((weight, i) => {
        const code = codes[channel * length + i]
        expect(Math.abs(code)).toBeLessThanOrEqual(127)
        const nearest = Math.max(-127, Math.min(127, weight / scale))
        expect(Math.abs(code - nearest)).toBeLessThan(1)
      })
    })
  })

  test.each(shapes.filter(({ inputs }) => inputs > 1))('lets the errors of a channel cancel: %o', (shape) => {
    const length = shape.taps * shape.inputs
    const weights = normal(shape.channels * length)
    const { codes, scales } = quantizeWeights(weights, shape)
    scales.forEach((scale, channel) => {
      let sum = 0
      for (let i = channel * length; i < (channel + 1) * length; i++) sum += codes[i] - weights[i] / scale
      expect(Math.abs(sum)).toBeLessThanOrEqual(0.5 + 1e-6)
    })
  })

  test('keeps weights that a code stands for exactly', () => {
    const weights = Float32Array.from([127, -127, 5, 0, -64, 1], (code) => code / 64)
    const { codes, scales } = quantizeWeights(weights, { channels: 1, taps: 1, inputs: 6 })
    expect([...codes]).toEqual([127, -127, 5, 0, -64, 1])
    expect([...scales]).toEqual([1 / 64])
  })

  test('clips a few large weights where that makes the others finer', () => {
    const weights = normal(4096)
    weights[7] = 8
    const shape = { channels: 1, taps: 1, inputs: weights.length }
    const { codes, scales } = quantizeWeights(weights, shape)
    expect(scales[0]).toBeLessThan(8 / 127)
    expect(codes[7]).toBe(127)
    const after = dequantizeWeights({ codes, scales, run: weights.length }, weights.length)
    const coarse = weights.map((w) => Math.round((w * 127) / 8) * (8 / 127))
    expect(signalToNoise(weights, after)).toBeGreaterThan(signalToNoise(weights, coarse))
  })

  test.each([
    [{ channels: 8, taps: 1, inputs: 64 }, 32, 1, 3],
    [{ channels: 8, taps: 1, inputs: 129 }, undefined, 1, 3],
    [{ channels: 5, taps: 9, inputs: 7 }, undefined, 1, 3],
    [{ channels: 3, taps: 1, inputs: 2 }, undefined, 1, 3],
    [{ channels: 8, taps: 1, inputs: 64 }, undefined, 2, 9],
    [{ channels: 3, taps: 1, inputs: 5 }, undefined, 2, 9],
  ] as const)(
    'makes narrow codes, which cost little and still cancel: %o, block %o, narrow %i',
    (shape, block, degree, cost) => {
      const length = shape.taps * shape.inputs
      const weights = normal(shape.channels * length)
      const options = block === undefined ? {} : { block }
      const wide = quantizeWeights(weights, shape, options)
      const narrow = quantizeWeights(weights, shape, { ...options, narrow: degree })
      expect(areNarrow(narrow.codes, length, degree)).toBe(true)
      const [before, after] = [wide, narrow].map((form) => signalToNoise(weights, dequantizeWeights(form, length)))
      expect(after).toBeGreaterThan(before - cost)
      const run = block ?? length
      for (let start = 0; start < weights.length; start += run) {
        const scale = narrow.scales[start / run]
        let sum = 0
        for (let i = start; i < start + run; i++) sum += narrow.codes[i] - weights[i] / scale
        // what is taken off large neighbours does not cancel
        const cut = block === undefined && shape.inputs > 100 ? 12 : 6
        expect(Math.abs(sum)).toBeLessThan(cut)
      }
    },
  )

  test('takes as much off each of two large neighbours', () => {
    const weights = Float32Array.from([100, 90, -100, -90, 100, -90, 127, 1], (code) => code / 64)
    const { codes, scales } = quantizeWeights(weights, { channels: 1, taps: 1, inputs: 8 }, { narrow: 1 })
    const [a, b, c, d, e, f] = codes
    expect(a + b).toBe(128)
    expect(c + d).toBe(-128)
    expect([a - b, c - d].map(Math.abs).every((apart) => apart <= 8)).toBe(true)
    expect(e - f).toBeGreaterThan(120)
    expect(scales[0]).toBeGreaterThan(1 / 64)
  })

  test('areNarrow looks at neighbours of one row and one sign', () => {
    expect(areNarrow(Int8Array.of(64, 64, -64, -64, 127, -127), 6)).toBe(true)
    expect(areNarrow(Int8Array.of(65, 64, 0, 0, 0, 0), 6)).toBe(false)
    expect(areNarrow(Int8Array.of(0, 0, -65, -64), 4)).toBe(false)
    expect(areNarrow(Int8Array.of(0, 0, 127, 127, 0, 0), 3)).toBe(true)
  })

  test('gives a channel of zeros the scale 1', () => {
    const { codes, scales } = quantizeWeights(new Float32Array(8), { channels: 2, taps: 1, inputs: 4 })
    expect([...codes]).toEqual(new Array(8).fill(0))
    expect([...scales]).toEqual([1, 1])
  })
})

test('signalToNoise is ten decibels a power of ten, and infinite for equal arrays', () => {
  expect(signalToNoise([1, 2], [1, 2])).toBe(Infinity)
  expect(signalToNoise([10, 0], [9, 0])).toBeCloseTo(20, 10)
  expect(signalToNoise([1, 1], [0, 0])).toBeCloseTo(0, 10)
})
