// SPDX-License-Identifier: Apache-2.0
/**
 * Inputs for a model of which nothing is given: noise, waves and bars for floats, numbers that tables have for integers.
 * No picture looks like that, but which channels of a trained network are large and which go together lies in its weights
 * and biases more than in what it is shown (Nagel et al. 2019, arXiv:1906.04721): rounding by them gains most of what
 * rounding by real inputs does (docs/compression.md).
 */
import { toFloat16 } from '../base/half.ts'
import { randomInteger, seededRandom } from '../base/rng.ts'
import { type Dim, substitute, symbolsOf } from '../ir/dim.ts'
import type { Graph, GraphValue } from '../ir/graph.ts'
import type { Feeds } from '../runtime/feeds.ts'
import { type Dtype, dtypes } from '../tensor/dtype.ts'
import { sizeOf } from '../tensor/shape.ts'
import { Tensor } from '../tensor/tensor.ts'

/** Sizes of free axes: a batch of one, of rows of floats some more, pictures as networks take them, sequences of a sentence. */
const free = { batch: 1, rows: 64, colours: 3, picture: 320, sequence: 32 } as const

/** Largest integer where no table bounds it: 0 and 1 are masks, types and lengths. */
const largestInteger = 1

/** A number in [-1, 1] by place: row and column are those of the last two axes, plane counts what is in front. */
type Pattern = (random: () => number, plane: number, row: number, column: number) => number

const patterns: readonly Pattern[] = [
  (random) => 2 * random() - 1,
  (_, plane, row, column) =>
    0.5 * Math.sin(0.13 * column + 0.05 * row + plane) + 0.5 * Math.sin(0.31 * row + 0.021 * column),
  // strokes on a light ground, a margin above and below
  (_, _plane, row, column) => (isStroke(row, column) ? -1 : 1),
]

function isStroke(row: number, column: number): boolean {
  return ((column >> 2) * 7919) % 13 > 6 && row % 48 > 8 && row % 48 < 40
}

/** Types that are made up; others are packed, or no numbers. */
const types: readonly Dtype[] = [
  'float16',
  'float32',
  'float64',
  'bool',
  'int8',
  'int16',
  'int32',
  'int64',
  'uint8',
  'uint16',
  'uint32',
  'uint64',
]

/** Elements of an input up to which it is made up. */
const mostElements = 2 ** 22

/**
 * A few sets of inputs, made as they are wanted; undefined where the model has inputs of another kind, of any rank, or too
 * large. The same on every host, but for what rounding to float32 leaves of the last bit of a sine.
 */
export function syntheticInputs(graph: Graph): Iterable<Feeds> | undefined {
  if (graph.inputs.some(({ dtype, dims }) => dims === null || !types.includes(dtype))) return
  const sizes = new Map<string, number>()
  for (const { dims, dtype } of graph.inputs) nameSizes(dims!, dtypes[dtype].kind === 'float', sizes)
  const shapes = graph.inputs.map(({ dims }) => dims!.map((dim) => Number(substitute(dim, sizes))))
  const isSize = (size: number) => Number.isSafeInteger(size) && size >= 0
  if (!shapes.every((shape) => shape.every(isSize) && sizeOf(shape) <= mostElements)) return
  return setsOf(graph, shapes)
}

function* setsOf(graph: Graph, shapes: readonly (readonly number[])[]): Iterable<Feeds> {
  for (const [seed, pattern] of patterns.entries()) {
    yield Object.fromEntries(
      graph.inputs.map((input, i) => [input.name, madeUp(graph, input, shapes[i], pattern, seededRandom(seed))]),
    )
  }
}

function madeUp(
  graph: Graph,
  { name, dtype }: GraphValue,
  shape: readonly number[],
  pattern: Pattern,
  random: () => number,
): Tensor {
  const length = sizeOf(shape)
  if (dtypes[dtype].kind === 'float') {
    const [height, width] = [shape.at(-2) ?? 1, shape.at(-1) ?? 1]
    const encode = dtype === 'float16' ? toFloat16 : (value: number) => value
    const numbers = Array.from({ length }, (_, i) => {
      const line = Math.floor(i / width)
      return encode(pattern(random, Math.floor(line / height), line % height, i % width))
    })
    return new Tensor(dtype, numbers, shape)
  }
  const most = largestIndex(graph, name)
  return new Tensor(
    dtype,
    Array.from({ length }, () => randomInteger(random, 0, most)),
    shape,
  )
}

/** Gives the symbols of an input's dims that have none yet a size. */
function nameSizes(dims: readonly Dim[], isFloat: boolean, sizes: Map<string, number>): void {
  for (const [axis, dim] of dims.entries()) {
    const batch = isFloat && dims.length === 2 ? free.rows : free.batch
    const picture = axis === 1 ? free.colours : free.picture
    const size = axis === 0 ? batch : dims.length === 4 ? picture : free.sequence
    for (const name of symbolsOf(dim)) if (!sizes.has(name)) sizes.set(name, size)
  }
}

/** What integers of an input go up to: the last row of the smallest table they are looked up in. */
function largestIndex({ nodes, constants }: Graph, name: string): number {
  const rows = nodes.flatMap(({ op, inputs: [table, indices], attributes: { axis = 0 } }) => {
    const rows = op === 'Gather' && indices === name ? constants.get(table)?.dims[Number(axis)] : undefined
    return rows === undefined ? [] : [rows]
  })
  return rows.length === 0 ? largestInteger : Math.max(0, Math.min(...rows) - 1)
}
