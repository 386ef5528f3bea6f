// SPDX-License-Identifier: Apache-2.0
/** Data movement: every element must be the right one, to the bit, and gaps of strided targets stay untouched. */
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from '../../../src/base/half.ts'
import { randomInteger } from '../../../src/base/rng.ts'
import { exact, input, output, type Data, type DataClass, type KernelCase, type Oracle } from '../kernel.ts'
import { randomFloats, randomIntegers, wildFloats } from '../values.ts'

type Six = readonly [number, number, number, number, number, number]

interface Layout {
  readonly dims: Six
  readonly src: Six
  readonly dst: Six
  /** Elements from the operand's beginning to the first element copied. */
  readonly srcAt?: number
  readonly dstAt?: number
}

const layouts: readonly Layout[] = [
  // Dense, short and long (a block copy).
  { dims: [1, 1, 1, 1, 3, 5], src: [0, 0, 0, 0, 5, 1], dst: [0, 0, 0, 0, 5, 1] },
  { dims: [1, 1, 1, 1, 2, 301], src: [0, 0, 0, 0, 301, 1], dst: [0, 0, 0, 0, 303, 1] },
  // A transpose of the last two dims, then one that is no multiple of the tile, over a batch.
  { dims: [1, 1, 1, 1, 8, 12], src: [0, 0, 0, 0, 1, 8], dst: [0, 0, 0, 0, 12, 1] },
  { dims: [1, 1, 1, 2, 7, 9], src: [0, 0, 0, 63, 1, 7], dst: [0, 0, 0, 63, 9, 1] },
  // A permutation of six dims.
  { dims: [2, 3, 2, 2, 3, 2], src: [1, 2, 36, 18, 6, 72], dst: [72, 24, 12, 6, 2, 1] },
  // Expand: strides of 0.
  { dims: [1, 1, 2, 3, 4, 5], src: [0, 0, 5, 0, 0, 1], dst: [0, 0, 60, 20, 5, 1] },
  { dims: [1, 1, 1, 1, 6, 4], src: [0, 0, 0, 0, 1, 0], dst: [0, 0, 0, 0, 4, 1] },
  // Flips: negative strides, of source and of target.
  { dims: [1, 1, 1, 1, 4, 6], src: [0, 0, 0, 0, -6, -1], dst: [0, 0, 0, 0, 6, 1], srcAt: 23 },
  { dims: [1, 1, 1, 1, 4, 6], src: [0, 0, 0, 0, 6, 1], dst: [0, 0, 0, 0, -6, -1], dstAt: 23 },
  // Slices: steps of 2 from a row, into every other column.
  { dims: [1, 1, 1, 1, 5, 4], src: [0, 0, 0, 0, 10, 2], dst: [0, 0, 0, 0, 9, 2] },
  { dims: [1, 1, 1, 1, 1, 1], src: [0, 0, 0, 0, 0, 1], dst: [0, 0, 0, 0, 0, 1] },
]

/** Calls `visit` with the offsets of every element. */
function visitAll({ dims, src, dst, srcAt = 0, dstAt = 0 }: Layout, visit: (s: number, t: number) => void): void {
  const size = dims.reduce((a, b) => a * b)
  for (let n = 0; n < size; n++) {
    let rest = n
    let s = srcAt
    let t = dstAt
    for (let d = 5; d >= 0; d--) {
      const i = rest % dims[d]!
      rest = Math.floor(rest / dims[d]!)
      s += i * src[d]!
      t += i * dst[d]!
    }
    visit(s, t)
  }
}

function copyOracle(make: (size: number, random: () => number) => Data, type: DataClass, width: number): Oracle {
  return (random) =>
    layouts.map((layout): KernelCase => {
      let srcSize = 0
      let dstSize = 0
      visitAll(layout, (s, t) => {
        srcSize = Math.max(srcSize, s + 1)
        dstSize = Math.max(dstSize, t + 1)
      })
      const data = make(srcSize, random)
      const want: (number | bigint | undefined)[] = Array<undefined>(dstSize).fill(undefined)
      visitAll(layout, (s, t) => (want[t] = data[s]))
      const { dims, src, dst, srcAt = 0, dstAt = 0 } = layout
      const words: Record<string, number> = {}
      for (let i = 0; i < 6; i++) Object.assign(words, { [`d${i}`]: dims[i], [`s${i}`]: src[i], [`t${i}`]: dst[i] })
      return {
        title: `${dims.join('x')}, strides ${src.join(' ')} to ${dst.join(' ')}`,
        units: dims.slice(0, 5).reduce((a, b) => a * b),
        args: {
          src: { ...input(data, width), first: srcAt * width },
          dst: { ...output(type, want, exact, 2 * width), first: dstAt * width },
          ...words,
        },
      }
    })
}

type Make = (size: number, random: () => number) => Data

const transposeOracle =
  (make: Make, type: DataClass, width: number): Oracle =>
  (random) =>
    (
      [
        [1, 8, 4],
        [2, 16, 12],
        [3, 5, 7],
        [1, 1, 9],
        [1, 23, 1],
        [2, 11, 18],
        [1, 32, 21],
      ] as const
    ).map(([batch, rows, cols]) => {
      const x = make(batch * rows * cols, random)
      const want: (number | bigint)[] = []
      for (let b = 0; b < batch; b++) {
        for (let j = 0; j < cols; j++) for (let i = 0; i < rows; i++) want.push(x[(b * rows + i) * cols + j]!)
      }
      return {
        title: `${batch} of ${rows} x ${cols}`,
        units: batch * Math.ceil(rows / 8),
        args: { x: input(x, width), y: output(type, want, exact, 3 * width), batch, rows, cols },
      }
    })

/** Sizes and blocks of kernels that walk one dense array. */
const runs: readonly (readonly [size: number, block: number])[] = [
  [64, 16],
  [1, 1],
  [3, 8],
  [101, 10],
  [259, 259],
]

const copyBytes: Oracle = (random) =>
  runs.map(([bytes, block]) => {
    const data = randomIntegers(Uint8Array, random, bytes, 0, 255)
    return {
      title: `${bytes} bytes in blocks of ${block}`,
      units: Math.ceil(bytes / block),
      args: { src: input(data, 3), dst: output(Uint8Array, [...data], exact, 1), bytes, block },
    }
  })

const fill: Oracle = () =>
  runs.map(([size, block]) => ({
    title: `${size} in blocks of ${block}`,
    units: Math.ceil(size / block),
    args: { dst: output(Uint32Array, Array<number>(size).fill(0x80ffee11), exact, 4), size, block, value: 0x80ffee11 },
  }))

const gather: Oracle = (random) =>
  (
    [
      [1, 5, 7, 4, 4],
      [3, 4, 6, 12, 8],
      [2, 9, 3, 1, 8],
      [1, 2, 1, 300, 4],
      [2, 1, 4, 8, 8],
    ] as const
  ).map(([outer, axis, count, rowBytes, indexBytes]) => {
    const src = randomIntegers(Uint8Array, random, outer * axis * rowBytes, 0, 255)
    // Beyond both ends on purpose: they are clamped.
    const index = Array.from({ length: count }, () => randomInteger(random, -axis - 2, axis + 1))
    const want: number[] = []
    for (let o = 0; o < outer; o++) {
      for (const i of index) {
        const at = Math.min(Math.max(i < 0 ? i + axis : i, 0), axis - 1)
        want.push(...src.subarray((o * axis + at) * rowBytes, (o * axis + at + 1) * rowBytes))
      }
    }
    const indices = indexBytes === 8 ? BigInt64Array.from(index, BigInt) : Int32Array.from(index)
    return {
      title: `${outer} x ${axis}, ${count} rows of ${rowBytes} bytes by ${indexBytes}-byte indices`,
      units: outer * count,
      args: {
        src: input(src, 4),
        index: input(indices, 8),
        dst: output(Uint8Array, want, exact, 4),
        outer,
        axis,
        count,
        rowBytes,
        indexBytes,
      },
    }
  })

const bigIntegers = (random: () => number, size: number): BigInt64Array =>
  BigInt64Array.from(
    { length: size },
    () => BigInt(randomInteger(random, -(2 ** 52), 2 ** 52)) * BigInt(randomInteger(random, 0, 2000)),
  )

/** By `kind`: int8, uint8, int32, int64. */
const integers: readonly ((random: () => number, size: number) => Data)[] = [
  (random, size) => randomIntegers(Int8Array, random, size, -128, 127),
  (random, size) => randomIntegers(Uint8Array, random, size, 0, 255),
  (random, size) => randomIntegers(Int32Array, random, size, -(2 ** 31), 2 ** 31 - 1),
  bigIntegers,
]

/** The nearest float32; a BigInt is not rounded to float64 in between. */
function nearestFloat(value: number | bigint): number {
  if (typeof value === 'number') return Math.fround(value)
  const size = value < 0n ? -value : value
  const shift = BigInt(Math.max(0, size.toString(2).length - 24))
  const kept = size >> shift
  const rest = (size - (kept << shift)) * 2n
  const half = shift > 0n ? 1n << shift : 1n
  const up = rest > half || (rest === half && (kept & 1n) === 1n) ? 1n : 0n
  return Number(kept + (shift > 0n ? up : 0n)) * 2 ** Number(shift) * (value < 0n ? -1 : 1)
}

const castTo: Oracle = (random) =>
  integers.flatMap((make, kind) =>
    runs.map(([size, block]): KernelCase => {
      const src = make(random, size)
      const want = Array.from(src as ArrayLike<number | bigint>, nearestFloat)
      return {
        title: `kind ${kind}, ${size} in blocks of ${block}`,
        units: Math.ceil(size / block),
        args: { src: input(src, src.BYTES_PER_ELEMENT), dst: output(Float32Array, want, exact, 4), size, block, kind },
      }
    }),
  )

/** 16-bit floats by their kind. */
const halves = [
  { kind: 4, name: 'float16', decode: fromFloat16, encode: toFloat16 },
  { kind: 5, name: 'bfloat16', decode: fromBfloat16, encode: toBfloat16 },
]

/** Every pattern there is. */
const widenHalves: Oracle = () =>
  halves.map(({ kind, name, decode }): KernelCase => {
    const src = Uint16Array.from({ length: 65536 }, (_, i) => i)
    const want = Array.from(src, decode)
    const args = { src: input(src, 2), dst: output(Float32Array, want, exact, 4), size: 65536, block: 10001, kind }
    return { title: `every ${name}`, units: 7, args }
  })

/** What 16 bits hold, halfway between two of those and just beside; and anything. */
const narrowHalves: Oracle = (random) =>
  halves.map(({ kind, name, decode, encode }): KernelCase => {
    const near = Array.from({ length: 2000 }, () => {
      const pattern = randomInteger(random, 0, 0x7bff)
      const [a, b] = [decode(pattern), decode(pattern + 1)]
      const middle = Math.fround((a + b) / 2)
      return [a, middle, Math.fround(middle * (1 + 2 ** -23)), Math.fround(-middle * (1 - 2 ** -24))]
    }).flat()
    const special = [NaN, Infinity, -Infinity, 0, -0, 65504, 65519.99, 65520, -65536, 2 ** -25, 2 ** -24, 1e-40, 3.4e38]
    const src = Float32Array.from([...special, ...near, ...wildFloats(random, 999, 1000)])
    const args = { src: input(src, 4), dst: output(Uint16Array, Array.from(src, encode), exact, 2), kind }
    return {
      title: `to ${name}`,
      units: Math.ceil(src.length / 1001),
      args: { ...args, size: src.length, block: 1001 },
    }
  })

function truncated(x: number, bits: number): bigint {
  if (Number.isNaN(x)) return 0n
  const limit = 2 ** (bits - 1)
  if (x >= limit) return (1n << BigInt(bits - 1)) - 1n
  return x <= -limit ? -(1n << BigInt(bits - 1)) : BigInt(Math.trunc(x))
}

const castFrom: Oracle = (random) =>
  [2, 3].flatMap((kind) =>
    runs.map(([size, block]): KernelCase => {
      const src = wildFloats(random, size, 1000)
      const want = Array.from(src, (x) => truncated(x, kind === 2 ? 32 : 64))
      const dst = kind === 2 ? output(Int32Array, want.map(Number), exact, 4) : output(BigInt64Array, want, exact, 8)
      return {
        title: `kind ${kind}, ${size} in blocks of ${block}`,
        units: Math.ceil(size / block),
        args: { src: input(src, 4), dst, size, block, kind },
      }
    }),
  )

export const oracles: Readonly<Record<string, Oracle>> = {
  copy_1: copyOracle((size, random) => randomIntegers(Uint8Array, random, size, 0, 255), Uint8Array, 1),
  copy_2: copyOracle((size, random) => randomIntegers(Uint16Array, random, size, 0, 65535), Uint16Array, 2),
  copy_4: copyOracle((size, random) => randomIntegers(Uint32Array, random, size, 0, 2 ** 32 - 1), Uint32Array, 4),
  copy_8: copyOracle((size, random) => bigIntegers(random, size), BigInt64Array, 8),
  transpose_4: transposeOracle((size, random) => randomFloats(random, size), Float32Array, 4),
  transpose_1: transposeOracle((size, random) => randomIntegers(Uint8Array, random, size, 0, 255), Uint8Array, 1),
  transpose_2: transposeOracle(
    (size, random) => randomIntegers(Int16Array, random, size, -32768, 32767),
    Int16Array,
    2,
  ),
  copy_bytes: copyBytes,
  fill_4: fill,
  gather_rows: gather,
  cast_to_f32: (random) => [...castTo(random), ...widenHalves(random)],
  cast_from_f32: (random) => [...castFrom(random), ...narrowHalves(random)],
}
