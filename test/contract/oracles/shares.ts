// SPDX-License-Identifier: Apache-2.0
/** Scales of blocks as int16 shares of a unit of their column (src/kernels/pack.ts: block_sums_s8, _s4). */

/** Sums of bytes times weights times shares stay below 2^31, shares rounded. */
const mostSum = 2 ** 31 - 2 ** 25
/** k that are summed up, by the bits of weights. */
const summed = { 4: 4096, 8: 512 } as const

export interface ShareOptions {
  readonly bits: 4 | 8
  readonly block: number
  /** Weights have zero points. */
  readonly zeros?: boolean
}

/** The largest share; the words of zero points, up to 8 times a share, are int16 as well. */
const limitOf = ({ zeros = false }: ShareOptions): number => (zeros ? 4095 : 32767)

/** The unit of a column, whose blocks have these scales and sums of |w|: those of zeros count for nothing. */
export function shareUnit(scales: readonly number[], sizes: readonly number[], options: ShareOptions): number {
  const used = scales.map((scale, at) => (sizes[at]! > 0 ? Math.abs(scale) : 0))
  const most = Math.fround(Math.max(Math.fround(1e-30), ...used))
  const blocks = summed[options.bits] / options.block
  const parts = new Array<number>(Math.ceil(used.length / blocks)).fill(0)
  for (const [at, scale] of used.entries()) parts[Math.floor(at / blocks)]! += scale * sizes[at]!
  const size = Math.max(0, ...parts)
  return Math.max(Math.fround(most / limitOf(options)), Math.fround(size * (255 / mostSum)))
}

/** The share nearest to a scale, ties to even. */
export function shareOf(scale: number, unit: number, options: ShareOptions): number {
  const exact = Math.fround(scale / unit)
  const floor = Math.floor(exact)
  const up = exact - floor > 0.5 || (exact - floor === 0.5 && floor % 2 !== 0)
  return Math.min(limitOf(options), Math.max(-limitOf(options), floor + Number(up)))
}

/**
 * Scales [n/8][blocks][8] as they are packed for a kernel of shares: what stands for each column, and what they are.
 * @param sizeOf the sum of |w| over a block of a column, or more
 */
export function sharesOf(
  scales: Float32Array,
  blocks: number,
  options: ShareOptions,
  sizeOf: (column: number, block: number) => number,
) {
  const columns = blocks === 0 ? 0 : scales.length / blocks
  const units = new Float32Array(columns)
  const shares = new Int16Array(scales.length)
  const rounded = new Float32Array(scales.length)
  for (let j = 0; j < columns; j++) {
    const places = Array.from({ length: blocks }, (_, at) => ((j >> 3) * blocks + at) * 8 + (j & 7))
    const own = places.map((place) => scales[place]!)
    const sizes = places.map((_, at) => sizeOf(j, at))
    units[j] = shareUnit(own, sizes, options)
    for (const place of places) {
      shares[place] = shareOf(scales[place]!, units[j]!, options)
      rounded[place] = shares[place]! * units[j]!
    }
  }
  return { units, shares, rounded }
}
