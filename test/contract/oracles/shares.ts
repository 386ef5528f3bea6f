// SPDX-License-Identifier: Apache-2.0
/** Scales of 4-bit blocks as int16 shares of a unit of their column (src/kernels/pack.ts: block_sums_s4). */

/** Sums of bytes times weights times shares stay below 2^31, shares rounded. */
const mostSum = 2 ** 31 - 2 ** 27

/** The largest share; the words of zero points, up to 8 times a share, are int16 as well. */
const limitOf = (zeros: boolean): number => (zeros ? 4095 : 32767)

/** The unit of a column, whose blocks have these scales and sums of |w|: those of zeros count for nothing. */
export function shareUnit(scales: readonly number[], sizes: readonly number[], zeros: boolean): number {
  const used = scales.map((scale, at) => (sizes[at]! > 0 ? Math.abs(scale) : 0))
  const most = Math.fround(Math.max(Math.fround(1e-30), ...used))
  const size = used.reduce((sum, scale, at) => sum + scale * sizes[at]!, 0)
  return Math.max(Math.fround(most / limitOf(zeros)), Math.fround(size * (255 / mostSum)))
}

/** The share nearest to a scale, ties to even. */
export function shareOf(scale: number, unit: number, zeros: boolean): number {
  const exact = Math.fround(scale / unit)
  const floor = Math.floor(exact)
  const up = exact - floor > 0.5 || (exact - floor === 0.5 && floor % 2 !== 0)
  return Math.min(limitOf(zeros), Math.max(-limitOf(zeros), floor + Number(up)))
}
