// SPDX-License-Identifier: Apache-2.0
/**
 * Holds two sessions against each other on the same inputs: size, latency, and how far the second one's outputs are from
 * the first one's. Rounds alternate between the two, so that both meet the same weather.
 */
import { checkInteger, describe } from '../base/check.ts'
import { InputError } from '../base/errors.ts'
import { now } from '../platform/clock.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Feeds } from './feeds.ts'
import type { Session } from './session.ts'

export interface CompareOptions {
  /** Timed runs of each session for each set of inputs; 5 where left out. */
  readonly rounds?: number
}

/** How far one output is off, over all sets of inputs. */
export interface OutputComparison {
  readonly name: string
  /** Cosine of the angle between both outputs; 1 where both are zero. */
  readonly cosine: number
  readonly maxAbsError: number
  /** Largest error over the reference's largest absolute value. */
  readonly maxRelError: number
  /** Signal-to-noise ratio in decibels; Infinity where equal. */
  readonly snr: number
}

export interface Comparison {
  /** Of the reference and of the other. */
  readonly bytes: readonly [number, number]
  /** Median milliseconds of a run, warmed up. */
  readonly latency: readonly [number, number]
  readonly outputs: readonly OutputComparison[]
}

/** Sums for one output. */
interface Sums {
  dot: number
  reference: number
  other: number
  noise: number
  maxError: number
  maxValue: number
}

/**
 * Compares `b` with the reference `a`.
 * @param inputs one set of feeds, or several
 * @throws InputError when the sessions' outputs differ in name, type or shape
 */
export async function compare(
  a: Session,
  b: Session,
  inputs: Feeds | readonly Feeds[],
  options: CompareOptions = {},
): Promise<Comparison> {
  const rounds = checkInteger('options.rounds', options.rounds ?? 5, 1)
  const sets = Array.isArray(inputs) ? (inputs as readonly Feeds[]) : [inputs as Feeds]
  if (sets.length === 0)
    throw new InputError({ where: 'compare inputs', expected: 'at least one set of inputs', got: 'none' })
  const sums = new Map<string, Sums>()
  for (const feeds of sets) addDifferences(sums, await a.run(feeds), await b.run(feeds))
  const times: readonly [number[], number[]] = [[], []]
  for (let round = 0; round < rounds; round++) {
    for (const feeds of sets) {
      for (const [i, session] of [a, b].entries()) {
        const start = now()
        await session.run(feeds)
        times[i].push(now() - start)
      }
    }
  }
  return {
    bytes: [a.bytes, b.bytes],
    latency: [median(times[0]), median(times[1])],
    outputs: [...sums].map(([name, sum]) => summary(name, sum)),
  }
}

function addDifferences(
  sums: Map<string, Sums>,
  reference: Record<string, Tensor>,
  other: Record<string, Tensor>,
): void {
  for (const [name, wanted] of Object.entries(reference)) {
    const got = Object.hasOwn(other, name) ? other[name] : undefined
    if (!got || got.type !== wanted.type || got.dims.join() !== wanted.dims.join()) {
      throw new InputError({
        where: `compare output '${name}'`,
        expected: `${wanted.type} [${wanted.dims.join(', ')}] of both sessions`,
        got: got ? `${got.type} [${got.dims.join(', ')}]` : describe(got),
      })
    }
    const sum = sums.get(name) ?? { dot: 0, reference: 0, other: 0, noise: 0, maxError: 0, maxValue: 0 }
    sums.set(name, sum)
    for (let i = 0; i < wanted.data.length; i++) addElement(sum, Number(wanted.data[i]), Number(got.data[i]))
  }
}

function addElement(sum: Sums, x: number, y: number): void {
  const error = x === y || (Number.isNaN(x) && Number.isNaN(y)) ? 0 : Math.abs(x - y)
  sum.dot += x * y
  sum.reference += x * x
  sum.other += y * y
  sum.noise += error * error
  // a NaN on one side only must not hide: comparisons with it are false
  if (!(error <= sum.maxError)) sum.maxError = Number.isNaN(error) ? Infinity : error
  if (Math.abs(x) > sum.maxValue) sum.maxValue = Math.abs(x)
}

function summary(name: string, { dot, reference, other, noise, maxError, maxValue }: Sums): OutputComparison {
  const length = Math.sqrt(reference * other)
  return {
    name,
    cosine: noise === 0 ? 1 : length === 0 ? 0 : Math.min(1, dot / length),
    maxAbsError: maxError,
    maxRelError: maxError === 0 ? 0 : maxError / maxValue,
    snr: noise === 0 ? Infinity : 10 * Math.log10(reference / noise),
  }
}

/** The middle one, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((x, y) => x - y)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
