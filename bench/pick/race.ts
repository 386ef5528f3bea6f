// SPDX-License-Identifier: Apache-2.0
/**
 * Finds out by how much one of many contenders is behind the fastest. All run briefly, side by side; those that are far
 * behind go, and the rest run longer. The last heats are between the favourite and a rival alone: their times are fresh,
 * so that the best of many is not the luckiest of many, and what counts is the median of the rounds' ratios, since times
 * of a machine that is shared lie around more than one value.
 */
import { seededRandom } from '../../src/base/rng.ts'
import { quantile } from '../harness/statistics.ts'

export interface Runner {
  readonly name: string
  run(): void
}

export interface Outcome {
  /** The favourite's time over that of the fastest; 1 where it is the fastest. */
  readonly lag: number
  readonly fastest: string
  /** Milliseconds of the favourite and of the fastest. */
  readonly times: readonly [number, number]
}

interface Heat {
  readonly rounds: number
  /** Milliseconds of a sample. */
  readonly sample: number
  /** Share beyond the fastest that may go on to the next heat. */
  readonly keep: number
}

const heats: readonly Heat[] = [
  { rounds: 2, sample: 0.1, keep: 0.25 },
  { rounds: 5, sample: 0.3, keep: 0.08 },
  { rounds: 9, sample: 0.6, keep: 0.03 },
]
/** Heats between two, each longer, while they say that the favourite is behind by more than a difference that matters. */
const duels: readonly Heat[] = [
  { rounds: 21, sample: 1, keep: 0 },
  { rounds: 41, sample: 3, keep: 0 },
  { rounds: 81, sample: 6, keep: 0 },
]

/** Races `favourite` against `others`. @param matters lag that is looked at again before it is believed */
export function race(favourite: Runner, others: readonly Runner[], matters: number): Outcome {
  let field = [favourite, ...others]
  let medians = new Map<Runner, number>()
  for (const heat of heats) {
    medians = timesOf(field, heat)
    const best = Math.min(...medians.values())
    field = field.filter((runner) => runner === favourite || medians.get(runner)! <= best * (1 + heat.keep))
    if (field.length === 1) break
  }
  const rivals = field.filter((runner) => runner !== favourite)
  let worst = outcome(favourite, medians, 1)
  for (const rival of rivals.sort((a, b) => medians.get(a)! - medians.get(b)!).slice(0, 3)) {
    let found = outcome(rival, medians, medians.get(favourite)! / medians.get(rival)!)
    for (const duel of duels) {
      if (found.lag <= 1 + matters) break
      const [own, others] = samplesOf([favourite, rival], duel)
      const ratios = own.map((time, round) => time / others[round])
      found = outcome(
        rival,
        new Map([own, others].map((times, i) => [[favourite, rival][i], quantile(times, 0.5)])),
        quantile(ratios, 0.5),
      )
    }
    if (found.lag > worst.lag) worst = found
  }
  return worst

  function outcome(rival: Runner, times: ReadonlyMap<Runner, number>, lag: number): Outcome {
    return { lag, fastest: rival.name, times: [times.get(favourite)!, times.get(rival)!] }
  }
}

/** Median times of a run. */
function timesOf(field: readonly Runner[], heat: Heat): Map<Runner, number> {
  const samples = samplesOf(field, heat)
  return new Map(field.map((runner, i) => [runner, quantile(samples[i], 0.5)]))
}

/** Times of a run, of samples taken in turns: for each runner one a round. */
function samplesOf(field: readonly Runner[], { rounds, sample }: Heat): number[][] {
  const lanes = field.map((runner) => {
    const start = processorTime()
    let runs = 0
    do runner.run()
    while ((runs++, processorTime() - start < sample / 2))
    const once = (processorTime() - start) / runs
    return { runner, batch: Math.max(1, Math.round(sample / once)), times: [] as number[] }
  })
  const random = seededRandom(rounds)
  for (let round = 0; round < rounds; round++) {
    for (const { runner, batch, times } of shuffled(lanes, random)) {
      const start = processorTime()
      for (let run = 0; run < batch; run++) runner.run()
      times.push((processorTime() - start) / batch)
    }
  }
  return lanes.map(({ times }) => times)
}

/** Milliseconds that this process computed: what others do on the machine meanwhile does not count. */
function processorTime(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** In an order that beats with nothing. */
function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const keys = new Map(items.map((item) => [item, random()]))
  return [...items].sort((a, b) => keys.get(a)! - keys.get(b)!)
}
