// SPDX-License-Identifier: Apache-2.0
/**
 * Timing of several things that take turns, so that all of them meet the same weather, and what is said of the times.
 * Quantiles are interpolated between the two nearest values (Hyndman and Fan 1996, type 7).
 */
import { checkAborted } from '../base/check.ts'
import { now } from '../platform/clock.ts'

/** Milliseconds. */
export interface Spread {
  readonly least: number
  readonly lowerQuartile: number
  readonly median: number
  readonly upperQuartile: number
  readonly most: number
  readonly runs: number
}

/** When something ran, and for how long; milliseconds of the host's clock. */
export interface Timing {
  readonly start: number
  readonly time: number
}

/** The quantile `q` (0 to 1) of the values; NaN is never given: without values it is 0. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  if (sorted.length === 0) return 0
  const place = q * (sorted.length - 1)
  const below = Math.floor(place)
  const above = Math.min(sorted.length - 1, below + 1)
  return sorted[below] + (sorted[above] - sorted[below]) * (place - below)
}

/** Five numbers of a series of times. */
export function spreadOf(times: readonly number[]): Spread {
  const [least, lowerQuartile, median, upperQuartile, most] = [0, 0.25, 0.5, 0.75, 1].map((q) => quantile(times, q))
  return { least, lowerQuartile, median, upperQuartile, most, runs: times.length }
}

/**
 * Times every contender once a round, in turns, after a round that does not count.
 * @param onRound told before each counted round
 * @returns for each contender the timings of its rounds
 * @throws AbortError between two rounds, and what a contender throws
 */
export async function timeInTurns(
  contenders: readonly (() => Promise<unknown>)[],
  rounds: number,
  { signal, onRound }: { readonly signal?: AbortSignal; readonly onRound?: (round: number) => void } = {},
): Promise<Timing[][]> {
  const timings: Timing[][] = contenders.map(() => [])
  for (let round = -1; round < rounds; round++) {
    checkAborted('measure', signal)
    if (round >= 0) onRound?.(round)
    for (const [i, run] of contenders.entries()) {
      const timing = await timed(run)
      if (round >= 0) timings[i].push(timing)
    }
  }
  return timings
}

/** Runs `body` once. */
export async function timed(body: () => Promise<unknown>): Promise<Timing> {
  const start = now()
  await body()
  return { start, time: now() - start }
}
