// SPDX-License-Identifier: Apache-2.0
/** Which of several forms is the faster one, with a clock that is told what to say. */
import { expect, test } from 'vitest'
import type { HostTraits, Trial } from '../../src/ir/lowering.ts'
import { chooseForm, trialsOf } from '../../src/ops/sparse-choice.ts'
import { Modules } from '../../src/runtime/module.ts'
import { FormTrials, timeForms } from '../../src/runtime/trials.ts'

const kernels = await new Modules().choose('auto', false)

/** A clock that goes on by a given time whenever someone looks. */
function clockOf(step: () => number, ticks = true) {
  let time = 0
  return { now: () => (time += step()), ticks: () => ticks }
}

test('the least time of each form counts', () => {
  let time = 0
  const late = [9, 1, 5]
  let runs = 0
  const times = timeForms(
    [
      ['even', () => void (time += 2)],
      ['uneven', () => void (time += late[runs++ % 3])],
    ],
    () => time,
  )
  expect(times).toEqual({ even: 2, uneven: 1 })
})

test('a clock that sees no time between two looks gives no times', () => {
  expect(timeForms([['quick', () => undefined]], () => 5)).toBeNull()
})

test('layers of one shape and density are timed once, and each keeps what it was told', () => {
  const trials = new FormTrials(
    kernels,
    clockOf(() => 1),
  )
  const host: HostTraits = { int8: kernels.int8, threads: 1 }
  let made = 0
  const make = (): Record<string, Trial> => {
    made++
    return trialsOf('byteRows', { m: 5, n: 9, k: 11, count: 20 }, host)
  }
  const first = trials.measure('a', 'key', make)
  expect(Object.keys(first!)).toEqual(['sparse', 'dense'])
  expect(trials.measure('b', 'key', make)).toBe(first)
  expect(trials.measure('a', 'another key', make)).toBe(first)
  expect(made).toBe(1)
})

test('where the clock stands still the choice of the file stands', () => {
  const forms = new FormTrials(
    kernels,
    clockOf(() => 1, false),
  )
  const host: HostTraits = { int8: kernels.int8, threads: 1, forms }
  const shape = { m: 5, n: 9, k: 11, count: 20 }
  expect(chooseForm(host, 'a', 'rows', shape, 'dense')).toEqual({
    form: 'dense',
    reason: 'the file says so',
    times: null,
  })
})

test('no more is timed when that has taken its time', () => {
  const trials = new FormTrials(
    kernels,
    clockOf(() => 500),
  )
  const host: HostTraits = { int8: kernels.int8, threads: 1 }
  const make = () => trialsOf('rows', { m: 5, n: 9, k: 11, count: 20 }, host)
  expect(trials.measure('a', 'a', make)).not.toBeNull()
  expect(trials.measure('b', 'b', make)).toBeNull()
})

test('the faster form is chosen, whatever the file says', () => {
  const measure = () => ({ sparse: 2, dense: 1 })
  const host: HostTraits = { int8: 'pairs', threads: 1, forms: { measure } }
  const choice = chooseForm(host, 'a', 'rows', { m: 5, n: 9, k: 11, count: 20 }, 'sparse')
  expect(choice).toEqual({
    form: 'dense',
    reason: 'it was the faster one on this host',
    times: { sparse: 2, dense: 1 },
  })
})
