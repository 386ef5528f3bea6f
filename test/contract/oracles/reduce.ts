// SPDX-License-Identifier: Apache-2.0
/**
 * Reductions, softmax, normalisation and pooling in float64. A sum of n float32 terms may be off by roundings of its
 * partial sums, so bounds grow with the sum of magnitudes of what is added, not with the result.
 */
import { randomInteger } from '../../../src/base/rng.ts'
import { exact, inPlace, input, output, same, type Bound, type KernelCase, type Oracle } from '../kernel.ts'
import { randomFloats, wildFloats } from '../values.ts'

const f32 = Math.fround
/** Half a unit in the last place of 1. */
const EPS = 2 ** -24

interface Reduction {
  readonly of: (values: readonly number[]) => number
  /** Largest error of a result, from the values. */
  readonly off: (values: readonly number[]) => number
  /** Tried on infinities, NaN and denormals too. */
  readonly wild?: boolean
  /** The argument of this name, of the count; 0 where left out. */
  readonly finish?: (count: number) => number
}

const sum = (values: readonly number[]): number => values.reduce((s, v) => s + v, 0)
const magnitude = (values: readonly number[]): number => sum(values.map(Math.abs))
const squares = (values: readonly number[]): number => sum(values.map((v) => v * v))
/** Longest chain of additions in a row of n is n / 16 and a few; in a column it is n. */
const chain = (n: number): number => (n + 8) * EPS
const logSumExp = (values: readonly number[]): number => {
  const largest = values.reduce((m, v) => (v > m || Number.isNaN(v) ? v : m), -Infinity)
  if (!Number.isFinite(largest)) return values.some(Number.isNaN) ? NaN : largest
  return largest + Math.log(sum(values.map((v) => Math.exp(v - largest))))
}

const mean: Reduction = {
  of: (v) => sum(v) / v.length,
  off: (v) => (chain(v.length) * magnitude(v)) / v.length + 1e-45,
  wild: true,
  finish: (count) => count,
}
const root: Reduction = {
  of: (v) => Math.sqrt(squares(v)),
  off: (v) => chain(v.length) * Math.sqrt(squares(v)),
  finish: () => 1,
}

const reductions: Readonly<Record<string, Reduction | readonly Reduction[]>> = {
  reduce_sum_f32: [{ of: sum, off: (v) => chain(v.length) * magnitude(v), wild: true, finish: () => 1 }, mean],
  reduce_max_f32: { of: (v) => Math.max(...v), off: () => 0, wild: true },
  reduce_min_f32: { of: (v) => Math.min(...v), off: () => 0, wild: true },
  reduce_prod_f32: {
    of: (v) => v.reduce((p, x) => p * x, 1),
    off: (v) => chain(v.length) * Math.abs(v.reduce((p, x) => p * x, 1)) + 1e-37,
  },
  reduce_sum_square_f32: [{ of: squares, off: (v) => chain(v.length) * squares(v) + 1e-44 }, root],
  reduce_l1_f32: { of: magnitude, off: (v) => chain(v.length) * magnitude(v), wild: true },
  reduce_log_sum_exp_f32: { of: logSumExp, off: (v) => chain(v.length) + 4 * EPS * Math.abs(logSumExp(v)), wild: true },
}

/** outer, reduce, inner, block. */
const shapes: readonly (readonly [number, number, number, number])[] = [
  [3, 64, 1, 1],
  [5, 1, 1, 1],
  [4, 7, 1, 1],
  [2, 83, 1, 4],
  [3, 130, 1, 1],
  [2, 5, 16, 16],
  [3, 4, 37, 8],
  [2, 9, 3, 100],
  [1, 3, 71, 29],
  [2, 0, 5, 3],
]

/** Sums that float32 cannot hold overflow on the way, in an order of the kernel's own: such columns are left out. */
const isTame = (values: readonly number[]): boolean => values.every((v) => !(Math.abs(v) > 1e18 && Number.isFinite(v)))

function reduction({ of, off, wild, finish = () => 0 }: Reduction): Oracle {
  return (random) =>
    shapes.flatMap(([outer, reduce, inner, block]): KernelCase[] => {
      const one = (x: Float32Array, kind: string): KernelCase => {
        const want: number[] = []
        const bounds: Bound[] = []
        for (let o = 0; o < outer; o++) {
          for (let i = 0; i < inner; i++) {
            const values = Array.from({ length: reduce }, (_, r) => x[(o * reduce + r) * inner + i]!)
            const value = f32(of(values))
            want.push(value)
            const abs = off(values)
            bounds.push(Number.isFinite(abs) ? { abs, rel: 2 * EPS } : exact)
          }
        }
        return {
          title: `${outer} x ${reduce} x ${inner} in blocks of ${block}, ${kind}, finish ${finish(reduce)}`,
          units: inner === 1 ? outer : outer * Math.ceil(inner / block),
          args: {
            x: input(x, 4),
            y: output(Float32Array, want, (i) => bounds[i]!, 8),
            ...{ outer, reduce, inner, block, finish: finish(reduce) },
          },
        }
      }
      const size = outer * reduce * inner
      const plain = one(randomFloats(random, size), 'normal')
      if (!wild) return [plain]
      const values = wildFloats(random, size)
      return [plain, one(isTame([...values]) ? values : values.map((v) => (isTame([v]) ? v : 0)), 'extremes')]
    })
}

type RowRule = (row: readonly number[], index: number) => { want: number[]; bound: Bound }

/** Kernels over rows of `cols`; every shape once apart and once in place. */
function rowCases(
  random: () => number,
  rule: RowRule,
  numbers: Readonly<Record<string, KernelCase['args'][string]>>,
  [rows, cols]: readonly [number, number],
  x: Float32Array,
  kind: string,
): KernelCase[] {
  const want: number[] = []
  const bounds: Bound[] = []
  for (let row = 0; row < rows; row++) {
    const result = rule(Array.from(x.subarray(row * cols, (row + 1) * cols)), row)
    want.push(...result.want.map(f32))
    bounds.push(result.bound)
  }
  const bound = (i: number): Bound => bounds[Math.floor(i / cols)]!
  const title = `${rows} rows of ${cols}, ${kind}`
  return [
    { title, units: rows, args: { x: input(x, 4), y: output(Float32Array, want, bound, 12), rows, cols, ...numbers } },
    {
      title: `${title}, in place`,
      units: rows,
      args: { x: same('y'), y: inPlace(x, want, bound, randomInteger(random, 0, 3) * 4), rows, cols, ...numbers },
    },
  ]
}

const rowShapes: readonly (readonly [number, number])[] = [
  [3, 64],
  [4, 1],
  [2, 3],
  [5, 13],
  [2, 39],
  [3, 130],
]

/** Rows no kernel may stumble over: one huge value, a mask of -inf, only -inf, a NaN, +inf, values far apart. */
const hardRows: readonly (readonly number[])[] = [
  [1e30, 1, 2, 3, 4, 5, 6],
  [-Infinity, 1, -Infinity, 2, -Infinity, -Infinity, 0.5],
  Array<number>(7).fill(-Infinity),
  [1, 2, NaN, 4, 5, 6, 7],
  [1, Infinity, 3, 4, 5, 6, 7],
  [0, -50, -87, -88, -100, -10000, 3e38 * -1],
]

const softmaxRow: RowRule = (row) => {
  const largest = Math.max(...row)
  const terms = row.map((v) => Math.exp(v - largest))
  const total = sum(terms)
  return { want: terms.map((t) => t / total), bound: { abs: 1.2e-38, rel: 4e-7 + row.length * EPS } }
}

const logSoftmaxRow: RowRule = (row) => {
  const largest = Math.max(...row)
  const logTotal = Math.log(sum(row.map((v) => Math.exp(v - largest))))
  return { want: row.map((v) => v - largest - logTotal), bound: { abs: 4e-7 + row.length * EPS, rel: 3e-7 } }
}

const softmaxOracle =
  (rule: RowRule): Oracle =>
  (random) => [
    ...rowShapes.flatMap((shape) =>
      rowCases(random, rule, {}, shape, randomFloats(random, shape[0] * shape[1], 4), 'normal'),
    ),
    ...rowCases(random, rule, {}, [6, 7], Float32Array.from(hardRows.flat()), 'hard'),
  ]

const affine = (values: Float32Array | null, i: number, otherwise: number): number => values?.[i] ?? otherwise

function moments(row: readonly number[]): { mean: number; variance: number } {
  const mean = sum(row) / row.length
  return { mean, variance: sum(row.map((v) => (v - mean) ** 2)) / row.length }
}

/** Values with a mean far from 0: variance by E[x^2] - mean^2 would lose them. */
const shifted = (random: () => number, size: number): Float32Array => randomFloats(random, size).map((v) => v + 30)
const normBound = (row: readonly number[], gain: number): Bound => ({
  abs: (row.length + 40) * EPS * 60 * (1 + gain),
  rel: 1e-6,
})

const layerNorm: Oracle = (random) =>
  rowShapes.flatMap(([rows, cols], which) => {
    const scale = which % 2 === 0 ? randomFloats(random, cols) : null
    const bias = which % 3 === 0 ? randomFloats(random, cols) : null
    const epsilon = f32(1e-5)
    const rule: RowRule = (row) => {
      const { mean, variance } = moments(row)
      const inverse = 1 / Math.sqrt(variance + epsilon)
      const gain = cols === 1 ? 1 / Math.sqrt(epsilon) : inverse
      return {
        want: row.map((v, i) => (v - mean) * inverse * affine(scale, i, 1) + affine(bias, i, 0)),
        bound: normBound(row, gain * 4),
      }
    }
    const numbers = { scale: scale && input(scale, 4), bias: bias && input(bias, 8), epsilon }
    return rowCases(
      random,
      rule,
      numbers,
      [rows, cols],
      shifted(random, rows * cols),
      `scale ${!!scale}, bias ${!!bias}`,
    )
  })

const rmsNorm: Oracle = (random) =>
  rowShapes.flatMap(([rows, cols], which) => {
    const scale = which % 2 === 0 ? randomFloats(random, cols) : null
    const epsilon = f32(1e-6)
    const rule: RowRule = (row) => {
      const inverse = 1 / Math.sqrt(squares(row) / cols + epsilon)
      return {
        want: row.map((v, i) => v * inverse * affine(scale, i, 1)),
        bound: { abs: 1e-12, rel: (cols + 8) * EPS },
      }
    }
    const numbers = { scale: scale && input(scale, 12), epsilon }
    return rowCases(random, rule, numbers, [rows, cols], randomFloats(random, rows * cols, 3), `scale ${!!scale}`)
  })

const instanceNorm: Oracle = (random) =>
  rowShapes.flatMap(([rows, cols], which) => {
    const channels = which % 2 === 0 ? rows : 1
    const scale = which % 3 === 0 ? null : randomFloats(random, channels)
    const bias = which % 3 === 1 ? null : randomFloats(random, channels)
    const epsilon = f32(1e-3)
    const rule: RowRule = (row, index) => {
      const { mean, variance } = moments(row)
      const inverse = 1 / Math.sqrt(variance + epsilon)
      const channel = index % channels
      return {
        want: row.map((v) => (v - mean) * inverse * affine(scale, channel, 1) + affine(bias, channel, 0)),
        bound: normBound(row, 4 * (cols === 1 ? 1 / Math.sqrt(epsilon) : inverse)),
      }
    }
    const numbers = { scale: scale && input(scale), bias: bias && input(bias), channels, epsilon }
    return rowCases(random, rule, numbers, [rows, cols], shifted(random, rows * cols), `${channels} channels`)
  })

interface Pool {
  readonly images: number
  readonly channels: number
  readonly inH: number
  readonly inW: number
  readonly outH: number
  readonly outW: number
  readonly kh: number
  readonly kw: number
  readonly strideH: number
  readonly strideW: number
  readonly padTop: number
  readonly padLeft: number
  readonly dilationH: number
  readonly dilationW: number
}

/** Of a padded window: the values inside the image, and how many taps are in image or padding. */
function windowAt(
  p: Pool,
  x: Float32Array,
  at: readonly [image: number, oy: number, ox: number, c: number],
  pads: readonly [number, number],
) {
  const values: number[] = []
  let padded = 0
  for (let ky = 0; ky < p.kh; ky++) {
    for (let kx = 0; kx < p.kw; kx++) {
      const y = at[1] * p.strideH - p.padTop + ky * p.dilationH
      const z = at[2] * p.strideW - p.padLeft + kx * p.dilationW
      if (y < p.inH + pads[0] && z < p.inW + pads[1]) padded++
      if (y < 0 || z < 0 || y >= p.inH || z >= p.inW) continue
      values.push(x[((at[0] * p.inH + y) * p.inW + z) * p.channels + at[3]]!)
    }
  }
  return { values, padded }
}

const base = { images: 1, strideH: 1, strideW: 1, padTop: 0, padLeft: 0, dilationH: 1, dilationW: 1 }
/** Padding of the bottom and right edge goes with each. */
const pools: readonly (readonly [Pool, number, number])[] = [
  [{ ...base, channels: 16, inH: 6, inW: 8, kh: 2, kw: 2, strideH: 2, strideW: 2, outH: 3, outW: 4 }, 0, 0],
  [{ ...base, images: 2, channels: 23, inH: 5, inW: 7, kh: 3, kw: 3, padTop: 1, padLeft: 1, outH: 5, outW: 7 }, 1, 1],
  [{ ...base, channels: 3, inH: 7, inW: 5, kh: 3, kw: 2, strideH: 2, strideW: 3, padTop: 1, outH: 4, outW: 2 }, 1, 0],
  [
    {
      ...base,
      channels: 6,
      inH: 9,
      inW: 9,
      kh: 3,
      kw: 3,
      padTop: 2,
      padLeft: 1,
      dilationH: 2,
      dilationW: 3,
      outH: 9,
      outW: 4,
    },
    2,
    0,
  ],
  [{ ...base, channels: 1, inH: 1, inW: 1, kh: 1, kw: 1, outH: 1, outW: 1 }, 0, 0],
  [{ ...base, images: 3, channels: 9, inH: 4, inW: 5, kh: 4, kw: 5, outH: 1, outW: 1 }, 0, 0],
  // A rounded-up output: the last windows reach beyond image and padding.
  [
    {
      ...base,
      channels: 5,
      inH: 6,
      inW: 6,
      kh: 3,
      kw: 3,
      strideH: 2,
      strideW: 2,
      padTop: 1,
      padLeft: 1,
      outH: 4,
      outW: 4,
    },
    1,
    1,
  ],
]

type Pooled = (values: readonly number[], padded: number) => number

function poolCases(
  random: () => number,
  of: (bottom: number, right: number) => readonly (readonly [Pooled, string, Record<string, number>])[],
  relative: number,
  wild: boolean,
): KernelCase[] {
  return pools.flatMap(([p, bottom, right]) => {
    const size = p.images * p.inH * p.inW * p.channels
    const x = wild ? wildFloats(random, size) : randomFloats(random, size)
    return of(bottom, right).map(([pooled, kind, more]): KernelCase => {
      const want: number[] = []
      for (let image = 0; image < p.images; image++) {
        for (let oy = 0; oy < p.outH; oy++) {
          for (let ox = 0; ox < p.outW; ox++) {
            for (let c = 0; c < p.channels; c++) {
              const { values, padded } = windowAt(p, x, [image, oy, ox, c], [bottom, right])
              want.push(f32(pooled(values, padded)))
            }
          }
        }
      }
      const bound = { abs: relative * 4, rel: relative }
      return {
        title: `${p.images}x${p.inH}x${p.inW}x${p.channels} by ${p.kh}x${p.kw}${kind}`,
        units: p.images * p.outH,
        args: { x: input(x, 4), y: output(Float32Array, want, bound, 12), ...p, ...more },
      }
    })
  })
}

const maxPool: Oracle = (random) => poolCases(random, () => [[(v) => Math.max(...v), '', {}]], 0, true)

const averagePool: Oracle = (random) =>
  poolCases(
    random,
    (padBottom, padRight) => [
      [(v) => sum(v) / v.length, '', { includePad: 0, padBottom, padRight }],
      [(v, padded) => sum(v) / padded, ', padding counts', { includePad: 1, padBottom, padRight }],
    ],
    1e-6,
    false,
  )

export const oracles: Readonly<Record<string, Oracle>> = {
  ...Object.fromEntries(
    Object.entries(reductions).map(([name, rules]): [string, Oracle] => [
      name,
      (random) => [rules].flat().flatMap((rule) => reduction(rule)(random)),
    ]),
  ),
  softmax_f32: softmaxOracle(softmaxRow),
  log_softmax_f32: softmaxOracle(logSoftmaxRow),
  layer_norm_f32: layerNorm,
  rms_norm_f32: rmsNorm,
  instance_norm_f32: instanceNorm,
  max_pool_f32: maxPool,
  average_pool_f32: averagePool,
}
