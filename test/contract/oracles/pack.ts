// SPDX-License-Identifier: Apache-2.0
/**
 * Oracles of packing and quantising (src/kernels/pack.ts). Everything here is exact: layouts are permutations, and the
 * quantising rule is followed step for step with Math.fround, so the integers and the scales are equal to the bit.
 */
import { type Arg, exact, input, type KernelCase, type Oracle, output } from '../kernel.ts'
import { randomFloats, randomIntegers, wildFloats } from '../values.ts'
import { type Kind, panels, roundUp } from './panels.ts'

type Random = () => number

const LARGEST = Math.fround(3.4028234663852886e38)
const SMALLEST_NORMAL = 2 ** -126

interface PackShape {
  readonly n: number
  readonly k: number
  readonly batch?: number
  /** Strides of a column's and of a depth's neighbour, in elements. */
  readonly col: number
  readonly depth: number
  readonly offset?: number
  readonly flip?: 0 | 128
}

function packCase(kind: Kind, random: Random, s: PackShape): KernelCase {
  const { n, k, batch = 1, col, depth, offset = 0, flip = 0 } = s
  const batchSrc = Math.max(0, n - 1) * col + Math.max(0, k - 1) * depth + 3
  const float = kind === 'f32'
  const src = float
    ? randomFloats(random, batch * batchSrc)
    : randomIntegers(Int8Array, random, batch * batchSrc, -128, 127)
  const w = new Float64Array(batch * n * k)
  const sums = new Array<number>(batch * roundUp(n, 8)).fill(0)
  for (let b = 0; b < batch; b++) {
    for (let j = 0; j < n; j++) {
      for (let i = 0; i < k; i++) {
        const stored = src[b * batchSrc + j * col + i * depth]!
        const value = float ? stored : ((stored ^ flip) << 24) >> 24
        w[(b * n + j) * k + i] = value
        sums[b * roundUp(n, 8) + j]! += value
      }
    }
  }
  const packed = panels(kind, w, batch, n, k)
  // a gap between batches, which stays as it is
  const gap = 8
  const length = packed.length / batch
  const want = Array.from({ length: batch * (length + gap) }, (_, i) =>
    i % (length + gap) < length ? packed[Math.floor(i / (length + gap)) * length + (i % (length + gap))] : undefined,
  )
  return {
    title: JSON.stringify(s),
    units: batch * Math.ceil(n / 8),
    args: {
      src: input(src, offset),
      dst: output(float ? Float32Array : Int8Array, want),
      n,
      k,
      colStride: col,
      depthStride: depth,
      batch,
      batchSrc,
      batchDstBytes: (length + gap) * packed.BYTES_PER_ELEMENT,
      ...(float ? {} : { sums: output(Int32Array, sums), flip }),
    } satisfies Record<string, Arg>,
  }
}

const packOracle =
  (kind: Kind): Oracle =>
  (random) =>
    [
      { n: 8, k: 16, col: 16, depth: 1 },
      { n: 24, k: 9, col: 9, depth: 1, batch: 2, offset: 4 },
      { n: 13, k: 21, col: 23, depth: 1, batch: 3 },
      { n: 16, k: 7, col: 1, depth: 16 },
      { n: 19, k: 6, col: 1, depth: 24, batch: 2, offset: 8 },
      { n: 5, k: 3, col: 7, depth: 2 },
      { n: 9, k: 11, col: 33, depth: 3 },
      { n: 1, k: 1, col: 1, depth: 1 },
      { n: 11, k: 0, col: 1, depth: 1 },
      { n: 13, k: 7, col: 7, depth: 1, flip: 128 },
    ].map((shape) => packCase(kind, random, shape as PackShape))

const dequantizeOracle: Oracle = (random) =>
  [
    { n: 1, k: 1, transposed: 0 },
    { n: 5, k: 8, transposed: 0 },
    { n: 7, k: 21, transposed: 0 },
    { n: 6, k: 9, transposed: 1 },
    { n: 3, k: 0, transposed: 0 },
  ].map(({ n, k, transposed }) => {
    const src = randomIntegers(Int8Array, random, n * k, -128, 127)
    const scale = randomFloats(random, n)
    const want = new Array<number>(n * k)
    for (let j = 0; j < n; j++) {
      for (let i = 0; i < k; i++) want[transposed ? i * n + j : j * k + i] = Math.fround(src[j * k + i]! * scale[j]!)
    }
    return {
      title: JSON.stringify({ n, k, transposed }),
      units: n,
      args: { src: input(src, 3), dst: output(Float32Array, want, exact, 4), scale: input(scale), n, k, transposed },
    }
  })

/** Scale and zero point of a range that spans `values` and 0. */
function rangeOf(values: Iterable<number>): { scale: number; zero: number } {
  let low = 0
  let high = 0
  for (const value of values) {
    if (value < low) low = Math.max(value, -LARGEST)
    if (value > high) high = Math.min(value, LARGEST)
  }
  const width = Math.min(LARGEST, Math.fround(high - low))
  const step = Math.fround(width / 255)
  const scale = step >= SMALLEST_NORMAL ? step : 1
  return { scale, zero: Math.min(255, nearest(Math.fround(-low / scale))) }
}

/** Ties to even. */
function nearest(x: number): number {
  const floor = Math.floor(x)
  if (x - floor !== 0.5) return Math.round(x)
  return floor % 2 === 0 ? floor : floor + 1
}

function quantizeOne(x: number, { scale, zero }: { scale: number; zero: number }): number {
  if (Number.isNaN(x)) return zero
  const scaled = Math.fround(x * Math.fround(1 / scale))
  return Math.min(255, Math.max(0, nearest(Math.max(-300, Math.min(300, scaled))) + zero))
}

type Width = typeof Uint8Array | typeof Int16Array

/** The records {f32 scale, i32 zero} as the words they are. */
function records(ranges: readonly { scale: number; zero: number }[], bias: number): Uint32Array {
  const words = new Float32Array(2 * ranges.length)
  const zeros = new Int32Array(words.buffer)
  ranges.forEach(({ scale, zero }, i) => {
    words[2 * i] = scale
    zeros[2 * i + 1] = zero - bias
  })
  return new Uint32Array(words.buffer)
}

interface Source {
  readonly title: string
  readonly make: (random: Random, length: number) => Float32Array
}

const sources: readonly Source[] = [
  { title: 'normal', make: (random, length) => randomFloats(random, length, 3) },
  { title: 'positive', make: (random, length) => randomFloats(random, length).map(Math.abs) },
  { title: 'negative', make: (random, length) => randomFloats(random, length, 100).map((x) => -Math.abs(x)) },
  // hi - lo = 255, scale 1: halves show how ties are rounded
  {
    title: 'halves',
    make: (random, length) =>
      Float32Array.from({ length }, (_, i) => (i < 2 ? 255 * i - 100 : Math.floor(random() * 400) / 2 - 100)),
  },
  { title: 'zeros', make: (_, length) => new Float32Array(length) },
  { title: 'wild', make: (random, length) => wildFloats(random, length) },
  { title: 'nothing but NaN', make: (_, length) => new Float32Array(length).fill(NaN) },
  { title: 'denormal', make: (random, length) => randomFloats(random, length, 1e-41) },
  { title: 'tiny', make: (random, length) => randomFloats(random, length, 1e-35) },
  {
    title: 'wider than float32',
    make: (random, length) => Float32Array.from({ length }, () => (random() < 0.5 ? -3.2e38 : 3.3e38)),
  },
]

function rowsCase(
  type: Width,
  random: Random,
  source: Source,
  m: number,
  k: number,
  bias: number,
  spare: number,
): KernelCase {
  const ldx = k + spare
  const ldq = roundUp(k, 4) + spare
  const x = source.make(random, m * ldx)
  const want = new Array<number>(m * ldq).fill(0)
  const ranges = Array.from({ length: m }, (_, i) => rangeOf(x.subarray(i * ldx, i * ldx + k)))
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < k; j++) want[i * ldq + j] = stored(type, quantizeOne(x[i * ldx + j]!, ranges[i]!) - bias)
  }
  return {
    title: `${source.title} ${m}x${k} bias ${bias}`,
    units: m,
    args: {
      x: input(x, 4),
      ldx,
      q: output(type, want, exact, type.BYTES_PER_ELEMENT),
      ldq,
      params: output(Uint32Array, records(ranges, bias)),
      m,
      k,
      bias,
    },
  }
}

const stored = (type: Width, value: number): number => (type === Uint8Array ? value & 255 : value)

const rowsOracle =
  (type: Width, biases: readonly number[]): Oracle =>
  (random) =>
    biases.flatMap((bias) =>
      sources.flatMap((source) =>
        [
          [1, 1, 0],
          [2, 7, 0],
          [3, 16, 5],
          [2, 37, 3],
          [4, 64, 0],
        ].map(([m, k, spare]) => rowsCase(type, random, source, m!, k!, bias, spare!)),
      ),
    )

const minmaxOracle: Oracle = (random) =>
  sources.flatMap((source) =>
    [
      [1, 1, 1],
      [1, 50, 16],
      [3, 33, 12],
      [2, 9, 100],
    ].map(([images, size, block]) => {
      const x = source.make(random, images! * size!)
      const want: number[] = []
      for (let image = 0; image < images!; image++) {
        for (let at = 0; at < size!; at += block!) {
          const run = [...x.subarray(image * size! + at, image * size! + Math.min(size!, at + block!))]
          const numbers = run.filter((value) => !Number.isNaN(value))
          want.push(Math.min(...numbers), Math.max(...numbers))
        }
      }
      return {
        title: `${source.title} ${images} x ${size} by ${block}`,
        units: want.length / 2,
        args: { x: input(x, 4), partial: output(Float32Array, want), images: images!, size: size!, block: block! },
      }
    }),
  )

function imageCase(type: Width, random: Random, source: Source, bias: number, dense: boolean): KernelCase {
  const [images, rows, k, block] = [2, 7, 9, 3]
  const ldx = dense ? k : k + 2
  const ldq = dense ? k : 12
  const parts = 2
  const x = source.make(random, images * rows * ldx)
  const partial = new Float32Array(2 * images * parts)
  const want = new Array<number>(images * rows * ldq).fill(0)
  const ranges = Array.from({ length: images }, (_, image) => {
    const rowsOf = (from: number, to: number): number[] =>
      Array.from({ length: to - from }, (_, r) => {
        const at = (image * rows + from + r) * ldx
        return [...x.subarray(at, at + k)]
      })
        .flat()
        .filter((value) => !Number.isNaN(value))
    for (const [part, [from, to]] of [
      [0, 4],
      [4, rows],
    ].entries()) {
      partial[2 * (image * parts + part)] = Math.min(...rowsOf(from!, to!))
      partial[2 * (image * parts + part) + 1] = Math.max(...rowsOf(from!, to!))
    }
    return rangeOf(rowsOf(0, rows))
  })
  for (let row = 0; row < images * rows; row++) {
    const range = ranges[Math.floor(row / rows)]!
    for (let j = 0; j < k; j++) want[row * ldq + j] = stored(type, quantizeOne(x[row * ldx + j]!, range) - bias)
  }
  return {
    title: `${source.title} bias ${bias}${dense ? ' dense' : ''}`,
    units: images * Math.ceil(rows / block),
    args: {
      x: input(x, 4),
      ldx,
      q: output(type, want),
      ldq,
      params: output(Uint32Array, records(ranges, bias)),
      partial: input(partial),
      parts,
      images,
      rows,
      k,
      block,
      bias,
    },
  }
}

const imageOracle =
  (type: Width, biases: readonly number[]): Oracle =>
  (random) =>
    biases.flatMap((bias) =>
      sources.flatMap((source) => [false, true].map((dense) => imageCase(type, random, source, bias, dense))),
    )

export const oracles: Readonly<Record<string, Oracle>> = {
  pack_f32_x8: packOracle('f32'),
  pack_s8_x8c4: packOracle('s8_dot'),
  pack_s8_x8c2: packOracle('s8_pairs'),
  dequantize_rows_s8: dequantizeOracle,
  quantize_rows_u8: rowsOracle(Uint8Array, [0, 128]),
  quantize_rows_i16: rowsOracle(Int16Array, [0, 128]),
  minmax_f32: minmaxOracle,
  quantize_image_u8: imageOracle(Uint8Array, [0, 128]),
  quantize_image_i16: imageOracle(Int16Array, [0, 128]),
}
