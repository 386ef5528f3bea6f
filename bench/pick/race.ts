// SPDX-License-Identifier: Apache-2.0
/**
 * Finds out by how much one of many contenders is behind the fastest. All run briefly, side by side; those that are far
 * behind go, and the rest run longer. The last heat is between the favourite and the fastest alone: its times are fresh,
 * so that the best of many is not the luckiest of many.
 */
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
  let worst = verdict(favourite, favourite, 1, medians)
  for (const rival of rivals.sort((a, b) => medians.get(a)! - medians.get(b)!).slice(0, 3)) {
    let outcome = verdict(favourite, rival, medians.get(favourite)! / medians.get(rival)!, medians)
    for (const heat of duels) {
      if (outcome.lag <= 1 + matters) break
      const again = timesOf([favourite, rival], heat)
      outcome = verdict(favourite, rival, again.get(favourite)! / again.get(rival)!, again)
    }
    if (outcome.lag > worst.lag) worst = outcome
  }
  return worst
}

function verdict(a: Runner, b: Runner, lag: number, medians: ReadonlyMap<Runner, number>): Outcome {
  return { lag, fastest: b.name, times: [medians.get(a)!, medians.get(b)!] }
}

/** Median times of a run, of samples taken in turns. */
function timesOf(field: readonly Runner[], { rounds, sample }: Heat): Map<Runner, number> {
  const lanes = field.map((runner) => {
    const start = performance.now()
    let runs = 0
    do runner.run()
    while ((runs++, performance.now() - start < sample / 2))
    const once = (performance.now() - start) / runs
    return { runner, batch: Math.max(1, Math.round(sample / once)), times: [] as number[] }
  })
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < lanes.length; i++) {
      const { runner, batch, times } = lanes[(i + round) % lanes.length]
      const start = performance.now()
      for (let run = 0; run < batch; run++) runner.run()
      times.push((performance.now() - start) / batch)
    }
  }
  return new Map(lanes.map(({ runner, times }) => [runner, quantile(times, 0.5)]))
}
