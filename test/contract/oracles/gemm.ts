// SPDX-License-Identifier: Apache-2.0
/**
 * Oracles of the matrix products (src/kernels/gemm.ts): direct sums in double precision over logical matrices. Bytes of
 * A stay below 128, where the dot of every host agrees, but in `wide` cases.
 */
import { activations } from '../../../src/kernels/gemm.ts'
import { input, type KernelCase, type Oracle, scratch } from '../kernel.ts'
import { randomFloats, randomIntegers } from '../values.ts'
import { type EpilogueOptions, finished, floatSum, quantised, type Sum } from './epilogue.ts'
import { blockSums } from './block-sums.ts'
import { bytesOf, makeNarrow, makeRowsExtreme, makeWeightsExtreme, makeWide, roundsAlike } from './extremes.ts'
import { halfPanels, type Kind, kinds, panels, roundUp } from './panels.ts'
import { sharesOf } from './shares.ts'

type Random = () => number

interface GemmOptions extends EpilogueOptions {
  readonly batch?: number
  readonly mb?: number
  readonly nb?: number
  /** One B for all batches. */
  readonly shared?: boolean
  /** Elements between rows of A beyond k. */
  readonly between?: number
  /** One scale and zero point per batch, not per row. */
  readonly perBatch?: boolean
  /** Scales of 1: the output is the integers. */
  readonly integers?: boolean
}

function gemmCase(kind: Kind, random: Random, m: number, n: number, k: number, options: GemmOptions = {}): KernelCase {
  const { batch = 1, mb = m, nb = n, shared = false, between = 0, perBatch = false, integers = false } = options
  const { group, values } = kinds[kind]
  const lda = roundUp(k, group) + between
  const a = values(random, batch * m * lda + group)
  const copies = shared ? 1 : batch
  const w =
    kind === 'f32' ? randomFloats(random, copies * n * k) : randomIntegers(Int8Array, random, copies * n * k, -128, 127)
  if (options.extreme) {
    makeRowsExtreme(a, lda, k)
    makeWeightsExtreme(w, k)
  }
  if (options.wide) makeWide(kind, random, a, w, k)
  if (kind === 's8_narrow') makeNarrow(w, k)
  const packed = panels(kind, w, copies, n, k)
  const quant = quantised(random, perBatch ? batch : batch * m, w, { groups: copies, n, k }, integers)
  const sumAt = (image: number, row: number, column: number): Sum => {
    const copy = shared ? 0 : image
    let value = 0
    let size = 0
    for (let i = 0; i < k; i++) {
      const product = a[(image * m + row) * lda + i]! * w[(copy * n + column) * k + i]!
      value += product
      size += Math.abs(product)
    }
    if (kind === 'f32') return floatSum(value, size, k)
    return quant.sumOf(value, perBatch ? image : image * m + row, copy, column)
  }
  const epilogue = finished(random, batch, m, n, integers ? { ...options, bias: false } : options, sumAt)
  return {
    title: `${m}x${k}x${n} ${JSON.stringify(options)}`,
    units: batch * Math.ceil(m / mb) * Math.ceil(n / nb),
    exact: kind !== 'f32' && roundsAlike(options),
    ...bytesOf(kind, options),
    args: {
      a: input(a, kinds[kind].group === 4 ? (options.offset ?? 0) >> 2 : options.offset),
      lda,
      batchA: m * lda,
      b: input(packed, options.offset),
      batchBBytes: copies > 1 ? packed.byteLength / copies : 0,
      batch,
      m,
      n,
      k,
      mb,
      nb,
      ...epilogue,
      ...(kind === 'f32' ? {} : { ...quant.args, aParamsStride: perBatch ? 0 : 1, batchParams: perBatch ? 1 : m }),
    },
  }
}

interface ScaledOptions extends EpilogueOptions {
  readonly mb?: number
  readonly nb?: number
  /** 4-bit weights have zero points. */
  readonly zeros?: boolean
  /** Bits of a weight. */
  readonly bits?: 4 | 8
  /** Scales are multiples of a 256th of the largest of their column. */
  readonly shares?: boolean
  /** The last block is zeros, and so is its scale, as it is packed; weight-only: all weights are. */
  readonly idle?: boolean
}

/** Parts of a column's largest scale in which pairs count weights: each may be off by one (src/kernels/gemm.ts). */
const foldedUnits = { 8: 256, 4: 2048 } as const
/** Rows from which on they do; with 4 bits relaxed builds always do. */
const foldedRows = 16

/** A product whose weights have a scale for each block of k. */
function scaledCase(
  kind: 's8_dot' | 's8_narrow' | 's8_pairs',
  random: Random,
  [m, n, k]: readonly [number, number, number],
  block: number,
  options: ScaledOptions = {},
): KernelCase {
  const { mb = m, nb = n, bits = 8, shares = false, idle = false } = options
  const { group, values } = kinds[kind]
  const lda = roundUp(k, bits === 4 ? 2 * group : group)
  const a = values(random, m * lda + group)
  const w = randomIntegers(Int8Array, random, n * k, bits === 4 ? 0 : -128, bits === 4 ? 15 : 127)
  const blocks = Math.ceil(k / block)
  const params = randomFloats(random, 2 * m)
  const zeros = new Int32Array(params.buffer)
  for (let row = 0; row < m; row++) zeros[2 * row + 1] = Math.floor(random() * 256) - (row % 2) * 128
  const scales = randomFloats(random, roundUp(n, 8) * blocks, 0.01)
  if (options.extreme) {
    makeRowsExtreme(a, lda, k)
    if (bits === 8) makeWeightsExtreme(w, k)
    scales.set([0, 1e-40, 1e30])
  }
  if (options.wide) makeWide(kind, random, a, w, k)
  if (bits === 4) for (let row = 0; row < m; row++) a.fill(0, row * lda + k, (row + 1) * lda)
  if (kind === 's8_narrow') makeNarrow(w, k)
  if (shares) {
    // the first of each column is the largest
    for (let i = 0; i < scales.length; i++) {
      const first = i - (i % (8 * blocks)) + (i % 8)
      scales[i] = i === first ? Math.abs(scales[i]!) : (scales[first]! * Math.ceil(random() * 256)) / 256
    }
    for (let i = 0; i < w.length; i++) w[i] = i % k === 0 ? 1 : Math.max(-127, w[i]!)
  }
  if (idle) {
    for (let i = 0; i < w.length; i++) if (i % k >= (blocks - 1) * block) w[i] = bits === 4 ? 8 : 0
    for (let i = 0; i < scales.length; i++) if (Math.floor(i / 8) % blocks === blocks - 1) scales[i] = 0
  }
  const sizeOf = (_: number, at: number): number => 128 * Math.min(block, k - at * block)
  const shared = kind === 's8_narrow' ? sharesOf(scales, blocks, { bits, block }, sizeOf) : undefined
  if (shared) scales.set(shared.rounded)
  const sums = blockSums(random, a, w, [m, n, k], block, { ...options, lda, bits, scales })
  const folds = kind === 's8_pairs' && (bits === 4 || m >= foldedRows)
  const sumAt = (_: number, row: number, column: number): Sum => {
    const { value, size } = sums.of(row, column, zeros[2 * row + 1]!)
    const scale = params[2 * row]!
    const folding = folds && !shares ? sums.ofLargest(row, column) / foldedUnits[bits] : 0
    return { value: value * scale, error: Math.abs(scale) * ((blocks + 4) * 6e-8 * size + folding) + 1e-30 }
  }
  const scratchBytes =
    kind === 's8_pairs' ? 192 + 32 * roundUp(k, 2) : (shared ? 256 : 224) + (bits === 4 ? 8 * lda : 0)
  const units = shared && blocks === 0 ? new Float32Array(roundUp(n, 8)) : shared?.units
  return {
    title: `${m}x${k}x${n} block ${block} ${JSON.stringify(options)}`,
    units: Math.ceil(m / mb) * Math.ceil(n / nb),
    // few rows of 4-bit weights are folded by relaxed builds alone (src/kernels/gemm.ts)
    exact: roundsAlike(options) && !(kind === 's8_pairs' && bits === 4 && m < foldedRows),
    ...bytesOf(kind, options),
    args: {
      a: input(a),
      lda,
      batchA: 0,
      b: input(bits === 4 ? halfPanels(group, w, n, k) : panels(kind, w, 1, n, k)),
      batchBBytes: 0,
      batch: 1,
      m,
      n,
      k,
      mb,
      nb,
      ...finished(random, 1, m, n, options, sumAt),
      aParams: input(params),
      ...sums.args,
      ...(shared && units ? { wShares: input(shared.shares), wUnits: input(units) } : {}),
      block,
      scratch: scratch(scratchBytes),
      scratchBytes,
    },
  }
}

const scaledOracle =
  (kind: 's8_dot' | 's8_narrow' | 's8_pairs', bits: 4 | 8): Oracle =>
  (random) => {
    const one = (shape: readonly [number, number, number], block: number, options?: ScaledOptions) =>
      scaledCase(kind, random, shape, block, { ...options, bits, zeros: bits === 4 && options?.zeros })
    return [
      one([1, 1, 1], 32),
      one([6, 8, 64], 32, { bias: false }),
      one([13, 21, 100], 32, { residual: true, gap: 3, zeros: true }),
      one([31, 43, 67], 32, { mb: 12, nb: 16, activation: 'Relu' }),
      one([7, 16, 130], 64, { activation: 'Gelu', zeros: true }),
      one([5, 2, 257], 128, { residual: true }),
      one([1, 77, 161], 32, { nb: 40, zeros: true }),
      one([2, 45, 96], 64, { residual: true, gap: 1 }),
      one([3, 5, 0], 32),
      one([4, 9, 72], 32),
      one([17, 30, 40], 32, { mb: 11, nb: 24 }),
      one([9, 8, 33], 32, { zeros: true }),
      one([9, 11, 128], 64, { extreme: true }),
      one([15, 21, 100], 32, { zeros: true }),
      one([16, 21, 100], 32, { residual: true, gap: 3, zeros: true }),
      one([23, 8, 33], 32, { zeros: true }),
      one([17, 19, 160], 32, { shares: true }),
      one([18, 24, 1200], 64, { shares: true, residual: true, gap: 2 }),
      one([20, 17, 700], 128),
      one([5, 9, 1100], 64),
      one([4, 19, 2200], 128, { bias: false }),
      one([131, 21, 40], 32, { residual: true, gap: 3, zeros: true, activation: 'Relu' }),
      one([17, 24, 65], 32, { idle: true }),
      one([16, 11, 128], 32, { idle: true }),
      one([19, 11, 128], 64, { extreme: true }),
      one([19, 17, 600], 64, { extreme: true }),
      one([13, 21, 200], 64, { wide: true }),
      one([1, 40, 96], 32, { wide: true, zeros: true }),
    ]
  }

/** A product of float32 rows and weights in blocks. */
function widenedCase(
  random: Random,
  bits: 4 | 8,
  [m, n, k]: readonly [number, number, number],
  block: number,
  options: ScaledOptions = {},
): KernelCase {
  const { mb = m, nb = n, zeros = false } = options
  const a = randomFloats(random, m * k)
  const w = randomIntegers(Int8Array, random, n * k, bits === 4 ? 0 : -128, bits === 4 ? 15 : 127)
  const blocks = Math.ceil(k / block)
  const offsets = randomIntegers(Int32Array, random, roundUp(n, 8) * blocks, zeros ? -7 : 0, zeros ? 8 : 0)
  const scales = randomFloats(random, roundUp(n, 8) * blocks, 0.01)
  if (options.extreme) {
    makeRowsExtreme(a, k, k)
    if (bits === 8) makeWeightsExtreme(w, k)
  }
  if (options.idle) {
    // zeros alone are exact
    for (let i = 0; i < w.length; i++) {
      const at = ((Math.floor(i / k) >> 3) * blocks + Math.floor((i % k) / block)) * 8 + (Math.floor(i / k) & 7)
      w[i] = bits === 8 ? 0 : 8 - (zeros ? offsets[at]! : 0)
    }
  }
  const sumAt = (_: number, row: number, column: number): Sum => {
    let value = 0
    let size = 0
    for (let i = 0; i < k; i++) {
      const at = ((column >> 3) * blocks + Math.floor(i / block)) * 8 + (column & 7)
      const product = a[row * k + i]! * scales[at]! * (w[column * k + i]! + (bits === 4 ? offsets[at]! - 8 : 0))
      value += product
      size += Math.abs(product)
    }
    return floatSum(value, size, k + 2)
  }
  const scratchBytes = 64 + 2 * 8 * roundUp(k, 8) * 4
  return {
    title: `${m}x${k}x${n} block ${block} ${JSON.stringify(options)}`,
    units: Math.ceil(m / mb) * Math.ceil(n / nb),
    args: {
      a: input(a, 4),
      lda: k,
      batchA: 0,
      b: input(bits === 4 ? halfPanels(4, w, n, k) : panels('s8_dot', w, 1, n, k)),
      batchBBytes: 0,
      batch: 1,
      m,
      n,
      k,
      mb,
      nb,
      ...finished(random, 1, m, n, options, sumAt),
      aParams: null,
      rowSums: null,
      wScale: input(scales, 4),
      wSum: null,
      wZeros: bits === 4 && zeros ? input(offsets) : null,
      block,
      scratch: scratch(scratchBytes),
      scratchBytes,
    },
  }
}

const widenedOracle =
  (bits: 4 | 8): Oracle =>
  (random) => {
    const one = (shape: readonly [number, number, number], block: number, options?: ScaledOptions) =>
      widenedCase(random, bits, shape, block, options)
    return [
      one([1, 1, 1], 32),
      one([6, 8, 64], 32, { bias: false }),
      one([13, 21, 100], 32, { residual: true, gap: 3, zeros: true }),
      one([31, 43, 67], 64, { mb: 12, nb: 16, activation: 'Relu' }),
      one([1, 77, 161], 32, { nb: 40, zeros: true }),
      one([3, 45, 96], 16, { residual: true, gap: 1 }),
      one([2, 9, 30], 256),
      one([9, 11, 64], 32, { extreme: true }),
      one([3, 5, 0], 32),
      one([9, 5, 0], 32),
      ...[1, 2, 3, 4, 5].flatMap((m) => [
        one([m, 24, 256], 64, { activation: 'Relu' }),
        one([m, 13, 131], 32, { zeros: true, residual: true, gap: 2 }),
        one([m, 17, 325], 128, { nb: 16 }),
        one([m, 11, 198], 64, { zeros: true }),
        one([m, 7, 36], 32, { extreme: true }),
        one([m, 9, 104], 32, { extreme: true, zeros: true }),
        one([m, 10, 64], 32, { idle: true, zeros: true }),
      ]),
      // the last tile overlaps the one before, or a unit has few rows of a product of many
      ...[6, 7, 8, 9, 10, 11, 25].map((m) => one([m, 12, 75], 32, { zeros: true })),
      one([14, 10, 40], 32, { mb: 12 }),
      one([15, 10, 40], 32, { mb: 12 }),
    ]
  }

const gemmOracle =
  (kind: Kind): Oracle =>
  (random) => {
    const one = (m: number, n: number, k: number, options?: GemmOptions) => gemmCase(kind, random, m, n, k, options)
    const cases = [
      one(1, 1, 1),
      one(6, 8, 16, { bias: false }),
      one(12, 16, 64, { residual: true }),
      one(7, 9, 5, { gap: 3, residual: true, offset: 4 }),
      one(31, 43, 19, { mb: 12, nb: 16, gap: 1, activation: 'Relu' }),
      one(26, 24, 3, { mb: 6, nb: 8, batch: 2, residual: true, gap: 2, between: 5 }),
      one(9, 20, 12, { batch: 3, shared: true, perBatch: true, offset: 12 }),
      one(5, 12, 7, { batch: 3 }),
      one(3, 33, 8, { batch: 2, nb: 24, gap: 7 }),
      one(1, 77, 37, { nb: 40 }),
      one(2, 45, 21, { residual: true }),
      one(10, 1, 33, { activation: 'Sigmoid', residual: true }),
      one(4, 2, 6, { gap: 2 }),
      one(8, 3, 2, { perBatch: true }),
      one(3, 5, 0),
      one(9, 11, 33, { extreme: true }),
      one(1, 40, 16, { extreme: true, residual: true }),
      one(2, 17, 9, { extreme: true }),
      ...activations.map((activation) => one(7, 21, 24, { activation, residual: true, mb: 6, nb: 16 })),
    ]
    if (kind !== 'f32') {
      for (const [m, n, k] of [
        [6, 8, 300],
        [1, 40, 13],
        [4, 3, 130],
        [2, 17, 64],
        [11, 9, 1],
      ]) {
        cases.push(one(m!, n!, k!, { integers: true }))
      }
      cases.push(one(9, 11, 150, { integers: true, extreme: true }))
      for (const [m, n, k] of [
        [1, 40, 13],
        [2, 17, 64],
        [5, 21, 100],
        [13, 30, 255],
        [6, 1, 1],
      ]) {
        cases.push(one(m!, n!, k!, { integers: true, wide: true }))
      }
    }
    return cases
  }

export const oracles: Readonly<Record<string, Oracle>> = {
  gemm_f32: gemmOracle('f32'),
  gemm_s8_dot: gemmOracle('s8_dot'),
  gemm_s8_narrow: gemmOracle('s8_narrow'),
  gemm_s8_pairs: gemmOracle('s8_pairs'),
  gemm_s8_scaled_dot: scaledOracle('s8_dot', 8),
  gemm_s8_scaled_narrow: scaledOracle('s8_narrow', 8),
  gemm_s8_scaled_pairs: scaledOracle('s8_pairs', 8),
  gemm_s8_scaled_f32: widenedOracle(8),
  gemm_s4_scaled_f32: widenedOracle(4),
  gemm_s4_scaled_dot: scaledOracle('s8_dot', 4),
  gemm_s4_scaled_pairs: scaledOracle('s8_pairs', 4),
}
