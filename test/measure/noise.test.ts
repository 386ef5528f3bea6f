// SPDX-License-Identifier: Apache-2.0
/** Signal-to-noise of pieces, and its edges. */
import { describe, expect, it } from 'vitest'
import { Noise } from '../../src/measure/noise.ts'

function noiseOf(...pieces: [number[], number[]][]): number {
  const noise = new Noise()
  for (const [signal, approximation] of pieces) noise.add(signal, approximation)
  return noise.decibels
}

describe('Noise', () => {
  it('is 20 dB for an error of a tenth, however the signal is cut', () => {
    expect(
      noiseOf([
        [1, 2],
        [1.1, 2.2],
      ]),
    ).toBeCloseTo(20, 9)
    expect(noiseOf([[1], [1.1]], [[2], [2.2]])).toBeCloseTo(20, 9)
  })
  it('is infinite for equal signals, NaN and infinities included, and for none', () => {
    expect(
      noiseOf([
        [1, NaN, Infinity],
        [1, NaN, Infinity],
      ]),
    ).toBe(Infinity)
    expect(noiseOf()).toBe(Infinity)
  })
  it('is never NaN: noise over nothing and NaN on one side are minus infinity', () => {
    expect(
      noiseOf([
        [0, 0],
        [0, 1],
      ]),
    ).toBe(-Infinity)
    expect(
      noiseOf([
        [1, 1],
        [1, NaN],
      ]),
    ).toBe(-Infinity)
    expect(
      noiseOf([
        [1, Infinity],
        [1, 2],
      ]),
    ).toBe(-Infinity)
  })
  it('takes integers of 64 bits', () => {
    const noise = new Noise()
    noise.add(BigInt64Array.of(10n), BigInt64Array.of(9n))
    expect(noise.decibels).toBeCloseTo(20, 9)
  })
})
