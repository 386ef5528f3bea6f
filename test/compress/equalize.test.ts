// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest'
import { randomNormal, seededRandom } from '../../src/base/rng.ts'
import type { ValueStatistics } from '../../src/compress/calibrate.ts'
import { dividedBy, equalization } from '../../src/compress/equalize.ts'

const random = seededRandom(3)
const normal = (length: number) => Float32Array.from({ length }, () => randomNormal(random))

function valuesOf(sizes: readonly number[]): ValueStatistics {
  const of = (map: (size: number) => number) => Float64Array.from(sizes, map)
  const moments = [Float64Array.from({ length: sizes.length ** 2 }, (_, i) => (i % (sizes.length + 1) === 0 ? 1 : 0))]
  return { means: of(() => 0), squares: of((s) => s * s), least: of((s) => -s), most: of((s) => s), moments, rows: 100 }
}

describe('equalization', () => {
  const shape = { channels: 16, taps: 1, inputs: 64 }

  test('leaves layers alone whose channels are alike', () => {
    expect(equalization(normal(16 * 64), shape, valuesOf(Array<number>(64).fill(2)), { largest: 127 })).toBeUndefined()
  })

  test.each([undefined, 32])('divides the inputs that are large, block %o', (block) => {
    const sizes = Array.from({ length: 64 }, (_, i) => (i % 32 === 5 ? 40 : 1))
    const form = { largest: 127, ...(block === undefined ? {} : { block }) }
    const t = equalization(normal(16 * 64), shape, valuesOf(sizes), form)!
    expect(t[5]).toBeGreaterThan(3 * t[6])
    expect(t.every((value) => value > 0 && Number.isFinite(value))).toBe(true)
  })

  test('goes by the weights alone where a layer has several taps', () => {
    const taps = { channels: 16, taps: 3, inputs: 32 }
    const weights = normal(16 * 96).map((value, i) => (i % 32 === 7 ? 50 * value : value))
    const even = valuesOf(Array.from({ length: 32 }, (_, i) => (i === 7 ? 0.02 : 1)))
    const t = equalization(weights, taps, even, { largest: 127 })!
    expect(t[7]).toBeLessThan(0.3 * t[8])
  })

  test('says nothing of inputs or weights that are all zero, or not finite', () => {
    const weights = normal(16 * 64)
    const sizes = (size: number) => valuesOf(Array<number>(64).fill(size))
    expect(equalization(weights, shape, sizes(0), { largest: 127 })).toBeUndefined()
    expect(equalization(weights, shape, sizes(Infinity), { largest: 127 })).toBeUndefined()
    expect(equalization(new Float32Array(16 * 64), shape, sizes(1), { largest: 127 })).toBeUndefined()
  })

  test('dividedBy tells what is known of x / t', () => {
    const values = dividedBy(Float32Array.of(2, 4), { ...valuesOf([2, 8]), moments: [Float64Array.of(4, 8, 8, 64)] })
    expect([...values.most]).toEqual([1, 2])
    expect([...values.squares]).toEqual([1, 4])
    expect([...values.moments[0]]).toEqual([1, 1, 1, 4])
  })
})
