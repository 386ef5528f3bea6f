// SPDX-License-Identifier: Apache-2.0
/** Turned pairs of channels, in float64; two products and a sum are rounded. */
import { exact, inPlace, input, output, same, type Bound, type KernelCase, type Oracle } from '../kernel.ts'
import { randomFloats, wildFloats } from '../values.ts'
import { EPS, f32, LEAST, tame } from './sums.ts'

interface Turn {
  readonly batch: number
  readonly sequence: number
  readonly heads: number
  readonly size: number
  readonly half: number
  /** Heads stand before places. */
  readonly headsFirst: boolean
  readonly interleaved: boolean
  /** Rows by place, of `rows` there are; out of order, and out of range. */
  readonly places?: readonly number[]
  readonly rows: number
}

const turns: readonly Turn[] = [
  { batch: 2, sequence: 3, heads: 2, size: 8, half: 4, headsFirst: true, interleaved: false, rows: 6 },
  { batch: 1, sequence: 2, heads: 3, size: 13, half: 5, headsFirst: false, interleaved: false, rows: 2 },
  {
    batch: 2,
    sequence: 2,
    heads: 1,
    size: 7,
    half: 3,
    headsFirst: false,
    interleaved: true,
    places: [4, 0, 99, -3],
    rows: 5,
  },
]

/** A turn of `draw`n channels, apart and in place. */
const turned =
  (random: () => number, draw: typeof randomFloats, kind: string) =>
  ({ batch, sequence, heads, size, half, headsFirst, interleaved, places, rows }: Turn): KernelCase[] => {
    const x = draw(random, batch * sequence * heads * size)
    const [cos, sin] = [randomFloats(random, rows * half), randomFloats(random, rows * half)]
    const batchStride = sequence * heads * size
    const [placeStride, headStride] = headsFirst ? [size, sequence * size] : [heads * size, size]
    const want = Array.from(x)
    /** Magnitudes that were summed. */
    const sizes = Array.from(x, () => 0)
    for (let unit = 0; unit < batch * sequence; unit++) {
      const row = places ? Math.min(Math.max(places[unit]!, 0), rows - 1) : unit
      for (let h = 0; h < heads; h++) {
        const start = Math.floor(unit / sequence) * batchStride + (unit % sequence) * placeStride + h * headStride
        for (let i = 0; i < half; i++) {
          const [left, right] = interleaved ? [2 * i, 2 * i + 1] : [i, i + half]
          const [a, b] = [x[start + left]!, x[start + right]!]
          const [c, s] = [cos[row * half + i]!, sin[row * half + i]!]
          want[start + left] = f32(a * c - b * s)
          want[start + right] = f32(a * s + b * c)
          sizes[start + left] = Math.abs(a * c) + Math.abs(b * s)
          sizes[start + right] = Math.abs(a * s) + Math.abs(b * c)
        }
      }
    }
    const bound = (i: number): Bound =>
      Number.isFinite(sizes[i]) ? { abs: 4 * EPS * sizes[i]! + LEAST, rel: 0, of: sizes[i] } : exact
    const operands = {
      cos: input(cos, 12),
      sin: input(sin, 4),
      places: places ? input(BigInt64Array.from(places, BigInt), 8) : null,
    }
    const numbers = { rows, sequence, heads, size, half, batchStride, placeStride, headStride }
    const args = { ...operands, ...numbers, interleaved: Number(interleaved) }
    const pairs = `${half} pairs${interleaved ? ', neighbours' : ''}`
    const title = `${batch} x ${sequence} places, ${heads} heads of ${size}, ${pairs}, ${kind}`
    const units = batch * sequence
    return [
      { title, units, args: { x: input(x, 4), y: output(Float32Array, want, bound, 8), ...args } },
      { title: `${title}, in place`, units, args: { x: same('y'), y: inPlace(x, want, bound, 12), ...args } },
    ]
  }

const rotary: Oracle = (random) => [
  ...turns.flatMap(turned(random, randomFloats, 'normal')),
  ...turns.flatMap(turned(random, (...of) => tame(wildFloats(...of)), 'extremes')),
]

export const oracles: Readonly<Record<string, Oracle>> = { rotary_f32: rotary }
