// SPDX-License-Identifier: Apache-2.0
/**
 * What is said of a list of times: order statistics, since times on a shared machine have a hard floor and a long tail.
 * Ratios are averaged geometrically, so that it does not matter which side is the denominator.
 */

/** Times of one contender, in milliseconds. */
export interface Summary {
  readonly median: number
  readonly min: number
  /** First and third quartile. */
  readonly quartiles: readonly [number, number]
  readonly samples: number
}

/** The value below which the share `q` of the values lies, between neighbours by interpolation. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const at = q * (sorted.length - 1)
  const below = Math.floor(at)
  const above = Math.min(below + 1, sorted.length - 1)
  return sorted[below] + (sorted[above] - sorted[below]) * (at - below)
}

/** Summarises at least one time. */
export function summarize(times: readonly number[]): Summary {
  const [median, low, high] = [0.5, 0.25, 0.75].map((q) => quantile(times, q))
  return { median, min: Math.min(...times), quartiles: [low, high], samples: times.length }
}

/** Geometric mean; NaN of nothing. */
export function geometricMean(values: readonly number[]): number {
  return values.length === 0 ? NaN : Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length)
}
