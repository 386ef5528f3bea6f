// SPDX-License-Identifier: Apache-2.0
/**
 * Finds out by how much one of many contenders is behind the fastest, on a machine that does other things meanwhile, in
 * three stages. What a stage says is never the last word of it unless nothing is behind:
 *
 * - `qualify`: all run briefly, side by side; what is far behind the fastest goes. The least time of each counts, since other
 *   work can only add to it, and what is left runs longer.
 * - `duel`: the favourite against one rival alone, so that the best of many is not the luckiest of many. Each round takes
 *   both twice, a b b a, and gives a ratio, so a clock that changes meets both; the median of the ratios counts.
 * - `verdict`: those that a duel found behind by more than `doubt`, which is below the bound, again, longer, at another time
 *   and in other memory. Its median alone says whether a favourite is behind: of one that is, a round says so more often
 *   than not, and there are enough rounds that the median strays by less than a hundredth.
 */
import { seededRandom } from '../../src/base/rng.ts'
import { quantile } from '../harness/statistics.ts'

export interface Runner {
  readonly name: string
  run(): void
}

/** Milliseconds that count, from some start. */
export type Clock = () => number

/** Of a favourite and one rival. */
export interface Duel {
  /** The favourite's time over the rival's. */
  readonly lag: number
  /** Milliseconds of the favourite and of the rival. */
  readonly times: readonly [number, number]
}

/** How long runners are held against each other. */
export interface Heat {
  readonly rounds: number
  /** Milliseconds of a sample. */
  readonly sample: number
}

const heats: readonly (Heat & { readonly keep: number })[] = [
  // `keep`: share beyond the fastest that may go on
  { rounds: 1, sample: 0.01, keep: 2 },
  { rounds: 3, sample: 0.1, keep: 0.4 },
  { rounds: 4, sample: 0.25, keep: 0.15 },
  { rounds: 7, sample: 0.5, keep: 0.06 },
]
/** Rivals that go on to duels. */
const mostRivals = 3
/** A rival whose least time is above the favourite's by this is not ahead of it by several hundredths. */
const hopeless = 0.01
/** Each longer than the one before, while they say that the favourite is behind by more than `doubt`. */
const duels: readonly Heat[] = [
  { rounds: 9, sample: 0.6 },
  { rounds: 31, sample: 2 },
]
/** The lag beyond which nothing but a verdict is believed. */
export const doubt = 0.03
const lastDuel: Heat = { rounds: 81, sample: 3 }

/** Those of `others` that may be faster than `favourite`, the most promising first. */
export function qualify<R extends Runner>(favourite: R, others: readonly R[], clock: Clock = processorTime): R[] {
  let field = [favourite, ...others]
  let least = new Map<R, number>()
  for (const heat of heats) {
    least = leastTimes(field, heat, clock)
    const best = Math.min(...least.values())
    field = field.filter((runner) => runner === favourite || least.get(runner)! <= best * (1 + heat.keep))
    if (field.length === 1) return []
  }
  const most = least.get(favourite)! * (1 + hopeless)
  const rivals = field.filter((runner) => runner !== favourite && least.get(runner)! <= most)
  return rivals.sort((a, b) => least.get(a)! - least.get(b)!).slice(0, mostRivals)
}

/** The favourite against a rival, longer where it comes out behind by more than `doubt`. */
export function duel(favourite: Runner, rival: Runner, clock: Clock = processorTime): Duel {
  let found = contest(favourite, rival, duels[0], clock)
  for (const heat of duels.slice(1)) {
    if (found.lag <= 1 + doubt) break
    found = contest(favourite, rival, heat, clock)
  }
  return found
}

/** The favourite against a rival, as long as it takes to believe it. */
export function verdict(favourite: Runner, rival: Runner, clock: Clock = processorTime): Duel {
  return contest(favourite, rival, lastDuel, clock)
}

/** The favourite against a rival, once. */
export function contest(
  favourite: Runner,
  rival: Runner,
  { rounds, sample }: Heat,
  clock: Clock = processorTime,
): Duel {
  const [own, other] = [favourite, rival].map((runner) => ({ runner, batch: batchOf(runner, sample, clock) }))
  const times: [number, number][] = []
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? [own, other, other, own] : [other, own, own, other]
    const sums = new Map([own, other].map((lane) => [lane, 0]))
    for (const lane of order) sums.set(lane, sums.get(lane)! + timeOf(lane.runner, lane.batch, clock) / 2)
    times.push([sums.get(own)!, sums.get(other)!])
  }
  const median = (side: 0 | 1): number =>
    quantile(
      times.map((pair) => pair[side]),
      0.5,
    )
  const ratios = times.map(([favourites, rivals]) => favourites / rivals)
  return { lag: quantile(ratios, 0.5), times: [median(0), median(1)] }
}

/** Least times of samples that are taken in turns. */
function leastTimes<R extends Runner>(field: readonly R[], { rounds, sample }: Heat, clock: Clock): Map<R, number> {
  const batches = new Map(field.map((runner) => [runner, batchOf(runner, sample, clock)]))
  const least = new Map(field.map((runner) => [runner, Infinity]))
  const random = seededRandom(rounds)
  for (let round = 0; round < rounds; round++) {
    for (const runner of shuffled(field, random)) {
      const time = timeOf(runner, batches.get(runner)!, clock)
      least.set(runner, Math.min(least.get(runner)!, time))
    }
  }
  return least
}

/** Runs that make a sample; they warm it up. */
function batchOf(runner: Runner, sample: number, clock: Clock): number {
  const start = clock()
  let runs = 0
  do runner.run()
  while ((runs++, clock() - start < sample / 2))
  return Math.max(1, Math.round((sample * runs) / (clock() - start)))
}

/** Milliseconds of a run. */
function timeOf(runner: Runner, batch: number, clock: Clock): number {
  const start = clock()
  for (let run = 0; run < batch; run++) runner.run()
  return (clock() - start) / batch
}

/** Milliseconds that this process computed: what others do on the machine meanwhile does not count. */
export function processorTime(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** In an order that beats with nothing. */
function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const keys = new Map(items.map((item) => [item, random()]))
  return [...items].sort((a, b) => keys.get(a)! - keys.get(b)!)
}
