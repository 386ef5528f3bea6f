// SPDX-License-Identifier: Apache-2.0
/**
 * Inputs for a model of which nothing is given: noise, waves and bars for floats, numbers that tables have for integers.
 * No picture looks like that, but which channels of a trained network are large and which go together lies in its weights
 * and biases more than in what it is shown (Nagel et al. 2019, arXiv:1906.04721): rounding by them gains most of what
 * rounding by real inputs does (docs/compression.md).
 */
import { randomInteger, seededRandom } from '../base/rng.ts'
import { type Dim, substitute, symbolsOf } from '../ir/dim.ts'
import type { Graph, GraphValue } from '../ir/graph.ts'
import type { Feeds } from '../runtime/feeds.ts'
import { dtypes } from '../tensor/dtype.ts'
import { sizeOf } from '../tensor/shape.ts'
import { Tensor } from '../tensor/tensor.ts'

/** Sizes of free axes: a batch of one, pictures as networks take them, sequences of a sentence. */
const free = { batch: 1, picture: 320, sequence: 32 } as const

/** Largest integer where no table bounds it: 0 and 1 are masks, types and lengths. */
const largestInteger = 1

/** A number in [-1, 1] by place: row and column are those of the last two axes, plane counts what is in front. */
type Pattern = (random: () => number, plane: number, row: number, column: number) => number

const patterns: readonly Pattern[] = [
  (random) => 2 * random() - 1,
  (_, plane, row, column) =>
    0.5 * Math.sin(0.13 * column + 0.05 * row + plane) + 0.5 * Math.sin(0.31 * row + 0.021 * column),
  // strokes on a light ground, a margin above and below
  (_, _plane, row, column) => (((column >> 2) * 7919) % 13 > 6 && row % 48 > 8 && row % 48 < 40 ? -1 : 1),
]

/** A few sets of inputs; none where the model has inputs of another kind, or of any rank. The same on every host. */
export function syntheticInputs(graph: Graph): Feeds[] {
  if (graph.inputs.some(({ dtype, dims }) => dims === null || dtype === 'string')) return []
  const sizes = new Map<string, number>()
  return patterns.map((pattern, i) =>
    Object.fromEntries(graph.inputs.map((input) => [input.name, madeUp(graph, input, sizes, pattern, i)])),
  )
}

function madeUp(
  graph: Graph,
  { name, dtype, dims }: GraphValue,
  sizes: Map<string, number>,
  pattern: Pattern,
  seed: number,
): Tensor {
  const shape = dims!.map((dim, axis) => sizeOfAxis(dim, axis, dims!.length, sizes))
  const random = seededRandom(seed)
  const count = sizeOf(shape)
  if (dtypes[dtype].kind === 'float') {
    const [height, width] = [shape.at(-2) ?? 1, shape.at(-1) ?? 1]
    const numbers = Array.from({ length: count }, (_, i) => {
      const line = Math.floor(i / width)
      return pattern(random, Math.floor(line / height), line % height, i % width)
    })
    return new Tensor(dtype, numbers, shape)
  }
  const most = largestIndex(graph, name)
  return new Tensor(
    dtype,
    Array.from({ length: count }, () => randomInteger(random, 0, most)),
    shape,
  )
}

function sizeOfAxis(dim: Dim, axis: number, rank: number, sizes: Map<string, number>): number {
  const size = axis === 0 ? free.batch : rank === 4 ? free.picture : free.sequence
  for (const name of symbolsOf(dim)) if (!sizes.has(name)) sizes.set(name, size)
  return Number(substitute(dim, sizes))
}

/** What integers of an input go up to: the last row of the smallest table they are looked up in. */
function largestIndex({ nodes, constants }: Graph, name: string): number {
  const rows = nodes.flatMap(({ op, inputs: [table, indices], attributes: { axis = 0 } }) => {
    const rows = op === 'Gather' && indices === name ? constants.get(table)?.dims[Number(axis)] : undefined
    return rows === undefined ? [] : [rows]
  })
  return rows.length === 0 ? largestInteger : Math.max(0, Math.min(...rows) - 1)
}
