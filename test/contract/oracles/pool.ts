// SPDX-License-Identifier: Apache-2.0
/** Pooling over NHWC in float64: windows that are cut by an edge, dilated, or reach beyond the padding. */
import { exact, input, output, type Bound, type KernelCase, type Oracle } from '../kernel.ts'
import { randomFloats, wildFloats } from '../values.ts'
import { columnChain, EPS, f32, LEAST, magnitude, sum, tame } from './sums.ts'

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

interface Pooling {
  readonly title: string
  /** Values inside the image, and how many taps are in image or padding. */
  readonly of: (values: readonly number[], padded: number) => number
  readonly bound: (values: readonly number[], padded: number) => Bound
  /** Arguments beyond those of every pool. */
  readonly args: Readonly<Record<string, number>>
}

function poolCases(
  random: () => number,
  draw: (random: () => number, size: number) => Float32Array,
  of: (padBottom: number, padRight: number) => readonly Pooling[],
): KernelCase[] {
  return pools.flatMap(([p, padBottom, padRight]) => {
    const x = draw(random, p.images * p.inH * p.inW * p.channels)
    return of(padBottom, padRight).map((pooling): KernelCase => {
      const want: number[] = []
      const bounds: Bound[] = []
      for (let image = 0; image < p.images; image++) {
        for (let oy = 0; oy < p.outH; oy++) {
          for (let ox = 0; ox < p.outW; ox++) {
            for (let c = 0; c < p.channels; c++) {
              const { values, padded } = windowAt(p, x, [image, oy, ox, c], [padBottom, padRight])
              want.push(f32(pooling.of(values, padded)))
              bounds.push(pooling.bound(values, padded))
            }
          }
        }
      }
      return {
        title: `${p.images}x${p.inH}x${p.inW}x${p.channels} by ${p.kh}x${p.kw}${pooling.title}`,
        units: p.images * p.outH,
        args: { x: input(x, 4), y: output(Float32Array, want, (i) => bounds[i]!, 12), ...p, ...pooling.args },
      }
    })
  })
}

const maxPool: Oracle = (random) =>
  poolCases(random, wildFloats, () => [{ title: '', of: (v) => Math.max(...v), bound: () => exact, args: {} }])

const average = (title: string, count: (inside: number, padded: number) => number, args: Pooling['args']): Pooling => ({
  title,
  of: (values, padded) => sum(values) / count(values.length, padded),
  bound(values, padded) {
    const size = magnitude(values) / count(values.length, padded)
    return Number.isFinite(size)
      ? { abs: columnChain(values.length) * EPS * size + LEAST, rel: 2 * EPS, of: size }
      : exact
  },
  args,
})

const averagePool: Oracle = (random) =>
  [randomFloats, (...of: Parameters<typeof wildFloats>) => tame(wildFloats(...of))].flatMap((draw) =>
    poolCases(random, draw, (padBottom, padRight) => [
      average('', (inside) => inside, { includePad: 0, padBottom, padRight }),
      average(', padding counts', (_, padded) => padded, { includePad: 1, padBottom, padRight }),
    ]),
  )

export const oracles: Readonly<Record<string, Oracle>> = { max_pool_f32: maxPool, average_pool_f32: averagePool }
