// SPDX-License-Identifier: Apache-2.0
/** Quantiles, and timing in turns. */
import { describe, expect, it } from 'vitest'
import { AbortError } from '../../src/base/errors.ts'
import { quantile, spreadOf, timeInTurns } from '../../src/measure/spread.ts'

describe('spreadOf', () => {
  it('gives five numbers in order, interpolated between neighbours', () => {
    expect(spreadOf([4, 1, 3, 2])).toEqual({
      least: 1,
      lowerQuartile: 1.75,
      median: 2.5,
      upperQuartile: 3.25,
      most: 4,
      runs: 4,
    })
    expect(spreadOf([7]).median).toBe(7)
    expect(quantile([], 0.5)).toBe(0)
  })
})

describe('timeInTurns', () => {
  it('lets contenders take turns, and does not count the first round', async () => {
    const order: string[] = []
    const run = (name: string) => async () => order.push(name)
    const timings = await timeInTurns([run('a'), run('b')], 2)
    expect(order.join('')).toBe('ababab')
    expect(timings.map((one) => one.length)).toEqual([2, 2])
  })
  it('ends between rounds when the signal is raised', async () => {
    const controller = new AbortController()
    const run = async (): Promise<void> => controller.abort()
    await expect(timeInTurns([run], 3, { signal: controller.signal })).rejects.toThrow(AbortError)
  })
})
