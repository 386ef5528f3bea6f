// SPDX-License-Identifier: Apache-2.0
/** Elements and runs by index, and triangles: equal to the bit, with indices from the end and beyond it. */
import { randomInteger } from '../../../src/base/rng.ts'
import { exact, input, output, type Data, type DataClass, type KernelCase, type Oracle } from '../kernel.ts'
import { randomFloats, randomIntegers } from '../values.ts'

/** Data by the width of its elements. */
const kinds: readonly (readonly [
  width: number,
  type: DataClass,
  make: (random: () => number, size: number) => Data,
])[] = [
  [1, Int8Array, (random, size) => randomIntegers(Int8Array, random, size, -128, 127)],
  [2, Uint16Array, (random, size) => randomIntegers(Uint16Array, random, size, 0, 65535)],
  [4, Float32Array, (random, size) => randomFloats(random, size)],
  [
    8,
    BigInt64Array,
    (random, size) => BigInt64Array.from({ length: size }, () => BigInt(randomInteger(random, -9, 9))),
  ],
]

function clamped(index: number, size: number): number {
  return Math.min(Math.max(index < 0 ? index + size : index, 0), size - 1)
}

function indicesOf(random: () => number, size: number, axis: number, bytes: number): { data: Data; at: number[] } {
  const given = Array.from({ length: size }, () => randomInteger(random, -axis - 1, axis))
  const data = bytes === 4 ? Int32Array.from(given) : BigInt64Array.from(given, BigInt)
  return { data, at: given.map((index) => clamped(index, axis)) }
}

/** outer, axis, count, inner. */
const shapes = [
  [1, 5, 3, 1],
  [2, 4, 6, 3],
  [3, 1, 2, 2],
] as const

const elements =
  (put: boolean): Oracle =>
  (random) =>
    shapes.flatMap(([outer, axis, count, inner], s) =>
      kinds.map(([width, type, make], k): KernelCase => {
        const indexBytes = (s + k) % 2 === 0 ? 4 : 8
        const index = indicesOf(random, outer * count * inner, axis, indexBytes)
        const [far, near] = [make(random, outer * axis * inner), make(random, outer * count * inner)]
        const want = Array.from((put ? far : near) as ArrayLike<number | bigint>)
        for (const [e, at] of index.at.entries()) {
          const [o, i] = [Math.floor(e / (count * inner)), e % inner]
          const place = (o * axis + at) * inner + i
          if (put) want[place] = near[e]!
          else want[e] = far[place]!
        }
        const dst = put ? { ...output(type, want, exact, width), before: far } : output(type, want, exact, width)
        const args = { src: input(put ? near : far, width), index: input(index.data, indexBytes), dst }
        return {
          title: `[${outer}, ${axis}, ${inner}] at ${count}, ${width} bytes`,
          units: outer,
          args: { ...args, axis, count, inner, width, indexBytes },
        }
      }),
    )

/** dims, tuples in all, tuples that share data, bytes behind the last dim. */
const tuples = [
  { dims: [7], count: 5, perBatch: 5, run: 1 },
  { dims: [3, 4], count: 6, perBatch: 6, run: 5 },
  { dims: [2, 3, 2, 2], count: 9, perBatch: 3, run: 2 },
] as const

const byTuple =
  (put: boolean): Oracle =>
  (random) =>
    tuples.flatMap(({ dims, count, perBatch, run }) =>
      kinds.map(([width, type, make]): KernelCase => {
        const rows = dims.reduce((a: number, b) => a * b, 1)
        const images = count / perBatch
        const [far, near] = [make(random, images * rows * run), make(random, count * run)]
        const want = Array.from((put ? far : near) as ArrayLike<number | bigint>)
        const index: bigint[] = []
        const taken = new Set<number>()
        for (let t = 0; t < count; t++) {
          let tuple: number[]
          let row: number
          do {
            tuple = dims.map((size) => randomInteger(random, -size, size - 1))
            row = tuple.reduce((sum, at, k) => sum * dims[k]! + clamped(at, dims[k]!), 0)
            row += Math.floor(t / perBatch) * rows
            // to equal places threads would write in any order
          } while (put && taken.has(row))
          taken.add(row)
          index.push(...tuple.map(BigInt))
          for (let i = 0; i < run; i++) {
            if (put) want[row * run + i] = near[t * run + i]!
            else want[t * run + i] = far[row * run + i]!
          }
        }
        const dst = put ? { ...output(type, want, exact, width), before: far } : output(type, want, exact, width)
        const [d0, d1 = 1, d2 = 1, d3 = 1] = dims as readonly number[]
        const words = { depth: dims.length, rowBytes: run * width, perBatch, batchBytes: rows * run * width }
        return {
          title: `${count} of [${dims.join(', ')}], runs of ${run} x ${width} bytes`,
          units: count,
          args: {
            ...{ src: input(put ? near : far, width), index: input(BigInt64Array.from(index), 8), dst },
            ...{ ...words, d0: d0!, d1, d2, d3 },
          },
        }
      }),
    )

const triangle: Oracle = (random) =>
  kinds.flatMap(([width, type, make]) =>
    [-9, -1, 0, 2, 9].flatMap((k) =>
      [0, 1].map((upper): KernelCase => {
        const [rows, cols] = [5, 4]
        const x = make(random, 2 * rows * cols)
        const zero = type === BigInt64Array ? 0n : 0
        const want = Array.from(x as ArrayLike<number | bigint>, (v, i) => {
          const across = (i % cols) - (Math.floor(i / cols) % rows)
          return (upper ? across >= k : across <= k) ? v : zero
        })
        const args = { x: input(x, width), y: output(type, want, exact, 2 * width), rows, cols, width, k, upper }
        return { title: `diagonal ${k}, ${upper ? 'upper' : 'lower'}, ${width} bytes`, units: 2 * rows, args }
      }),
    ),
  )

export const oracles: Readonly<Record<string, Oracle>> = {
  gather_elements: elements(false),
  scatter_elements: elements(true),
  gather_tuples: byTuple(false),
  scatter_tuples: byTuple(true),
  triangle,
}
