// SPDX-License-Identifier: Apache-2.0
/**
 * Times contenders beside each other. They take turns in every round, each round beginning with another one, so that
 * whatever the machine does meanwhile meets all of them. A sample is a batch of runs long enough for the clock.
 */
import { type Summary, quantile, summarize } from './statistics.ts'

export interface Contender {
  readonly name: string
  run(): Promise<unknown>
}

export interface Effort {
  /** Milliseconds of runs before the first sample: compilers have tiers. */
  readonly warmUp: number
  /** Milliseconds of samples per contender, and the fewest and most samples that may become. */
  readonly time: number
  readonly samples: readonly [least: number, most: number]
  /** Milliseconds of rest before each turn: threads of the one before still spin. */
  readonly rest?: number
}

export interface Timed {
  readonly name: string
  /** Milliseconds a run. */
  readonly summary: Summary
  /** Runs per sample. */
  readonly batch: number
}

/** Shortest sample: far above the resolution of the clock and the cost of a promise. */
const leastSample = 2

/** In Node the global is a getter, whose time is not the run's. */
const clock = performance

/** Times all contenders. */
export async function timeInRounds(contenders: readonly Contender[], effort: Effort): Promise<Timed[]> {
  const lanes = []
  for (const contender of contenders) {
    const once = await warmUp(contender, effort.warmUp)
    const batch = Math.max(1, Math.ceil(leastSample / once))
    lanes.push({ contender, batch, expected: once * batch, times: [] as number[] })
  }
  const longest = Math.max(...lanes.map(({ expected }) => expected))
  const [least, most] = effort.samples
  const rounds = Math.min(most, Math.max(least, Math.ceil(effort.time / longest)))
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < lanes.length; i++) {
      const { contender, batch, times } = lanes[(i + round) % lanes.length]
      if (effort.rest !== undefined) await new Promise((resolve) => setTimeout(resolve, effort.rest))
      // does not count: caches hold what the one before worked on, which a caller that runs one model does not see
      await contender.run()
      times.push(await timeBatch(contender, batch))
    }
  }
  return lanes.map(({ contender, batch, times }) => ({ name: contender.name, batch, summary: summarize(times) }))
}

/** Runs for a while; what a run takes at its end. */
async function warmUp(contender: Contender, time: number): Promise<number> {
  const times: number[] = []
  const end = performance.now() + time
  while (times.length < 3 || performance.now() < end) times.push(await timeBatch(contender, 1))
  return quantile(times.slice(times.length >> 1), 0.5)
}

/** Milliseconds a run. Called often, so that what is timed is awaited by compiled code. */
export async function timeBatch({ run }: Pick<Contender, 'run'>, batch: number): Promise<number> {
  const start = clock.now()
  for (let i = 0; i < batch; i++) await run()
  return (clock.now() - start) / batch
}
