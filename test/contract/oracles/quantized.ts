// SPDX-License-Identifier: Apache-2.0
/** Kernels of quantised graphs, equal to the bit: every step of a rule is rounded to float32 as src/kernels/quantized.ts says. */
import { roundHalfEven } from '../../../src/base/narrow-float.ts'
import { exact, inPlace, input, output, type Data, type DataClass, type KernelCase, type Oracle } from '../kernel.ts'
import { randomFloats, randomIntegers, wildFloats } from '../values.ts'

type Random = () => number

const f32 = Math.fround
const clamp = (x: number, low: number, high: number): number => Math.min(Math.max(x, low), high)
const boundsOf = (signed: number): readonly [number, number] => (signed ? [-128, 127] : [0, 255])
const bytes = (random: Random, size: number, signed: number): Int8Array | Uint8Array =>
  signed ? randomIntegers(Int8Array, random, size, -128, 127) : randomIntegers(Uint8Array, random, size, 0, 255)
const classOf = (signed: number): DataClass => (signed ? Int8Array : Uint8Array)
const words = (random: Random, size: number): Int32Array =>
  randomIntegers(Int32Array, random, size, -(2 ** 20), 2 ** 20)

/** round(x) + zero in the range of a byte; NaN counts as 0. */
function toByte(x: number, zero: number, signed: number): number {
  const [low, high] = boundsOf(signed)
  return Number.isNaN(x) ? zero : clamp(roundHalfEven(clamp(x, -1e6, 1e6)) + zero, low, high)
}

interface Spread {
  readonly size: number
  readonly inner: number
  readonly channels: number
}

const spreads: readonly Spread[] = [
  { size: 100, inner: 40, channels: 1 },
  { size: 3, inner: 3, channels: 1 },
  { size: 2 * 3 * 21, inner: 21, channels: 3 },
  { size: 12, inner: 1, channels: 4 },
]

const quantizeLinear: Oracle = (random) =>
  spreads.flatMap(({ size, inner, channels }) =>
    [0, 1, 2, 3].map((flags): KernelCase => {
      const [signed, hasZero] = [flags & 1, flags >> 1]
      const x = wildFloats(random, size, 30)
      const scale = randomFloats(random, channels).map((v) => Math.abs(v) + 0.01)
      const zero = bytes(random, channels, signed)
      const want = Array.from(x, (v, i) => {
        const channel = Math.floor(i / inner) % channels
        return toByte(f32(v / scale[channel]!), hasZero ? zero[channel]! : 0, signed)
      })
      const places = { x: input(x, 4), y: output(classOf(signed), want, exact, 3), scale: input(scale, 4) }
      const args = { ...places, zero: hasZero ? input(zero, 1) : null, size, inner, channels, signed }
      return { title: `${size} / ${inner} of ${channels}, ${flags}`, units: Math.ceil(size / inner), args }
    }),
  )

const dequantizeLinear: Oracle = (random) =>
  spreads.flatMap(({ size, inner, channels }) =>
    [0, 1, 2].flatMap((kind) =>
      [0, 1].map((hasZero): KernelCase => {
        const make = (count: number): Data =>
          kind === 2 ? words(random, count) : bytes(random, count, Number(kind === 0))
        const [x, zero] = [make(size), make(channels)]
        const scale = randomFloats(random, channels)
        const want = Array.from(x as Int32Array, (v, i) => {
          const channel = Math.floor(i / inner) % channels
          return f32((v - (hasZero ? Number(zero[channel]) : 0)) * scale[channel]!)
        })
        const width = x.BYTES_PER_ELEMENT
        const places = { x: input(x, 3 * width), y: output(Float32Array, want, exact, 4), scale: input(scale, 4) }
        const args = { ...places, zero: hasZero ? input(zero, width) : null, size, inner, channels, kind }
        return { title: `${size} / ${inner} of ${channels}, kind ${kind}`, units: Math.ceil(size / inner), args }
      }),
    ),
  )

const range: Oracle = () =>
  (
    [
      [-2, 3],
      [1, 4],
      [-5, -1],
      [0, 0],
      [-Infinity, Infinity],
      [Infinity, -Infinity],
    ] as const
  ).map(([least, largest]) => {
    const most = f32(3.4028234663852886e38)
    const low = clamp(Math.min(0, least), -most, 0)
    const high = clamp(Math.max(0, largest), 0, most)
    const wide = f32(Math.min(f32(high - low), most) / 255)
    const scale = wide >= 2 ** -126 ? wide : 1
    const zero = clamp(roundHalfEven(f32(-low / scale)), 0, 255)
    const partial = input(new Float32Array([Infinity, -Infinity, least, largest]), 8)
    const args = { partial, parts: 2, scale: output(Float32Array, [scale]), zero: output(Uint8Array, [zero], exact, 1) }
    return { title: `${least} to ${largest}`, units: 1, args }
  })

const params: Oracle = (random) =>
  [0, 1, 2, 3].map((flags) => {
    const [signed, given] = [flags & 1, flags >> 1]
    const [scale, zero] = [randomFloats(random, 1), bytes(random, 1, signed)]
    const record = new Float32Array([given ? scale[0]! : 1, 0])
    new Int32Array(record.buffer)[1] = (given ? zero[0]! : 0) - 128
    const want = [...new Int32Array(record.buffer)]
    const places = { scale: given ? input(scale, 4) : null, zero: given ? input(zero, 3) : null }
    return {
      title: `signed ${signed}, given ${given}`,
      units: 1,
      args: { ...places, params: output(Int32Array, want, exact, 4), signed, shift: -128 },
    }
  })

const rowShapes = [
  [1, 1, 4],
  [5, 7, 8],
  [4, 32, 32],
  [3, 50, 52],
] as const

function stageOracle(type: typeof Uint8Array | typeof Int16Array): Oracle {
  return (random) =>
    rowShapes.flatMap(([rows, k, ldd]) =>
      (type === Uint8Array ? [0, 128] : [0, 1]).map((flip): KernelCase => {
        const src = bytes(random, rows * k, 0)
        const want: number[] = []
        for (let i = 0; i < rows; i++) {
          for (let j = 0; j < ldd; j++) {
            const x = j < k ? src[i * k + j]! : 0
            want.push(type === Uint8Array ? (j < k ? x ^ flip : 0) : flip ? (x << 24) >> 24 : x)
          }
        }
        const places = { src: input(src, 3), dst: output(type, want, exact, 2) }
        return {
          title: `${rows} x ${k} to ${ldd}, ${flip}`,
          units: Math.ceil(rows / 2),
          args: { ...places, rows, k, ldd, block: 2, flip },
        }
      }),
    )
}

const rowSums: Oracle = (random) =>
  rowShapes.flatMap(([rows, k, ldq]) =>
    [0, 1, 2].map((kind): KernelCase => {
      const q = kind === 2 ? randomIntegers(Int16Array, random, rows * ldq, 0, 255) : bytes(random, rows * ldq, kind)
      const zero = 17
      const want = Array.from({ length: rows }, (_, i) =>
        Array.from(q.subarray(i * ldq, i * ldq + k)).reduce((sum, v) => sum + v - zero, 0),
      )
      const places = { q: input(q, 2), params: input(new Int32Array([0, zero])), sums: output(Int32Array, want) }
      return { title: `${rows} x ${k} of ${ldq}, kind ${kind}`, units: rows, args: { ...places, ldq, k, kind } }
    }),
  )

const outer: Oracle = (random) =>
  (
    [
      [3, 5, 1, 1, 0],
      [2, 6, 3, 1, 128],
      [4, 9, 1, 0, 128],
      [2, 8, 2, 0, 0],
    ] as const
  ).map(([rows, n, groups, zeroStep, flip]) => {
    const c = words(random, rows * n)
    const sums = words(random, rows * groups).map((v) => v >> 8)
    const zero = bytes(random, zeroStep ? n : 1, 0)
    const want = Array.from(c, (v, at) => {
      const [i, j] = [Math.floor(at / n), at % n]
      const z = ((zero[j * zeroStep]! ^ flip) << 24) >> 24
      return v - sums[i * groups + Math.floor(j / (n / groups))]! * z
    })
    const places = { c: inPlace(c, want, exact, 4), sums: input(sums, 4), zero: input(zero, 1) }
    return { title: `${rows} x ${n}, ${groups} groups`, units: rows, args: { ...places, n, groups, zeroStep, flip } }
  })

const requantize: Oracle = (random) =>
  (
    [
      [1, 1],
      [5, 16],
      [3, 37],
      [7, 4],
    ] as const
  ).flatMap(([rows, n]) =>
    [0, 1, 2, 3, 4, 5, 6, 7].map((flags): KernelCase => {
      const [signed, scaleStep, hasBias] = [flags & 1, (flags >> 1) & 1, flags >> 2]
      const x = words(random, rows * n)
      const bias = words(random, n)
      const scale = randomFloats(random, scaleStep ? n : 1, 3e-4)
      const zero = bytes(random, 1, signed)
      const want = Array.from(x, (v, at) => {
        const j = at % n
        return toByte(f32(f32(v + (hasBias ? bias[j]! : 0)) * scale[j * scaleStep]!), zero[0]!, signed)
      })
      const places = { x: input(x, 4), y: output(classOf(signed), want, exact, 1), scale: input(scale, 4) }
      const more = { bias: hasBias ? input(bias, 4) : null, zero: input(zero, 1) }
      const args = { ...places, ...more, rows, n, block: 2, scaleStep, signed }
      return { title: `${rows} x ${n}, ${flags}`, units: Math.ceil(rows / 2), args }
    }),
  )

const lookup: Oracle = (random) =>
  [1, 70].map((size) => {
    const [src, table] = [bytes(random, size, 0), bytes(random, 256, 0)]
    const want = Array.from(src, (v) => table[v]!)
    const places = { src: input(src, 1), dst: output(Uint8Array, want, exact, 3), table: input(table, 5) }
    return { title: `${size}`, units: Math.ceil(size / 32), args: { ...places, size, block: 32 } }
  })

const transpose: Oracle = (random) =>
  (
    [
      [1, 8, 8],
      [2, 16, 24],
      [3, 5, 7],
      [1, 1, 9],
      [1, 23, 1],
      [2, 11, 18],
    ] as const
  ).map(([batch, rows, cols]) => {
    const x = bytes(random, batch * rows * cols, 0)
    const want: number[] = []
    for (let b = 0; b < batch; b++) {
      for (let j = 0; j < cols; j++) for (let i = 0; i < rows; i++) want.push(x[(b * rows + i) * cols + j]!)
    }
    const places = { x: input(x, 3), y: output(Uint8Array, want, exact, 1) }
    return {
      title: `${batch} of ${rows} x ${cols}`,
      units: batch * Math.ceil(rows / 8),
      args: { ...places, batch, rows, cols },
    }
  })

export const oracles: Readonly<Record<string, Oracle>> = {
  quantize_linear: quantizeLinear,
  dequantize_linear: dequantizeLinear,
  quant_range: range,
  quant_params: params,
  stage_u8: stageOracle(Uint8Array),
  stage_i16: stageOracle(Int16Array),
  row_sums: rowSums,
  subtract_outer: outer,
  requantize,
  lookup_u8: lookup,
  transpose_1: transpose,
}
