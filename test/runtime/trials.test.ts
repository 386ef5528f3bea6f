// SPDX-License-Identifier: Apache-2.0
/** Which of several forms is the faster one, with a clock that is told what to say. */
import { expect, test } from 'vitest'
import type { FormTimes, HostTraits, Trial } from '../../src/ir/lowering.ts'
import { chooseForm, formNames, pickForm, trialsOf } from '../../src/ops/sparse-choice.ts'
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
  const measure = (layer: string, key: string) => trials.measure(layer, formNames, [{ rows: 5, key, trials: make }])
  const first = measure('a', 'key')
  expect(Object.keys(first![0].times)).toEqual(['sparse', 'dense'])
  expect(measure('b', 'key')).toEqual(first)
  expect(measure('a', 'another key')).toBe(first)
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
    timed: null,
    kept: ['dense'],
  })
})

test('no more is timed when that has taken its time', () => {
  const trials = new FormTrials(
    kernels,
    new Measurements(),
    clockOf(() => 500),
  )
  const host: HostTraits = { int8: kernels.int8, threads: 1 }
  const shape = { m: 5, n: 9, k: 11, count: 20, narrow: 0 }
  const at = (...keys: string[]) =>
    keys.map((key, i) => ({ rows: i + 1, key, trials: () => trialsOf('rows', shape, host) }))
  // what was begun is timed to the end
  expect(trials.measure('a', formNames, at('a', 'b'))?.map(({ rows }) => rows)).toEqual([1, 2])
  expect(trials.measure('b', formNames, at('c'))).toBeNull()
  expect(trials.measure('c', formNames, at('a', 'c'))).toBeNull()
  expect(trials.measure('d', formNames, at('b'))).not.toBeNull()
})

/** A host that says what forms take, [sparse, dense] by rows, and writes down the keys it is asked for. */
function hostOf(times: Readonly<Record<number, readonly [number, number]>>, openRows?: ReadonlyMap<string, number>) {
  const keys: string[] = []
  const measure: NonNullable<HostTraits['forms']>['measure'] = (_layer, _forms, shapes) => {
    keys.push(...shapes.map(({ key }) => key))
    return shapes.map(({ rows }) => ({ rows, times: { sparse: times[rows][0], dense: times[rows][1] } }))
  }
  return { keys, host: { int8: 'pairs', threads: 1, forms: { measure }, ...(openRows ? { openRows } : {}) } as const }
}

test('the faster form is chosen, whatever the file says', () => {
  const { host } = hostOf({ 5: [2, 1] })
  const choice = chooseForm(host, 'a', 'rows', { m: 5, n: 9, k: 11, count: 20, narrow: 0 }, 'sparse')
  expect(choice).toEqual({
    form: 'dense',
    reason: 'it was the faster one at 5 rows, measured for this session on this host',
    timed: [{ rows: 5, times: { sparse: 2, dense: 1 } }],
    kept: ['dense'],
  })
})

test('layers whose rows differ from run to run are timed at the fewest and at many, and keys say at which', () => {
  const shape = { n: 1024, k: 512, count: 20, narrow: 0 }
  const asked = (m: number, least?: number, k = shape.k) => {
    const open = least === undefined ? undefined : new Map([['a', least]])
    const { host, keys } = hostOf({ 1: [1, 1], 4: [1, 1], 8: [1, 1], 32: [1, 1], 96: [1, 1] }, open)
    const { timed, reason } = chooseForm(host, 'a', 'rows', { ...shape, k, m }, 'dense')
    expect(keys).toEqual(timed!.map(({ rows }) => `rows gemm_s8_pairs ${rows}x${k}x1024 20`))
    return reason
  }
  expect(asked(8, 1)).toContain('at 1 and 96 rows, measured')
  // a load is not to take long
  expect(asked(8, 1, 8192)).toContain('at 1 and 32 rows, measured')
  expect(asked(500, 4)).toContain('at 4 and 96 rows, measured')
  expect(asked(500, 64)).toContain('at 96 rows, measured')
  expect(asked(500, 300)).toContain('at 96 rows, measured')
  expect(asked(500)).toContain('at 96 rows, measured')
  expect(asked(8)).toContain('at 8 rows, measured')
})

test('one form is packed that is never far behind, else both', () => {
  const at = (few: readonly [number, number], many: readonly [number, number]): FormTimes[] => [
    { rows: 1, times: { sparse: few[0], dense: few[1] } },
    { rows: 96, times: { sparse: many[0], dense: many[1] } },
  ]
  const pick = (...times: Parameters<typeof at>) => pickForm(at(...times), 1)
  expect(pick([1, 2], [5, 6])).toMatchObject({ kept: ['sparse'], why: 'it was the faster one at 1 and 96 rows' })
  expect(pick([2, 1], [6, 5])).toMatchObject({ kept: ['dense'], why: 'it was the faster one at 1 and 96 rows' })
  // a tie is for the one that takes less memory
  expect(pick([1.02, 1], [51, 50])).toMatchObject({ kept: ['sparse'] })
  expect(pickForm(at([1.02, 1], [1, 1]).slice(0, 1), 1)).toMatchObject({ form: 'sparse' })
  expect(pickForm(at([1.05, 1], [1, 1]).slice(0, 1), 1)).toMatchObject({ form: 'dense' })
  // the one that loses less
  expect(pick([1.2, 1], [10, 50])).toMatchObject({ kept: ['sparse'] })
  expect(pick([1.2, 1], [50, 50 * 1.1])).toMatchObject({ kept: ['dense'] })
  expect(pick([3, 1], [50, 50 * 1.1])).toMatchObject({ kept: ['dense'] })
  // both lose
  expect(pick([2, 1], [10, 50])).toMatchObject({ kept: ['sparse', 'dense'] })
})

test('where both are packed the rows of a run decide, and times that change places say from how many on', () => {
  const timed = [
    { rows: 1, times: { sparse: 12, dense: 2 } },
    { rows: 96, times: { sparse: 107, dense: 192 } },
  ]
  // 11 + m and 2 m
  const forms = [1, 10, 12, 96, 1000].map((m) => pickForm(timed, m).form)
  expect(forms).toEqual(['dense', 'dense', 'sparse', 'sparse', 'sparse'])
  expect(pickForm(timed, 10).why).toBe(
    'both are packed, and it is the faster one at 10 rows, by what they took at 1 and 96 rows',
  )
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
  expect(first.timed![0].earlier).toBeUndefined()
  expect(looks).toBeGreaterThan(0)
  looks = 0
  const second = await choose(texts.at(-1))
  expect(looks).toBe(0)
  const [{ times, earlier }] = second.timed!
  expect(second.form).toBe(first.form)
  expect(times).toEqual(first.timed![0].times)
  expect(second.reason).toBe(first.reason.replace('for this session', earlier!.slice(0, 10)))
})
