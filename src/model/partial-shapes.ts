// SPDX-License-Identifier: Apache-2.0
/**
 * How much of a shape can be told without inference: mostly the rank. Old operators whose meaning depends on the rank
 * (softmax over flattened axes, broadcasting from an axis) become simpler ones when it is known. A row says what is
 * known of an operator's output; an operator without a row, or a row without an answer, leaves them unknown, and the
 * rewrite then works for any rank. Dims are null where unknown; a wrong answer here would be a wrong model.
 */
import type { Node } from '../ir/graph.ts'
import { mostRank } from '../tensor/shape.ts'

export type PartialShape = readonly (number | null)[]

interface Known {
  /** Shape of input i. */
  shape(i: number): PartialShape | undefined
  /** Elements of input i, an integer constant. */
  numbers(i: number): readonly number[] | undefined
}

type Row = (node: Node, known: Known) => PartialShape | undefined

/** Ranks beyond the longest are mistakes, and inference's to report. */
const unknown = (rank: number | undefined): PartialShape | undefined =>
  rank === undefined || rank < 0 || rank > mostRank ? undefined : new Array<null>(rank).fill(null)

/** Outputs have the shape of input 0. */
const same: Row = (_, known) => known.shape(0)
/** Outputs have the rank of input 0. */
const sameRank: Row = (_, known) => unknown(known.shape(0)?.length)

const broadcast: Row = (node, known) => {
  const ranks = node.inputs.map((_, i) => known.shape(i)?.length)
  return ranks.some((rank) => rank === undefined) ? undefined : unknown(Math.max(...(ranks as number[])))
}

const matMul: Row = (_, known) => {
  const [a, b] = [known.shape(0)?.length, known.shape(1)?.length]
  if (a === undefined || b === undefined) return undefined
  return unknown(Math.max(a, b, 2) - (a === 1 ? 1 : 0) - (b === 1 ? 1 : 0))
}

const reduce: Row = (node, known) => {
  const rank = known.shape(0)?.length
  if (rank === undefined || node.attributes.keepdims !== 0) return unknown(rank)
  if ((node.inputs[1] ?? '') === '') return node.attributes.noop_with_empty_axes === 1 ? unknown(rank) : []
  const axes = known.numbers(1)
  return axes === undefined || axes.length === 0 ? undefined : unknown(rank - axes.length)
}

const argReduce: Row = (node, known) => {
  const rank = known.shape(0)?.length
  return rank === undefined ? undefined : unknown(node.attributes.keepdims === 0 ? rank - 1 : rank)
}

const squeeze: Row = (_, known) => {
  const [rank, axes] = [known.shape(0)?.length, known.numbers(1)]
  return rank === undefined || axes === undefined ? undefined : unknown(rank - axes.length)
}

const unsqueeze: Row = (_, known) => {
  const [shape, axes] = [known.shape(0), known.numbers(1)]
  if (shape === undefined || axes === undefined) return undefined
  return shape.length === 0 && axes.length === 1 ? [1] : unknown(shape.length + axes.length)
}

const gather: Row = (_, known) => {
  const [data, indices] = [known.shape(0), known.shape(1)]
  if (data === undefined || indices === undefined) return undefined
  return data.length === 1 ? indices : unknown(data.length - 1 + indices.length)
}

const concat: Row = (_node, known) => {
  const first = known.shape(0)
  if (first?.length !== 1) return unknown(first?.length)
  const parts = _node.inputs.map((_, i) => known.shape(i)?.[0] ?? null)
  return [parts.reduce((sum: number | null, n) => (sum === null || n === null ? null : sum + n), 0)]
}

const slice: Row = (_, known) => {
  const shape = known.shape(0)
  const [length] = shape ?? []
  if (shape?.length !== 1 || length === null || length === undefined) return unknown(shape?.length)
  const [starts, ends, steps] = [known.numbers(1), known.numbers(2), known.numbers(4)]
  if (starts === undefined || ends === undefined || (steps !== undefined && steps[0] !== 1)) return [null]
  const clamp = (at: number): number => Math.min(Math.max(at < 0 ? at + length : at, 0), length)
  return [Math.max(clamp(ends[0]) - clamp(starts[0]), 0)]
}

/** The second input is a shape: its length is the rank. */
const shaped =
  (input: number): Row =>
  (_, known) =>
    unknown(known.shape(input)?.[0] ?? undefined)

const rows = {
  same: (
    'Abs Cast CastLike Ceil Clip Cos CumSum Dropout Elu Erf Exp Floor Gelu HardSigmoid HardSwish Identity ' +
    'LayerNormalization LeakyRelu Log LogSoftmax Mish Neg Not Reciprocal Relu Round Selu Sigmoid Sign Sin Softmax ' +
    'Softplus Softsign Sqrt Tan Tanh ThresholdedRelu BatchNormalization InstanceNormalization LRN'
  ).split(' '),
  sameRank: (
    'AveragePool Conv ConvTranspose DepthToSpace GlobalAveragePool GlobalMaxPool LpPool MaxPool Pad Resize ' +
    'SpaceToDepth Split Tile TopK Transpose'
  ).split(' '),
  broadcast:
    'Add And Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mod Mul Or Pow Sub Sum Where Xor'.split(
      ' ',
    ),
  reduce:
    'ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare'.split(
      ' ',
    ),
}

const byNames = (names: readonly string[], row: Row): [string, Row][] => names.map((name) => [name, row])

/** Operators whose row holds for every output; for the others it holds for the first. */
export const alikeOutputs: ReadonlySet<string> = new Set(['Split', 'TopK'])

/** What is known of the outputs of a node written in the newest form of its operator. */
export const partialShapes: Readonly<Record<string, Row>> = {
  ...Object.fromEntries([
    ...byNames(rows.same, same),
    ...byNames(rows.sameRank, sameRank),
    ...byNames(rows.broadcast, broadcast),
    ...byNames(rows.reduce, reduce),
  ]),
  ArgMax: argReduce,
  ArgMin: argReduce,
  Concat: concat,
  ConstantOfShape: shaped(0),
  Expand: (_, known) => {
    const [from, to] = [known.shape(0)?.length, known.shape(1)?.[0]]
    return from === undefined || to === undefined || to === null ? undefined : unknown(Math.max(from, to))
  },
  Flatten: () => [null, null],
  Gather: gather,
  Gemm: () => [null, null],
  MatMul: matMul,
  PRelu: sameRank,
  Reshape: shaped(1),
  Shape: (node, known) => {
    const isWhole = node.attributes.start === undefined && node.attributes.end === undefined
    return [isWhole ? (known.shape(0)?.length ?? null) : null]
  },
  Size: () => [],
  Slice: slice,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
}
