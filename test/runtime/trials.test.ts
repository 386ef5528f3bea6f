// SPDX-License-Identifier: Apache-2.0
/** Which of several forms is the faster one, with a clock that is told what to say. */
import { expect, test } from 'vitest'
import type { HostTraits, Trial } from '../../src/ir/lowering.ts'
import { chooseForm, formNames, trialsOf } from '../../src/ops/sparse-choice.ts'
import { Modules } from '../../src/runtime/module.ts'
import { Measurements } from '../../src/runtime/measurements.ts'
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

test('a clock that goes on in steps tells forms apart that are shorter than a step', () => {
  let time = 0
  const step = 0.1
  const clock = (): number => Math.floor((time += 0.000_03) / step) * step
  const times = timeForms(
    [
      ['slow', () => void (time += 0.011)],
      ['quick', () => void (time += 0.009)],
    ],
    clock,
  )
  expect(times!['slow'] / times!['quick']).toBeGreaterThan(1.02)
  expect(times!['quick']).toBeGreaterThan(0.007)
})

test('a stop of the program between two looks makes no long samples', () => {
  let time = 0
  let looks = 0
  let runs = 0
  const clock = (): number => (time += looks++ === 2 ? 5000 : 0.001)
  const run = (): void => {
    runs++
    time += 0.1
  }
  expect(timeForms([['even', run]], clock)!['even']).toBeCloseTo(0.1, 2)
  expect(runs).toBeLessThan(200)
})

test('runs that become quick when they are warm are taken more often', () => {
  let time = 0
  let runs = 0
  const clock = (): number => Math.floor((time += 0.000_03) / 0.1) * 0.1
  const times = timeForms([['warming', () => void (time += runs++ < 42 ? 0.1 : 0.001)]], clock)
  expect(times!['warming']).toBeGreaterThan(0.0008)
  expect(times!['warming']).toBeLessThan(0.0012)
})

test('a clock that sees no time between two looks gives no times', () => {
  expect(timeForms([['quick', () => undefined]], () => 5)).toBeNull()
})

test('layers of one shape and density are timed once, and each keeps what it was told', () => {
  const trials = new FormTrials(
    kernels,
    new Measurements(),
    clockOf(() => 1),
  )
  const host: HostTraits = { int8: kernels.int8, threads: 1 }
  let made = 0
  const make = (): Record<string, Trial> => {
    made++
    return trialsOf('byteRows', { m: 5, n: 9, k: 11, count: 20, narrow: 0 }, host)
  }
  const first = trials.measure('a', 'key', formNames, make)
  expect(Object.keys(first!.times)).toEqual(['sparse', 'dense'])
  expect(trials.measure('b', 'key', formNames, make)).toEqual(first)
  expect(trials.measure('a', 'another key', formNames, make)).toBe(first)
  expect(made).toBe(1)
})

test('where the clock stands still the choice of the file stands', () => {
  const forms = new FormTrials(
    kernels,
    new Measurements(),
    clockOf(() => 1, false),
  )
  const host: HostTraits = { int8: kernels.int8, threads: 1, forms }
  const shape = { m: 5, n: 9, k: 11, count: 20, narrow: 0 }
  expect(chooseForm(host, 'a', 'rows', shape, 'dense')).toEqual({
    form: 'dense',
    reason: 'the file says so',
    times: null,
  })
})

test('no more is timed when that has taken its time', () => {
  const trials = new FormTrials(
    kernels,
    new Measurements(),
    clockOf(() => 500),
  )
  const host: HostTraits = { int8: kernels.int8, threads: 1 }
  const make = () => trialsOf('rows', { m: 5, n: 9, k: 11, count: 20, narrow: 0 }, host)
  expect(trials.measure('a', 'a', formNames, make)).not.toBeNull()
  expect(trials.measure('b', 'b', formNames, make)).toBeNull()
})

test('the faster form is chosen, whatever the file says', () => {
  const measure = () => ({ times: { sparse: 2, dense: 1 } })
  const host: HostTraits = { int8: 'pairs', threads: 1, forms: { measure } }
  const choice = chooseForm(host, 'a', 'rows', { m: 5, n: 9, k: 11, count: 20, narrow: 0 }, 'sparse')
  expect(choice).toEqual({
    form: 'dense',
    reason: 'it was the faster one, measured for this session on this host',
    times: { sparse: 2, dense: 1 },
  })
})

test('what an earlier session measured is not timed again, and the choice says when that was', async () => {
  const texts: string[] = []
  const store = { get: () => texts.at(-1), set: (text: string) => void texts.push(text) }
  const shape = { m: 5, n: 9, k: 11, count: 20, narrow: 0 }
  let looks = 0
  const choose = async (text?: string) => {
    const measurements = new Measurements('host', store, text)
    const clock = clockOf(() => {
      looks++
      return 1
    })
    const forms = new FormTrials(kernels, measurements, clock)
    const choice = chooseForm({ int8: kernels.int8, threads: 1, forms }, 'a', 'rows', shape, 'sparse')
    await measurements.settled()
    return choice
  }
  const first = await choose()
  expect(first.reason).toMatch(/measured for this session/)
  expect(first.earlier).toBeUndefined()
  expect(looks).toBeGreaterThan(0)
  looks = 0
  const second = await choose(texts.at(-1))
  expect(looks).toBe(0)
  expect(second).toMatchObject({ form: first.form, times: first.times })
  expect(second.reason).toBe(`it was the faster one, measured ${second.earlier!.slice(0, 10)} on this host`)
})
