// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import { ThreadSearch, candidatesFor } from '../../src/runtime/thread-search.ts'

/** Runs a search on times by count; the counts it tried, and what it found. */
function search(most: number, time: (count: number, run: number) => number): { tried: number[]; found: number } {
  const threads = new ThreadSearch(most)
  const tried: number[] = []
  while (!threads.isOver) {
    tried.push(threads.count)
    threads.note(time(threads.count, tried.length - 1))
  }
  return { tried, found: threads.count }
}

describe('ThreadSearch', () => {
  it('tries powers of two and all there are', () => {
    expect(candidatesFor(1)).toEqual([1])
    expect(candidatesFor(6)).toEqual([1, 2, 4, 6])
    expect(candidatesFor(8)).toEqual([1, 2, 4, 8])
  })

  it('gives each count the same turns and stays with the fastest', () => {
    const { tried, found } = search(4, (count) => (count === 2 ? 5 : 9))
    expect(found).toBe(2)
    expect(tried).toEqual([4, 4, 2, 1, 4, 2, 1, 4, 2, 1])
  })

  it('is not led by a first run or by one slow turn', () => {
    expect(search(2, (count, run) => (run < 2 ? 100 : 10 / count)).found).toBe(2)
  })

  it('prefers fewer threads to a gain nobody would notice', () => {
    expect(search(4, (count) => 10 - count * 0.05).found).toBe(1)
  })

  it('tells the least time of each count when it is over, from which another one is over at once', () => {
    const told: Readonly<Record<number, number>>[] = []
    const threads = new ThreadSearch(4, undefined, (times) => void told.push(times))
    for (let run = 0; !threads.isOver; run++) threads.note(run === 0 ? 100 : threads.count === 2 ? 5 : 9 + run)
    expect(told).toEqual([{ 1: 12, 2: 5, 4: 10 }])
    const another = new ThreadSearch(4, told[0])
    expect([another.isOver, another.count]).toEqual([true, 2])
  })

  it('has nothing to look for with one thread', () => {
    const threads = new ThreadSearch(1)
    expect([threads.isOver, threads.count]).toEqual([true, 1])
  })
})
