// SPDX-License-Identifier: Apache-2.0
import { beforeEach, expect, test, vi } from 'vitest'
import type { Form } from '../../src/kernels/row.ts'
import { calibrate } from '../../src/runtime/calibrate.ts'

/** A clock that loops move, by what an iteration takes. */
const clock = vi.hoisted(() => ({ time: 0, ticks: true }))
vi.mock('../../src/platform/clock.ts', () => ({ now: () => clock.time, clockTicks: () => clock.ticks }))

beforeEach(() => {
  clock.time = 0
  clock.ticks = true
})

const forms: readonly Form[] = ['dot', 'pairs']

/** Loops that take `cost` microseconds for a thousand iterations; a function of how often they were called. */
const loops = (dot: (call: number) => number, pairs: (call: number) => number) => {
  const loop = (cost: (call: number) => number) => {
    let calls = 0
    return (iterations: number): number => (clock.time += (iterations * cost(calls++)) / 1e6)
  }
  return { peak_s8: loop(dot), peak_pairs: loop(pairs) }
}

test('figures say which loop multiplies most in the same time', () => {
  const figures = calibrate(
    loops(
      () => 1,
      () => 2,
    ),
    forms,
  )
  expect(figures.dot! / figures.pairs!).toBeCloseTo((160 / 96) * 2, 5)
})

test('no figures where rounds disagree, as when a compiler reaches its next tier', () => {
  const figures = calibrate(
    loops(
      (call) => (call < 9 ? 4 : 1),
      () => 1,
    ),
    forms,
  )
  expect(figures).toEqual({})
})

test('no figures where the clock stands still', () => {
  clock.ticks = false
  expect(
    calibrate(
      loops(
        () => 1,
        () => 1,
      ),
      forms,
    ),
  ).toEqual({})
})

test('it ends soon, however slow loops are', () => {
  calibrate(
    loops(
      () => 500,
      () => 700,
    ),
    forms,
  )
  // five rounds of loops that are far slower than on any host
  expect(clock.time).toBeLessThan(5 * (512 * 1200) * 1e-6 + 0.001)
})
