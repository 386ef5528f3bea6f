// SPDX-License-Identifier: Apache-2.0
/** Turned pairs of channels, in float64; two products and a sum are rounded. */
import { input, output, type KernelCase, type Oracle } from '../kernel.ts'
import { randomFloats } from '../values.ts'

const f32 = Math.fround
/** Half a unit in the last place of 1. */
const EPS = 2 ** -24

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

const rotary: Oracle = (random) =>
  turns.map(({ batch, sequence, heads, size, half, headsFirst, interleaved, places, rows }): KernelCase => {
    const x = randomFloats(random, batch * sequence * heads * size)
    const [cos, sin] = [randomFloats(random, rows * half), randomFloats(random, rows * half)]
    const batchStride = sequence * heads * size
    const [placeStride, headStride] = headsFirst ? [size, sequence * size] : [heads * size, size]
    const want = Array.from(x)
    const off = Array.from(x, () => 0)
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
          off[start + left] = 4 * EPS * (Math.abs(a * c) + Math.abs(b * s))
          off[start + right] = 4 * EPS * (Math.abs(a * s) + Math.abs(b * c))
        }
      }
    }
    const operands = {
      x: input(x, 4),
      y: output(Float32Array, want, (i) => ({ abs: off[i]!, rel: 0 }), 8),
      cos: input(cos, 12),
      sin: input(sin, 4),
      places: places ? input(BigInt64Array.from(places, BigInt), 8) : null,
    }
    const numbers = { rows, sequence, heads, size, half, batchStride, placeStride, headStride }
    return {
      title: `${batch} x ${sequence} places, ${heads} heads of ${size}, ${half} pairs${interleaved ? ', neighbours' : ''}`,
      units: batch * sequence,
      args: { ...operands, ...numbers, interleaved: Number(interleaved) },
    }
  })

export const oracles: Readonly<Record<string, Oracle>> = { rotary_f32: rotary }
