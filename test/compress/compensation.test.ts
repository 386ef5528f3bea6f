// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest'
import { randomNormal, seededRandom } from '../../src/base/rng.ts'
import { compensationOf } from '../../src/compress/compensation.ts'
import { areNarrow, dequantizeWeights, quantizeWeights } from '../../src/compress/quantize-weights.ts'

const random = seededRandom(11)

/** Rows of inputs that are mixtures of a few: channels go together. */
function inputsOf(count: number, width: number): Float64Array[] {
  const mixture = Array.from({ length: 6 * width }, () => randomNormal(random))
  return Array.from({ length: count }, () => {
    const source = Array.from({ length: 6 }, () => randomNormal(random))
    return Float64Array.from({ length: width }, (_, i) => {
      const own = 0.1 * randomNormal(random)
      return source.reduce((sum, value, j) => sum + value * mixture[j * width + i], own)
    })
  })
}

function momentsOf(rows: readonly Float64Array[], blocks: readonly number[]): Float64Array[] {
  let first = 0
  return blocks.map((width) => {
    const at = first
    first += width
    return Float64Array.from({ length: width * width }, (_, i) => {
      const [a, b] = [at + Math.floor(i / width), at + (i % width)]
      return rows.reduce((sum, row) => sum + row[a] * row[b], 0) / rows.length
    })
  })
}

/** Mean square of what rounding changes of the outputs. */
function errorOf(rows: readonly Float64Array[], exact: Float32Array, after: Float32Array): number {
  const width = rows[0].length
  let sum = 0
  for (const row of rows) {
    for (let start = 0; start < exact.length; start += width) {
      const error = row.reduce((total, x, i) => total + x * (after[start + i] - exact[start + i]), 0)
      sum += error * error
    }
  }
  return sum / rows.length
}

describe('compensation', () => {
  test.each([
    ['int8', { bits: 8 }, [48]],
    ['int8 in blocks of 32', { bits: 8, block: 32 }, [96]],
    ['int4 in blocks of 32', { bits: 4, block: 32 }, [96]],
    ['narrow int8', { bits: 8, narrow: 1 }, [48]],
    ['blocks of inputs', { bits: 8 }, [32, 16]],
  ] as const)('leaves less error where inputs go together: %s', (_, options, blocks) => {
    const width = blocks.reduce((a: number, b) => a + b, 0)
    const rows = inputsOf(300, width)
    const weights = Float32Array.from({ length: 10 * width }, () => randomNormal(random))
    const shape = { channels: 10, taps: 1, inputs: width }
    const compensation = compensationOf(momentsOf(rows, blocks))!
    const plain = quantizeWeights(weights, shape, options)
    const compensated = quantizeWeights(weights, shape, { ...options, compensation })
    const most = options.bits === 4 ? 7 : 127
    expect(compensated.codes.every((code) => Math.abs(code) <= most)).toBe(true)
    if ('narrow' in options) expect(areNarrow(compensated.codes, width)).toBe(true)
    expect(compensated.scales).toEqual(plain.scales)
    const [before, after] = [plain, compensated].map((form) => errorOf(rows, weights, dequantizeWeights(form, width)))
    expect(after).toBeLessThan(('narrow' in options ? 1 : 0.6) * before)
  })

  test('is that of GPTQ: the weights left minimise the error for what is rounded already', () => {
    const moments = momentsOf(inputsOf(200, 5), [5])[0]
    const [factors] = compensationOf([moments])!
    const added = (0.1 * [0, 6, 12, 18, 24].reduce((sum, i) => sum + moments[i], 0)) / 5
    const h = (i: number, j: number) => moments[5 * i + j] + (i === j ? added : 0)
    // with e_0 = 1 and the others free, e^T H e is least where its gradient by those is 0: e_j = factor_j
    const e = [1, ...[1, 2, 3, 4].map((j) => factors[j])]
    for (let i = 1; i < 5; i++) expect(e.reduce((sum, value, j) => sum + h(i, j) * value, 0)).toBeCloseTo(0, 8)
  })

  test('is none where the moments say nothing', () => {
    expect(compensationOf([])).toBeUndefined()
    expect(compensationOf([new Float64Array(4)])).toBeUndefined()
    expect(compensationOf([Float64Array.of(1, 0, 0, Infinity)])).toBeUndefined()
    expect(compensationOf([Float64Array.of(1, 0, 0, NaN)])).toBeUndefined()
  })
})
