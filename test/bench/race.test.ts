// SPDX-License-Identifier: Apache-2.0
/** Races of `npm run bench:pick` on a made-up machine, whose clock changes by half and which other work disturbs. */
import { expect, test } from 'vitest'
import { type Runner, doubt, duel, qualify, verdict } from '../../bench/pick/race.ts'
import { seededRandom } from '../../src/base/rng.ts'

/** Runners that take so many milliseconds where nothing else happens. */
function machine(seed: number, costs: readonly number[]) {
  const random = seededRandom(seed)
  let time = 0
  let slowUntil = 0
  const step = (cost: number): void => {
    if (random() < 2e-4) slowUntil = time + 200 * random()
    const disturbed = random() < 0.05 ? 1 + random() : 1
    time += cost * (time < slowUntil ? 1.6 : 1) * disturbed * (1 + 0.1 * random())
  }
  const runners = costs.map((cost, i): Runner => ({ name: `${i}`, run: () => step(cost) }))
  return { runners, clock: () => time }
}

/** What is believed of the first of them in the end. */
function lagOf(seed: number, costs: readonly number[]): number {
  const { runners, clock } = machine(seed, costs)
  const [favourite, ...others] = runners
  const duels = qualify(favourite, others, clock).map((rival) => ({ rival, lag: duel(favourite, rival, clock).lag }))
  const lag = Math.max(1, ...duels.map((one) => one.lag))
  if (lag <= 1 + doubt) return lag
  const ahead = duels.filter((one) => one.lag > 1 + doubt / 2)
  return Math.max(...ahead.map(({ rival }) => verdict(favourite, rival, clock).lag))
}

const field = (rest: number): number[] => Array.from({ length: 24 }, (_, i) => rest * (1 + (i % 8) / 10))

test('a favourite that one of many is ahead of by more than the bound is always behind', () => {
  for (let seed = 1; seed <= 30; seed++) {
    const lag = lagOf(seed, [0.0535, ...field(0.053), 0.05, ...field(0.056)])
    expect(lag, `seed ${seed}`).toBeGreaterThan(1.05)
    expect(lag, `seed ${seed}`).toBeLessThan(1.09)
  }
})

test('a favourite that is as fast as the others, or nearly so, never is', () => {
  for (let seed = 1; seed <= 30; seed++) {
    expect(lagOf(seed, [0.05, ...field(0.05)]), `seed ${seed}`).toBeLessThan(1.03)
    expect(lagOf(seed, [0.0515, ...field(0.05)]), `seed ${seed}`).toBeLessThan(1.05)
  }
})

test('only what may be faster goes on to duels', () => {
  const { runners, clock } = machine(1, [0.05, 0.08, 0.045, 0.2, 0.06])
  const rivals = qualify(runners[0], runners.slice(1), clock).map(({ name }) => name)
  expect(rivals).toEqual(['2'])
})
