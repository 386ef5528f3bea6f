// SPDX-License-Identifier: Apache-2.0
/** Oracles of products with sparse weights (src/kernels/sparse.ts): sums over the weights that are there. */
import type { Activation } from '../../../src/kernels/gemm.ts'
import { input, type KernelCase, type Oracle, scratch } from '../kernel.ts'
import { randomFloats, randomIntegers } from '../values.ts'
import { type EpilogueOptions, finished, floatSum, quantised } from './epilogue.ts'
import { makeRowsExtreme, makeWeightsExtreme, roundsAlike } from './extremes.ts'
import { kinds, panels, roundUp } from './panels.ts'

type Random = () => number
type Shape = readonly [m: number, n: number, k: number]

/** Ascending numbers below `size`, each taken with probability `density`. */
const someOf = (random: Random, size: number, density: number): number[] =>
  Array.from({ length: size }, (_, i) => i).filter(() => random() < density)

/** Lists one after the other, and where each begins. */
function joined(lists: readonly (readonly number[])[]) {
  const starts = new Int32Array(lists.length + 1)
  lists.forEach((list, i) => (starts[i + 1] = starts[i]! + list.length))
  return { starts, depths: Int32Array.from(lists.flat()) }
}

interface Options extends EpilogueOptions {
  readonly nb?: number
  readonly mb?: number
  readonly density?: number
}

function rowsCase(random: Random, [m, n, k]: Shape, options: Options = {}): KernelCase {
  const { nb = n, density = 0.3 } = options
  const lda = m + (options.gap ?? 0)
  const a = randomFloats(random, k * lda + 31)
  const { starts, depths } = joined(Array.from({ length: n }, () => someOf(random, k, density)))
  const values = randomFloats(random, depths.length)
  // rows of A are the transposed ones here: each row of m has one of the extremes
  if (options.extreme) for (let i = 0; i < k; i++) a.set([Infinity, NaN, 1e-45, -Infinity, 0], i * lda)
  const sumAt = (_: number, row: number, column: number) => {
    let value = 0
    let size = 0
    for (let i = starts[column]!; i < starts[column + 1]!; i++) {
      const product = values[i]! * a[depths[i]! * lda + row]!
      value += product
      size += Math.abs(product)
    }
    return floatSum(value, size, starts[column + 1]! - starts[column]!)
  }
  const { batchC: _c, batchR, ...rest } = finished(random, 1, m, n, options, sumAt)
  return {
    title: `${m}x${k}x${n} ${JSON.stringify(options)}`,
    units: Math.ceil(m / 32) * Math.ceil(n / nb),
    args: {
      a: input(a, 4),
      lda,
      values: input(values),
      depths: input(depths),
      starts: input(starts),
      m,
      n,
      nb,
      scratch: scratch(512),
      scratchBytes: 512,
      ...rest,
      batchR,
    },
  }
}

const rowsOracle: Oracle = (random) => [
  rowsCase(random, [1, 1, 1], { density: 1 }),
  rowsCase(random, [32, 8, 16], { bias: false }),
  rowsCase(random, [37, 21, 40], { residual: true, gap: 3, nb: 8 }),
  rowsCase(random, [4, 6, 30], { activation: 'Relu' }),
  rowsCase(random, [70, 13, 25], { density: 0.1, activation: 'Gelu', residual: true, nb: 8 }),
  rowsCase(random, [5, 3, 20], { density: 0 }),
  rowsCase(random, [40, 9, 24], { extreme: true }),
]

function blocksCase(
  kind: 's8_dot' | 's8_pairs',
  random: Random,
  [m, n, k]: Shape,
  options: Options & { integers?: boolean } = {},
): KernelCase {
  const { nb = n, mb = m, density = 0.4, integers = false } = options
  const columns = roundUp(n, 8)
  const lda = roundUp(k, 8)
  const a = kinds[kind].values(random, m * lda)
  const { starts, depths } = joined(
    Array.from({ length: columns / 8 }, () => someOf(random, Math.ceil(k / 8), density)),
  )
  const blocks = depths.length
  const stored = randomIntegers(Int8Array, random, blocks * 64, -128, 127)
  if (options.extreme) {
    makeRowsExtreme(a, lda, k)
    makeWeightsExtreme(stored, 64)
  }
  // dense weights of whole panels and whole blocks of k, which the sums and the zero points are taken of
  const w = new Int8Array(columns * lda)
  for (let p = 0; p < columns / 8; p++) {
    for (let at = starts[p]!; at < starts[p + 1]!; at++) {
      for (let i = 0; i < 64; i++) {
        const [j, depth] = [8 * p + (i >> 3), 8 * depths[at]! + (i & 7)]
        if (j >= n || depth >= k) stored[at * 64 + i] = 0
        w[j * lda + depth] = stored[at * 64 + i]!
      }
    }
  }
  const sums = new Int32Array(blocks * 8)
  stored.forEach((value, i) => (sums[i >> 3]! += value))
  const quant = quantised(random, m, w, { groups: 1, n, k: lda }, integers)
  const sumAt = (_: number, row: number, column: number) => {
    let value = 0
    for (let i = 0; i < lda; i++) value += a[row * lda + i]! * w[column * lda + i]!
    return quant.sumOf(value, row, 0, column)
  }
  const { batchC: _c, ...rest } = finished(random, 1, m, n, integers ? { ...options, bias: false } : options, sumAt)
  const scratchBytes = 4 * roundUp(nb, 8) + 192
  return {
    title: `${m}x${k}x${n} ${JSON.stringify(options)}`,
    units: Math.ceil(m / mb) * Math.ceil(n / nb),
    exact: roundsAlike(options),
    args: {
      a: input(a),
      lda,
      b: input(panels(kind, stored, blocks, 8, 8)),
      depths: input(depths),
      starts: input(starts),
      sums: input(sums),
      m,
      n,
      mb,
      nb,
      aParams: quant.args.aParams,
      wScale: quant.args.wScale,
      scratch: scratch(scratchBytes),
      scratchBytes,
      ...rest,
    },
  }
}

const blocksOracle =
  (kind: 's8_dot' | 's8_pairs'): Oracle =>
  (random) => [
    blocksCase(kind, random, [1, 1, 1], { density: 1 }),
    blocksCase(kind, random, [6, 8, 64], { integers: true }),
    blocksCase(kind, random, [13, 21, 60], { residual: true, gap: 3, nb: 16, mb: 7 }),
    blocksCase(kind, random, [4, 19, 24], { activation: 'HardSwish' as Activation }),
    blocksCase(kind, random, [20, 40, 100], { density: 0.2, mb: 12, nb: 24, activation: 'Relu' }),
    blocksCase(kind, random, [7, 9, 16], { density: 0 }),
    blocksCase(kind, random, [9, 24, 64], { extreme: true, density: 1, integers: true }),
  ]

export const oracles: Readonly<Record<string, Oracle>> = {
  spmm_f32: rowsOracle,
  spmm_s8_dot: blocksOracle('s8_dot'),
  spmm_s8_pairs: blocksOracle('s8_pairs'),
}
