// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest'
import { randomNormal, seededRandom } from '../../src/base/rng.ts'
import { dequantizeWeights, quantizeWeights, signalToNoise } from '../../src/compress/quantize-weights.ts'

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
