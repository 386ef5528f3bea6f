// SPDX-License-Identifier: Apache-2.0
/**
 * Sums in float64, and how far float32 sums may be off: a sum that is made by c additions, one behind the other at most,
 * is within c half units in the last place of the sum of magnitudes (Higham, Accuracy and Stability, 2002, section 4.2).
 */

export const f32 = Math.fround
/** Half a unit in the last place of 1. */
export const EPS = 2 ** -24
/** The least float32 above 0: what rounds to it is off by as much. */
export const LEAST = 2 ** -149
/** The least float32 with all of its bits. */
export const LEAST_NORMAL = 2 ** -126

export const sum = (values: readonly number[]): number => values.reduce((s, v) => s + v, 0)
export const magnitude = (values: readonly number[]): number => sum(values.map(Math.abs))
export const squares = (values: readonly number[]): number => sum(values.map((v) => v * v))

/** Most additions behind each other in a row of n: sixteen partial sums, what is left of four vectors and of one. */
export const rowChain = (n: number): number => Math.max(0, Math.min(n - 1, Math.floor(n / 16) + 9))
/** In a column, or a window. */
export const columnChain = (n: number): number => Math.max(0, n - 1)

/** Sums that float32 cannot hold overflow on the way, in an order of the kernel's own: such values become 0. */
export const tame = (values: Float32Array): Float32Array =>
  values.map((v) => (Math.abs(v) > 1e18 && Number.isFinite(v) ? 0 : v))
