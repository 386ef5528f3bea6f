// SPDX-License-Identifier: Apache-2.0
/** Integers, comparisons, choices: equal to the bit, over the broadcasts of elementwise.ts and runs along one axis. */
import { castKinds, compareOps, integerOps, reduceOps } from '../../../src/kernels/codes.ts'
import {
  exact,
  input,
  inPlace,
  output,
  same,
  type Data,
  type DataClass,
  type KernelCase,
  type Oracle,
} from '../kernel.ts'
import { extremes, randomFloats, randomIntegers, wildFloats } from '../values.ts'
import { type Broadcast, broadcasts, isDense, span } from './broadcasts.ts'

type Whole = number | bigint
type Make = (random: () => number, size: number) => Data

const int32: Make = (random, size) => {
  const data = randomIntegers(Int32Array, random, size, -9, 9)
  data[0] = -(2 ** 31)
  data[Math.floor(size / 2)] = -1
  return data
}
const int64: Make = (random, size) => BigInt64Array.from(int32(random, size) as Int32Array, (v) => BigInt(v) << 20n)
const bytes: Make = (random, size) => randomIntegers(Uint8Array, random, size, 0, 2)
const odd: Make = (random, size) => {
  const data = randomFloats(random, size, 2)
  for (let i = 0; i < size; i++) data[i] = i % 7 === 3 ? NaN : Math.round(data[i]!)
  for (let i = 0; i < size; i += 5) if (random() < 0.3) data[i] = extremes[Math.floor(random() * extremes.length)]!
  return data
}

const floorMod = (a: bigint, b: bigint): bigint => (b === 0n ? 0n : ((a % b) + b) % b)
const arithmetic: Readonly<Record<(typeof integerOps)[number], (a: bigint, b: bigint) => bigint>> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: (a, b) => (b === 0n ? 0n : a / b),
  Mod: floorMod,
  Rem: (a, b) => (b === 0n ? 0n : a % b),
  Min: (a, b) => (a < b ? a : b),
  Max: (a, b) => (a > b ? a : b),
  And: (a, b) => a & b,
  Or: (a, b) => a | b,
  Xor: (a, b) => a ^ b,
}

const comparisons: Readonly<Record<(typeof compareOps)[number], (a: Whole, b: Whole) => boolean>> = {
  Equal: (a, b) => a === b,
  Greater: (a, b) => a > b,
  GreaterOrEqual: (a, b) => a >= b,
  Less: (a, b) => a < b,
  LessOrEqual: (a, b) => a <= b,
  And: (a, b) => Boolean(a) && Boolean(b),
  Or: (a, b) => Boolean(a) || Boolean(b),
  Xor: (a, b) => Boolean(a) !== Boolean(b),
}

/** Offsets of both operands for every element of c. */
function visit({ dims, a, b, inner: [inner, aInner, bInner] }: Broadcast, f: (a: number, b: number) => void): void {
  const units = dims.reduce((x, y) => x * y)
  for (let unit = 0; unit < units; unit++) {
    let [rest, atA, atB] = [unit, 0, 0]
    for (let d = 4; d >= 0; d--) {
      const i = rest % dims[d]!
      rest = Math.floor(rest / dims[d]!)
      atA += i * a[d]!
      atB += i * b[d]!
    }
    for (let i = 0; i < inner; i++) f(atA + aInner * i, atB + bInner * i)
  }
}

function words({ dims, a, b, inner }: Broadcast): Record<string, number> {
  const numbers: Record<string, number> = { inner: inner[0], aInner: inner[1], bInner: inner[2] }
  for (let d = 0; d < 5; d++) Object.assign(numbers, { [`d${d}`]: dims[d], [`a${d}`]: a[d], [`b${d}`]: b[d] })
  return numbers
}

function pairOracle(
  make: Make,
  type: DataClass,
  ops: readonly string[],
  of: (op: string, a: Whole, b: Whole) => Whole,
  inside: readonly ('a' | 'b')[] = [],
): Oracle {
  return (random) =>
    broadcasts.flatMap((shape) =>
      ops.flatMap((name, op): KernelCase[] => {
        const [aData, bData] = [shape.a, shape.b].map((strides, side) =>
          make(random, span(strides, shape.dims, shape.inner[side + 1] ? shape.inner[0] : 1)),
        )
        const want: Whole[] = []
        visit(shape, (a, b) => want.push(of(name, aData![a]!, bData![b]!)))
        const width = aData!.BYTES_PER_ELEMENT
        const places = { a: input(aData!, width), b: input(bData!, 3 * width), c: output(type, want, exact, width) }
        const units = shape.dims.reduce((x, y) => x * y)
        const title = `${name}, dims ${shape.dims.join('x')}`
        const taken = inside.filter((operand) => isDense(shape, operand))
        return [
          { title, units, args: { ...places, ...words(shape), op } },
          ...taken.map((operand) => {
            const c = inPlace(operand === 'a' ? aData! : bData!, want, exact, width)
            const args = { ...places, c, [operand]: same('c'), ...words(shape), op }
            return { title: `${title}, in place of ${operand}`, units, args }
          }),
        ]
      }),
    )
}

const wrapped = (bits: number, op: string, a: Whole, b: Whole): Whole => {
  const value = BigInt.asIntN(bits, arithmetic[op as keyof typeof arithmetic](BigInt(a), BigInt(b)))
  return bits === 64 ? value : Number(value)
}
const compared = (op: string, a: Whole, b: Whole): number => Number(comparisons[op as keyof typeof comparisons](a, b))

function compareOracle(make: Make): Oracle {
  return pairOracle(make, Uint8Array, compareOps.slice(0, 5), compared)
}

function selectOracle(make: Make, type: DataClass): Oracle {
  return (random) =>
    broadcasts.flatMap((shape) =>
      [0, 1].map((mInner): KernelCase => {
        const [aData, bData] = [shape.a, shape.b].map((strides, side) =>
          make(random, span(strides, shape.dims, shape.inner[side + 1] ? shape.inner[0] : 1)),
        )
        const units = shape.dims.reduce((x, y) => x * y)
        const mask = bytes(random, mInner ? units * shape.inner[0] : units)
        const strides = shape.dims.map((_, d) =>
          shape.dims.slice(d + 1).reduce((x, y) => x * y, mInner ? shape.inner[0] : 1),
        )
        const want: Whole[] = []
        visit(shape, (a, b) => {
          const at = mInner ? want.length : Math.floor(want.length / shape.inner[0])
          want.push(mask[at] ? aData![a]! : bData![b]!)
        })
        const width = aData!.BYTES_PER_ELEMENT
        const places = { m: input(mask, 1), a: input(aData!, width), b: input(bData!, width) }
        const own = Object.fromEntries(strides.map((stride, d) => [`m${d}`, stride]))
        return {
          title: `dims ${shape.dims.join('x')}, inner ${shape.inner.join(' ')}, m ${mInner}`,
          units,
          args: { ...places, c: output(type, want, exact, width), ...words(shape), ...own, mInner },
        }
      }),
    )
}

const not: Oracle = (random) =>
  [1, 15, 100].map((size) => {
    const src = bytes(random, size)
    const want = Array.from(src as Uint8Array, (v) => Number(v === 0))
    return {
      title: `${size}`,
      units: Math.ceil(size / 40),
      args: { src: input(src, 3), dst: output(Uint8Array, want, exact, 1), size, block: 40 },
    }
  })

const sources: readonly Make[] = [
  (random, size) => randomIntegers(Int8Array, random, size, -128, 127),
  (random, size) => randomIntegers(Uint8Array, random, size, 0, 255),
  (random, size) => randomIntegers(Int32Array, random, size, -300, 300),
  (random, size) => BigInt64Array.from({ length: size }, () => BigInt(Math.floor((random() - 0.5) * 2 ** 40))),
  (random, size) => wildFloats(random, size, 400),
  (random, size) => randomIntegers(Uint8Array, random, size, 0, 1),
]
const targets: readonly DataClass[] = [Int8Array, Uint8Array, Int32Array, BigInt64Array, Float32Array, Uint8Array]

function castTo(x: Whole, to: number, isFloat: boolean): Whole {
  if (castKinds[to] === 'bool') return Number(x != 0)
  if (castKinds[to] === 'float32') return Math.fround(Number(x))
  const bits = [8, 8, 32, 64][to]!
  const signed = to !== 1
  if (isFloat) {
    const [least, most] = signed ? [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] : [0, 255]
    if (Number.isNaN(x)) return bits === 64 ? 0n : 0
    if (bits < 64) return Math.trunc(Math.min(Math.max(Number(x), least), most))
    const limit = 2n ** 63n
    if (Number(x) >= 2 ** 63) return limit - 1n
    return Number(x) <= -(2 ** 63) ? -limit : BigInt(Math.trunc(Number(x)))
  }
  const value = signed ? BigInt.asIntN(bits, BigInt(x)) : BigInt.asUintN(bits, BigInt(x))
  return bits === 64 ? value : Number(value)
}

const castAny: Oracle = (random) =>
  sources.flatMap((make, from) =>
    targets.flatMap((type, to): KernelCase[] => {
      if (castKinds[from] === 'float32' && castKinds[to] === 'float32') return []
      const src = make(random, 37)
      const want = Array.from(src as ArrayLike<Whole>, (x) => castTo(x, to, castKinds[from] === 'float32'))
      const args = { src: input(src, 8), dst: output(type, want, exact, 16), size: 37, block: 10, from, to }
      return [{ title: `${castKinds[from]} to ${castKinds[to]}`, units: 4, args }]
    }),
  )

/** outer x length x inner. */
const runs = [
  [1, 1, 1],
  [3, 5, 1],
  [2, 7, 6],
  [1, 4, 33],
] as const

/** Calls f with the run of each (o, i), and where its first element is. */
function eachRun(
  data: Data,
  [outer, length, inner]: readonly [number, number, number],
  f: (run: Whole[], at: number, unit: number) => void,
): void {
  for (let unit = 0; unit < outer * inner; unit++) {
    const at = Math.floor(unit / inner) * length * inner + (unit % inner)
    f(
      Array.from({ length }, (_, r) => data[at + r * inner]!),
      at,
      unit,
    )
  }
}

const folds: Readonly<Record<(typeof reduceOps)[number], (a: bigint, b: bigint) => bigint>> = {
  Sum: arithmetic.Add,
  Max: arithmetic.Max,
  Min: arithmetic.Min,
  Prod: arithmetic.Mul,
}

function reduceOracle(make: Make, type: DataClass, bits: number): Oracle {
  return (random) =>
    runs.flatMap((shape) =>
      reduceOps.map((name, op): KernelCase => {
        const [outer, reduce, inner] = shape
        const x = make(random, outer * reduce * inner)
        const want: Whole[] = []
        eachRun(x, shape, (run) => {
          const value = BigInt.asIntN(bits, run.map(BigInt).reduce(folds[name]))
          want.push(bits === 64 ? value : Number(value))
        })
        const places = { x: input(x, 8), y: output(type, want, exact, 8) }
        const units = outer * Math.ceil(inner / 4)
        return {
          title: `${name}, ${shape.join(' x ')}`,
          units,
          args: { ...places, outer, reduce, inner, block: 4, op },
        }
      }),
    )
}

function extremeOracle(make: Make): Oracle {
  return (random) =>
    runs.flatMap((shape) =>
      [0, 1, 2, 3].map((flags): KernelCase => {
        const [outer, reduce, inner] = shape
        const [least, last] = [flags & 1, flags >> 1]
        const x = make(random, outer * reduce * inner)
        const want: bigint[] = []
        eachRun(x, shape, (run) => {
          let best = 0
          run.forEach((value, r) => {
            const better = least ? value < run[best]! : value > run[best]!
            if (better || (last && value === run[best])) best = r
          })
          want.push(BigInt(best))
        })
        const places = { x: input(x, 8), y: output(BigInt64Array, want, exact, 8) }
        return {
          title: `${shape.join(' x ')}, ${flags}`,
          units: outer * inner,
          args: { ...places, reduce, inner, least, last },
        }
      }),
    )
}

function runningOracle(make: Make, bits: number | null): Oracle {
  return (random) =>
    runs.flatMap((shape) =>
      [0, 1, 2, 3, 4].map((flags): KernelCase => {
        const [outer, length, inner] = shape
        const [exclusive, reverse, product] = [flags & 1, (flags >> 1) & 1, flags >> 2]
        const x = make(random, outer * length * inner)
        const want: Whole[] = Array.from(x as ArrayLike<Whole>)
        eachRun(x, shape, (run, at) => {
          let total: Whole = bits === null ? product : BigInt(product)
          for (let step = 0; step < length; step++) {
            const r = reverse ? length - 1 - step : step
            const value = bits === null ? run[r]! : BigInt(run[r]!)
            const next = (
              product ? (total as number) * (value as number) : (total as number) + (value as number)
            ) as Whole
            const kept: Whole = exclusive ? total : next
            want[at + r * inner] =
              bits === null
                ? Math.fround(Number(kept))
                : bits === 64
                  ? BigInt.asIntN(64, kept as bigint)
                  : Number(BigInt.asIntN(32, kept as bigint))
            total = next
          }
        })
        const inside = flags === 1
        const places = inside
          ? { x: same('y'), y: inPlace(x, want, exact, 8) }
          : { x: input(x, 8), y: output(x.constructor as DataClass, want, exact, 16) }
        const args = { ...places, length, inner, exclusive, reverse, product }
        return { title: `${shape.join(' x ')}, ${flags}`, units: outer * inner, args }
      }),
    )
}

const topK: Oracle = (random) =>
  runs.flatMap((shape) =>
    [0, 1].flatMap((least) =>
      [1, Math.ceil(shape[1] / 2), shape[1]].map((k): KernelCase => {
        const [outer, length, inner] = shape
        const x = wildFloats(random, outer * length * inner, 3).map((v) => (Math.abs(v) < 1e-30 ? v : Math.round(v)))
        const want = new Float32Array(outer * k * inner)
        const index = new BigInt64Array(want.length)
        eachRun(x, shape, (run, _, unit) => {
          const order = run.map((_, r) => r)
          const rank = (r: number): number => (Number.isNaN(run[r]) ? Infinity : (least ? 1 : -1) * Number(run[r]))
          const missing = (r: number): number => Number(Number.isNaN(run[r]))
          order.sort((p, q) => missing(p) - missing(q) || Math.sign(rank(p) - rank(q)) || p - q)
          for (let j = 0; j < k; j++) {
            const at = (Math.floor(unit / inner) * k + j) * inner + (unit % inner)
            want[at] = Number(run[order[j]!])
            index[at] = BigInt(order[j]!)
          }
        })
        const places = { x: input(x, 4), y: output(Float32Array, want), index: output(BigInt64Array, index, exact, 8) }
        return {
          title: `${k} of ${shape.join(' x ')}`,
          units: outer * inner,
          args: { ...places, length, inner, k, least },
        }
      }),
    ),
  )

const sums: Make = (random, size) => (size > 10 ? wildFloats(random, size, 2) : randomFloats(random, size, 2))

export const oracles: Readonly<Record<string, Oracle>> = {
  binary_i32: pairOracle(int32, Int32Array, integerOps, (op, a, b) => wrapped(32, op, a, b), ['a', 'b']),
  binary_i64: pairOracle(int64, BigInt64Array, integerOps, (op, a, b) => wrapped(64, op, a, b), ['a', 'b']),
  compare_f32: compareOracle(odd),
  compare_i32: compareOracle(int32),
  compare_i64: compareOracle(int64),
  compare_u8: pairOracle(bytes, Uint8Array, compareOps, compared),
  select_1: selectOracle(bytes, Uint8Array),
  select_2: selectOracle((random, size) => randomIntegers(Uint16Array, random, size, 0, 65535), Uint16Array),
  select_4: selectOracle(int32, Int32Array),
  select_8: selectOracle(int64, BigInt64Array),
  not_u8: not,
  cast_any: castAny,
  reduce_i32: reduceOracle(int32, Int32Array, 32),
  reduce_i64: reduceOracle(int64, BigInt64Array, 64),
  arg_extreme_f32: extremeOracle(odd),
  arg_extreme_i32: extremeOracle(int32),
  arg_extreme_i64: extremeOracle(int64),
  running_f32: runningOracle(sums, null),
  running_i32: runningOracle(int32, 32),
  running_i64: runningOracle(int64, 64),
  top_k_f32: topK,
}
