// SPDX-License-Identifier: Apache-2.0
/** Oracles of products with sparse weights (src/kernels/sparse.ts): sums over the weights that are there. */
import type { Activation } from '../../../src/kernels/gemm.ts'
import { exact, input, type KernelCase, type Oracle, output, scratch } from '../kernel.ts'
import { randomFloats, randomIntegers } from '../values.ts'
import { type EpilogueOptions, finished, floatSum, quantised } from './epilogue.ts'
import { bytesOf, makeNarrow, makeRowsExtreme, makeWeightsExtreme, makeWide, roundsAlike } from './extremes.ts'
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

type ByteKind = 's8_dot' | 's8_narrow' | 's8_pairs'

/** Scratch bytes of a thread. */
const rowsScratch = (k: number, nb: number, width: number): number => 32 * (k + 1) * width + 2048 + 132 * roundUp(nb, 4)

function rowsCase(random: Random, [m, n, k]: Shape, options: Options = {}): KernelCase {
  const { nb = n, density = 0.3 } = options
  const a = randomFloats(random, m * k)
  const { starts, depths } = joined(Array.from({ length: n }, () => someOf(random, k, density)))
  const values = randomFloats(random, depths.length)
  if (options.extreme)
    [Infinity, NaN, 1e-45, -Infinity, 0].forEach((value, row) => a.fill(value, row * k, (row + 1) * k))
  const sumAt = (_: number, row: number, column: number) => {
    let value = 0
    let size = 0
    for (let i = starts[column]!; i < starts[column + 1]!; i++) {
      const product = values[i]! * a[row * k + depths[i]!]!
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
      values: input(values),
      depths: input(depths.map((depth) => 32 * 4 * depth)),
      starts: input(starts),
      m,
      n,
      k,
      nb,
      scratch: scratch(rowsScratch(k, nb, 4)),
      scratchBytes: rowsScratch(k, nb, 4),
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
  rowsCase(random, [64, 5, 70], { nb: 4 }),
  rowsCase(random, [70, 13, 25], { density: 0.1, activation: 'Gelu', residual: true, nb: 8 }),
  rowsCase(random, [5, 3, 20], { density: 0 }),
  rowsCase(random, [40, 9, 24], { extreme: true }),
  rowsCase(random, [68, 37, 40], { gap: 3 }),
  rowsCase(random, [33, 48, 20], { post: true, bias: false, nb: 24 }),
  rowsCase(random, [36, 32, 24], { post: true, nb: 16 }),
]

/** Weights of columns in compressed rows, and the same dense [n][k]. */
function sparseColumns(random: Random, n: number, k: number, density: number, extreme = false) {
  const { starts, depths } = joined(Array.from({ length: n }, () => someOf(random, k, density)))
  const values = randomIntegers(Int8Array, random, depths.length, -128, 127)
  if (extreme) [0, -128, 127].slice(0, n).forEach((value, j) => values.fill(value, starts[j], starts[j + 1]))
  const w = new Int8Array(n * k)
  for (let j = 0; j < n; j++) for (let i = starts[j]!; i < starts[j + 1]!; i++) w[j * k + depths[i]!] = values[i]!
  return { starts, depths, values, w }
}

function byteRowsCase(
  kind: ByteKind,
  random: Random,
  [m, n, k]: Shape,
  options: Options & { integers?: boolean } = {},
): KernelCase {
  const { nb = n, density = 0.3, integers = false, offset = 0 } = options
  const a = kinds[kind].values(random, m * k)
  const { starts, depths, values, w } = sparseColumns(random, n, k, density, options.extreme)
  if (options.extreme) makeRowsExtreme(a, k, k)
  if (options.wide) makeWide(kind, random, a, values, k)
  const quant = quantised(random, m, w, { groups: 1, n, k }, integers)
  const sumAt = (_: number, row: number, column: number) => {
    let value = 0
    for (let i = 0; i < k; i++) value += a[row * k + i]! * w[column * k + i]!
    return quant.sumOf(value, row, 0, column)
  }
  const { batchC: _c, ...rest } = finished(random, 1, m, n, integers ? { ...options, bias: false } : options, sumAt)
  const scratchBytes = rowsScratch(k, nb, a.BYTES_PER_ELEMENT)
  return {
    title: `${m}x${k}x${n} ${JSON.stringify(options)}`,
    units: Math.ceil(m / 32) * Math.ceil(n / nb),
    ...bytesOf(kind, options),
    args: {
      a: input(a, (offset >> 2) * a.BYTES_PER_ELEMENT),
      values: input(kind === 's8_pairs' ? Int16Array.from(values) : values, (offset >> 2) * a.BYTES_PER_ELEMENT),
      depths: input(
        depths.map((depth) => 32 * a.BYTES_PER_ELEMENT * depth),
        offset,
      ),
      starts: input(starts, offset),
      m,
      n,
      k,
      nb,
      scratch: scratch(scratchBytes),
      scratchBytes,
      aParams: { ...quant.args.aParams, offset },
      wScale: { ...quant.args.wScale, offset },
      ...rest,
    },
  }
}

const byteRowsOracle =
  (kind: ByteKind): Oracle =>
  (random) => [
    byteRowsCase(kind, random, [1, 1, 1], { density: 1, integers: true }),
    byteRowsCase(kind, random, [32, 8, 64], { integers: true }),
    byteRowsCase(kind, random, [37, 21, 61], { residual: true, gap: 3, nb: 8 }),
    byteRowsCase(kind, random, [4, 6, 30], { activation: 'Relu', density: 0.5, integers: true }),
    byteRowsCase(kind, random, [70, 13, 25], { density: 0.1, activation: 'Gelu', residual: true, nb: 8 }),
    byteRowsCase(kind, random, [5, 3, 20], { density: 0 }),
    byteRowsCase(kind, random, [34, 10, 27], { offset: 4, gap: 1, residual: true }),
    byteRowsCase(kind, random, [3, 5, 13], { offset: 12, integers: true }),
    byteRowsCase(kind, random, [36, 9, 70], { extreme: true, density: 1, integers: true }),
    byteRowsCase(kind, random, [7, 11, 33], { extreme: true, offset: 4 }),
    byteRowsCase(kind, random, [37, 9, 61], { wide: true, density: 0.7, integers: true }),
  ]

const spreadArgsOf = (n: number, k: number, count: number, depths: Int32Array, starts: Int32Array) => ({
  depths: input(depths),
  starts: input(starts),
  n,
  k,
  count,
})

const spreadShapes: readonly Shape[] = [
  [0, 1, 1],
  [0, 8, 32],
  [0, 21, 45],
  [0, 13, 30],
]

const spreadRowsOracle: Oracle = (random) =>
  spreadShapes.map(([, n, k]) => {
    const { starts, depths, values: bytes, w } = sparseColumns(random, n, k, 0.4)
    const wild = depths.map((depth) => (depth === k - 1 ? -1 : depth))
    const wildStarts = starts.map((start) => (start === bytes.length ? 2 ** 30 : start))
    return {
      title: `${n} columns of ${k}`,
      units: Math.ceil(n / 8),
      args: {
        values: input(Float32Array.from(bytes), 4),
        dst: output(Float32Array, Array.from(panels('f32', w, 1, n, k)), exact, 4),
        ...spreadArgsOf(n, k, bytes.length, wild, wildStarts),
      },
    }
  })

function columnSums(w: Int8Array, n: number, k: number): number[] {
  const sums = new Array<number>(roundUp(n, 8)).fill(0)
  w.forEach((value, i) => (sums[Math.floor(i / k)]! += value))
  return sums
}

const spreadBytesOracle: Oracle = (random) =>
  (['s8_dot', 's8_pairs'] as const).flatMap((kind) =>
    spreadShapes.map(([, n, k]) => {
      const { starts, depths, values, w } = sparseColumns(random, n, k, 0.4)
      return {
        title: `${n} columns of ${k}, ${kind}`,
        units: Math.ceil(n / 8),
        args: {
          values: input(values, 1),
          dst: output(Int8Array, Array.from(panels(kind, w, 1, n, k))),
          ...spreadArgsOf(n, k, values.length, depths, starts),
          group: kinds[kind].group,
          sums: output(Int32Array, columnSums(w, n, k), exact, 4),
        },
      }
    }),
  )

const spreadBlocksOracle: Oracle = (random) =>
  (['s8_dot', 's8_pairs'] as const).flatMap((kind) =>
    spreadShapes.map(([, n, k]) => {
      const { starts, depths, stored, w, lda } = sparseBlocks(random, n, k, 0.4)
      const dense = Int8Array.from({ length: n * k }, (_, i) => w[Math.floor(i / k) * lda + (i % k)]!)
      return {
        title: `${n} columns of ${k}, ${kind}`,
        units: Math.ceil(n / 8),
        args: {
          values: input(stored, 1),
          dst: output(Int8Array, Array.from(panels(kind, dense, 1, n, k))),
          ...spreadArgsOf(n, k, depths.length, depths, starts),
          group: kinds[kind].group,
          sums: output(Int32Array, columnSums(dense, n, k), exact, 4),
        },
      }
    }),
  )

const widenOracle: Oracle = (random) =>
  [
    [1, 1],
    [37, 8],
    [64, 64],
  ].map(([size, block]) => {
    const data = randomIntegers(Int8Array, random, size!, -128, 127)
    return {
      title: `${size} in blocks of ${block}`,
      units: Math.ceil(size! / block!),
      args: { src: input(data, 1), dst: output(Int16Array, [...data]), size: size!, block: block! },
    }
  })

/** Blocks of 8 columns x 8 k, and the same dense, of whole panels and blocks: [columns][lda]. */
function sparseBlocks(random: Random, n: number, k: number, density: number, adapt?: (stored: Int8Array) => void) {
  const columns = roundUp(n, 8)
  const lda = roundUp(k, 8)
  const { starts, depths } = joined(
    Array.from({ length: columns / 8 }, () => someOf(random, Math.ceil(k / 8), density)),
  )
  const stored = randomIntegers(Int8Array, random, depths.length * 64, -128, 127)
  adapt?.(stored)
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
  return { starts, depths, stored, w, lda }
}

function blocksCase(
  kind: ByteKind,
  random: Random,
  [m, n, k]: Shape,
  options: Options & { integers?: boolean } = {},
): KernelCase {
  const { nb = n, mb = m, density = 0.4, integers = false, offset = 0 } = options
  const a = kinds[kind].values(random, m * roundUp(k, 8))
  // dense weights of whole panels and whole blocks of k, which the sums and the zero points are taken of
  const { starts, depths, stored, w, lda } = sparseBlocks(random, n, k, density, (codes) => {
    if (options.extreme) makeWeightsExtreme(codes, 64)
    if (options.wide) makeWide(kind, random, a, codes, 8)
    if (kind === 's8_narrow') {
      makeNarrow(codes, 8)
      codes.set(codes.map((code) => Math.trunc(code / 2)))
    }
  })
  const blocks = depths.length
  if (options.extreme) makeRowsExtreme(a, lda, k)
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
    ...bytesOf(kind, options),
    args: {
      a: input(a, (offset >> 2) * a.BYTES_PER_ELEMENT),
      lda,
      b: input(panels(kind, stored, blocks, 8, 8), offset),
      depths: input(
        depths.map((depth) => 8 * a.BYTES_PER_ELEMENT * depth),
        offset,
      ),
      starts: input(starts, offset),
      sums: input(sums, offset),
      m,
      n,
      mb,
      nb,
      aParams: { ...quant.args.aParams, offset },
      wScale: { ...quant.args.wScale, offset },
      scratch: scratch(scratchBytes),
      scratchBytes,
      ...rest,
    },
  }
}

const blocksOracle =
  (kind: ByteKind): Oracle =>
  (random) => [
    blocksCase(kind, random, [1, 1, 1], { density: 1 }),
    blocksCase(kind, random, [6, 8, 64], { integers: true }),
    blocksCase(kind, random, [13, 21, 60], { residual: true, gap: 3, nb: 16, mb: 7 }),
    blocksCase(kind, random, [4, 19, 24], { activation: 'HardSwish' as Activation }),
    blocksCase(kind, random, [20, 40, 100], { density: 0.2, mb: 12, nb: 24, activation: 'Relu' }),
    blocksCase(kind, random, [7, 9, 16], { density: 0 }),
    // rows are finished 24 at once; the last tile of a unit reaches back
    blocksCase(kind, random, [25, 9, 16], { residual: true, gap: 3 }),
    blocksCase(kind, random, [50, 12, 24], { integers: true }),
    blocksCase(kind, random, [59, 11, 16], { activation: 'Relu', mb: 48, nb: 8 }),
    blocksCase(kind, random, [9, 24, 64], { extreme: true, density: 1, integers: true }),
    blocksCase(kind, random, [13, 17, 45], { offset: 4, residual: true, gap: 1 }),
    blocksCase(kind, random, [27, 9, 24], { offset: 12, integers: true }),
    blocksCase(kind, random, [29, 21, 60], { wide: true, density: 0.8, integers: true }),
    blocksCase(kind, random, [3, 9, 33], { wide: true, density: 1, integers: true }),
  ]

export const oracles: Readonly<Record<string, Oracle>> = {
  spmm_f32: rowsOracle,
  spmm_s8_dot: blocksOracle('s8_dot'),
  spmm_s8_narrow: blocksOracle('s8_narrow'),
  spmm_s8_pairs: blocksOracle('s8_pairs'),
  spmm_rows_s8_dot: byteRowsOracle('s8_dot'),
  spmm_rows_s8_pairs: byteRowsOracle('s8_pairs'),
  spread_rows_f32: spreadRowsOracle,
  spread_rows_s8: spreadBytesOracle,
  spread_blocks_s8: spreadBlocksOracle,
  widen_s8: widenOracle,
}
