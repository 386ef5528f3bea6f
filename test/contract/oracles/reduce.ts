// SPDX-License-Identifier: Apache-2.0
/**
 * Reductions in float64. A sum of float32 terms may be off by roundings of its partial sums, so bounds grow with the
 * sum of magnitudes of what is added, not with the result.
 */
import { exact, input, output, type Bound, type KernelCase, type Oracle } from '../kernel.ts'
import { randomFloats, wildFloats } from '../values.ts'
import { columnChain, EPS, f32, LEAST, magnitude, rowChain, squares, sum, tame } from './sums.ts'

type Draw = (random: () => number, size: number) => Float32Array

interface Reduction {
  readonly of: (values: readonly number[]) => number
  /** Largest error of a result before its last rounding, from the values and the additions behind each other. */
  readonly off: (values: readonly number[], chain: number) => number
  /** What `off` is a share of; the largest result where left out. */
  readonly size?: (values: readonly number[]) => number
  /** Infinities, NaN and denormals, in each of these ways. */
  readonly wild: readonly Draw[]
  /** The argument of this name, of the count; 0 where left out. */
  readonly finish?: (count: number) => number
}

const product = (values: readonly number[]): number => values.reduce((p, v) => p * v, 1)
const logSumExp = (values: readonly number[]): number => {
  const largest = values.reduce((m, v) => (v > m || Number.isNaN(v) ? v : m), -Infinity)
  if (!Number.isFinite(largest)) return values.some(Number.isNaN) ? NaN : largest
  return largest + Math.log(sum(values.map((v) => Math.exp(v - largest))))
}

const tameWild: Draw = (random, size) => tame(wildFloats(random, size))
/** Powers of two and, rarely, one of `rare`: products of them neither overflow nor vanish on the way. */
const factors =
  (powers: readonly number[], rare: readonly number[]): Draw =>
  (random, size) =>
    Float32Array.from({ length: size }, () => {
      const of = random() < 0.05 ? rare : powers
      return of[Math.floor(random() * of.length)]!
    })

const added: Reduction = {
  of: sum,
  off: (v, chain) => chain * EPS * magnitude(v),
  size: magnitude,
  wild: [tameWild],
  finish: () => 1,
}
const mean: Reduction = {
  of: (v) => sum(v) / v.length,
  off: (v, chain) => (chain * EPS * magnitude(v)) / v.length + LEAST,
  size: (v) => magnitude(v) / v.length,
  wild: [tameWild],
  finish: (count) => count,
}
/** Squares are rounded, and lost below 2^-150. */
const squareOff = (values: readonly number[], chain: number): number =>
  (chain + 1) * EPS * squares(values) + values.length * LEAST
const squared: Reduction = { of: squares, off: squareOff, size: squares, wild: [wildFloats] }
/** Infinite where the sum of squares is that float32 cannot hold. */
const root: Reduction = {
  of: (v) => Math.sqrt(f32(squares(v))),
  off: (v, chain) => Math.sqrt(squares(v) + squareOff(v, chain)) - Math.sqrt(squares(v)),
  wild: [wildFloats],
  finish: () => 1,
}

const reductions: Readonly<Record<string, Reduction | readonly Reduction[]>> = {
  reduce_sum_f32: [added, mean],
  reduce_max_f32: { of: (v) => Math.max(...v), off: () => 0, wild: [wildFloats] },
  reduce_min_f32: { of: (v) => Math.min(...v), off: () => 0, wild: [wildFloats] },
  reduce_prod_f32: {
    of: product,
    // what is lost below normal float32 on the way may grow again
    off: (v, chain) => chain * EPS * Math.abs(product(v)) + 2 ** 16 * LEAST,
    wild: [
      factors([1, -1, 2, -2, 0.5], [0, -0, Infinity, -Infinity, NaN]),
      factors([1, -1, 2, -2], [1e-45, -1.1754942e-38, 1e-40]),
    ],
  },
  reduce_sum_square_f32: [squared, root],
  reduce_l1_f32: { of: magnitude, off: (v, chain) => chain * EPS * magnitude(v), size: magnitude, wild: [tameWild] },
  reduce_log_sum_exp_f32: {
    of: logSumExp,
    off: (v) => (v.length + 8) * EPS + 4 * EPS * Math.abs(logSumExp(v)),
    wild: [wildFloats],
  },
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

function reduction({ of, off, size, wild, finish = () => 0 }: Reduction): Oracle {
  return (random) =>
    shapes.flatMap(([outer, reduce, inner, block]): KernelCase[] => {
      const one = (x: Float32Array, kind: string): KernelCase => {
        const want: number[] = []
        const bounds: Bound[] = []
        const chain = inner === 1 ? rowChain(reduce) : columnChain(reduce)
        for (let o = 0; o < outer; o++) {
          for (let i = 0; i < inner; i++) {
            const values = Array.from({ length: reduce }, (_, r) => x[(o * reduce + r) * inner + i]!)
            want.push(f32(of(values)))
            const abs = off(values, chain)
            bounds.push(Number.isFinite(abs) && abs > 0 ? { abs, rel: 2 * EPS, of: size?.(values) } : exact)
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
      const count = outer * reduce * inner
      const plain = one(randomFloats(random, count), 'normal')
      return [plain, ...wild.map((draw, which) => one(draw(random, count), `extremes ${which}`))]
    })
}

export const oracles: Readonly<Record<string, Oracle>> = Object.fromEntries(
  Object.entries(reductions).map(([name, rules]): [string, Oracle] => [
    name,
    (random) => [rules].flat().flatMap((rule) => reduction(rule)(random)),
  ]),
)
