// SPDX-License-Identifier: Apache-2.0
/**
 * The oracle of 4-bit products whose sums stay in int16 (src/kernels/gemm.ts): rows and
 * weights at the ends of their ranges are among them. Bytes of A stay below 128, where the dot of every host agrees, but
 * in `wide` cases.
 */
import { input, type KernelCase, type Oracle, scratch } from '../kernel.ts'
import { randomFloats, randomIntegers } from '../values.ts'
import { blockSums } from './block-sums.ts'
import { type EpilogueOptions, finished, type Sum } from './epilogue.ts'
import { halfPanels, roundUp } from './panels.ts'
import { sharesOf } from './shares.ts'

interface ShortOptions extends EpilogueOptions {
  readonly mb?: number
  readonly nb?: number
  /** Weights have zero points. */
  readonly zeros?: boolean
}

/** A product of blocks of 32, 64 or 128. */
function shortCase(
  random: () => number,
  [m, n, k]: readonly [number, number, number],
  block: number,
  options: ShortOptions = {},
): KernelCase {
  const { mb = m, nb = n, zeros = false, wide = false } = options
  const most = wide ? 255 : 127
  const columns = roundUp(n, 8)
  const lda = roundUp(k, 8)
  const a = new Uint8Array(m * lda)
  const w = randomIntegers(Uint8Array, random, columns * k, 0, 15)
  const params = new DataView(new ArrayBuffer(8 * m))
  const blocks = Math.ceil(k / block)
  const given = randomFloats(random, columns * blocks, 0.01)
  const sizeOf = (_: number, at: number): number => (zeros ? 15 : 8) * Math.min(block, k - at * block)
  const { units, shares, rounded: scales } = sharesOf(given, blocks, { bits: 4, block, zeros }, sizeOf)
  for (let row = 0; row < m; row++) {
    const extreme = row % 3 === 2
    params.setFloat32(8 * row, random(), true)
    params.setInt32(8 * row + 4, extreme ? (row & 1) * 255 : Math.floor(random() * 256), true)
    for (let i = 0; i < k; i++) {
      a[row * lda + i] = extreme ? most : Math.floor(random() * (most + 1))
      if (extreme) for (let j = 0; j < columns; j += 3) w[j * k + i] = (j & 1) * 15
    }
  }
  const sums = blockSums(random, a, w, [m, n, k], block, { zeros, bits: 4, lda, scales })
  const words = shares.map((share, at) => share * sums.offsets[at]!)
  const sumAt = (_: number, row: number, column: number): Sum => {
    const { value, size } = sums.of(row, column, params.getInt32(8 * row + 4, true))
    const scale = params.getFloat32(8 * row, true)
    return { value: value * scale, error: Math.abs(scale) * (blocks + 4) * 6e-8 * size + 1e-30 }
  }
  const panels = Math.max(1, Math.floor(16384 / Math.max(1, 8 * lda)))
  const scratchBytes = 256 + panels * 8 * lda + 8 * Math.ceil(k / 32)
  return {
    title: `${m}x${k}x${n} block ${block} ${JSON.stringify(options)}`,
    units: Math.ceil(m / mb) * Math.ceil(n / nb),
    ...(wide ? { bytes: 'pairs' as const } : {}),
    args: {
      a: input(a),
      lda,
      batchA: 0,
      b: input(halfPanels(4, w, columns, k)),
      batchBBytes: 0,
      batch: 1,
      m,
      n,
      k,
      mb,
      nb,
      ...finished(random, 1, m, n, options, sumAt),
      aParams: input(new Int32Array(params.buffer)),
      ...sums.args,
      wScale: null,
      wZeros: zeros ? input(words) : null,
      wShares: input(shares),
      wUnits: input(units.length > 0 ? units : new Float32Array(columns)),
      rowSums: zeros ? sums.args.rowSums : null,
      block,
      scratch: scratch(scratchBytes),
      scratchBytes,
    },
  }
}

const shortOracle: Oracle = (random) => {
  const one = (shape: readonly [number, number, number], block: number, options?: ShortOptions) =>
    shortCase(random, shape, block, options)
  return [
    one([1, 1, 1], 32),
    one([12, 56, 384], 32),
    one([9, 93, 384], 32, { nb: 48 }),
    one([5, 19, 4500], 32),
    one([1, 35, 4200], 64, { zeros: true }),
    one([6, 8, 64], 32, { bias: false }),
    one([13, 21, 100], 32, { residual: true, gap: 3, zeros: true }),
    one([31, 43, 67], 32, { mb: 12, nb: 16, activation: 'Relu' }),
    one([7, 16, 130], 64, { activation: 'Gelu' }),
    one([5, 2, 257], 128, { residual: true }),
    one([1, 77, 161], 32, { nb: 40 }),
    one([1, 77, 161], 32, { nb: 40, zeros: true }),
    one([1, 45, 300], 128),
    one([2, 45, 96], 64, { residual: true, gap: 1, zeros: true }),
    one([2, 24, 40], 32),
    one([3, 5, 0], 32),
    one([3, 9, 72], 64),
    one([4, 9, 72], 32, { zeros: true }),
    one([17, 30, 40], 32, { mb: 11, nb: 24 }),
    one([7, 21, 300], 64, { wide: true, zeros: true }),
    one([1, 24, 160], 32, { wide: true }),
    one([3, 9, 32], 32, { wide: true }),
  ]
}

export const oracles: Readonly<Record<string, Oracle>> = { gemm_s4_scaled_short: shortOracle }
