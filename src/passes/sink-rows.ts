// SPDX-License-Identifier: Apache-2.0
/**
 * How a Transpose gets from in front of an operator to behind it, operator by operator. A row sees a node whose first
 * input (or several) is a permuted value and gives the patch that does the node on the value as it was; or nothing,
 * where that is not possible or would copy more than before (Slice and Split of a value others read too).
 */
import type { Node } from '../ir/graph.ts'
import type { Patch } from '../ir/patch.ts'
import type { View } from '../ir/rewrite.ts'
import { Tensor } from '../tensor/tensor.ts'
import { axesOf, integersOf, nodeWithIntegers } from './operands.ts'
import { quantizedRows } from './sink-quantized.ts'
import { sunkReshape } from './sink-reshapes.ts'
import { type Transposed, permutedBehind, transposedOf, unpermuted } from './transposed.ts'

type Row = (node: Node, view: View, from: Transposed) => Patch | undefined

/** Element-wise in the first input; further inputs are scalars that do not care for axes. */
const unary: Row = (node, view, { x, perm }) =>
  permutedBehind(view, { nodes: [{ ...node, inputs: [x, ...node.inputs.slice(1)] }] }, node.outputs[0], perm)

/** Element-wise in all inputs, with broadcasting. */
const elementwise: Row = (node, view, { perm }) => {
  const operands = node.inputs.map((input) => unpermuted(view, input, perm))
  if (view.dims(node.outputs[0])?.length !== perm.length) return undefined
  if (!operands.every((operand) => operand !== undefined)) return undefined
  const constants = Object.assign({}, ...operands.map(({ patch }) => patch.constants)) as Record<string, Tensor>
  const before = operands.flatMap(({ patch }) => patch.nodes ?? [])
  const inner = { ...node, inputs: operands.map((operand) => operand.name) }
  return permutedBehind(view, { constants, nodes: [...before, inner] }, node.outputs[0], perm)
}

const frontAxis = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis)

const concat: Row = (node, view, from) => {
  const operands = node.inputs.map((input) => transposedOf(view, input))
  if (!operands.every((operand) => String(operand?.perm) === String(from.perm))) return undefined
  const axis = from.perm[frontAxis(node.attributes.axis as number, from.perm.length)]
  const inner = { ...node, inputs: operands.map((operand) => operand!.x), attributes: { ...node.attributes, axis } }
  return permutedBehind(view, { nodes: [inner] }, node.outputs[0], from.perm)
}

const sorted = (axes: readonly number[]): number[] => [...axes].sort((a, b) => a - b)

const reduce: Row = (node, view, { x, perm }) => {
  const axes = axesOf(view, node, perm.length)
  if (!axes || axes.length === 0) return undefined
  const inner = nodeWithIntegers(view, node, x, sorted(axes.map((axis) => perm[axis])))
  const kept = view.attributes(node).keepdims !== 0
  return permutedBehind(view, inner, node.outputs[0], kept ? perm : without(perm, axes))
}

/** The permutation of the axes that are left when output axes `axes` are gone. */
function without(perm: readonly number[], axes: readonly number[]): number[] {
  const gone = axes.map((axis) => perm[axis])
  return perm.filter((_, i) => !axes.includes(i)).map((axis) => axis - gone.filter((g) => g < axis).length)
}

const squeeze: Row = (node, view, { x, perm }) => {
  const axes = axesOf(view, node, perm.length)
  if (!axes) return undefined
  const inner = nodeWithIntegers(view, node, x, sorted(axes.map((axis) => perm[axis])))
  return permutedBehind(view, inner, node.outputs[0], without(perm, axes))
}

/** New axes keep their places; the old ones are put around them in the order they had. */
const unsqueeze: Row = (node, view, { x, perm }) => {
  const rank = view.dims(node.outputs[0])?.length
  const axes = rank === undefined ? undefined : axesOf(view, node, rank)
  if (!axes || rank === undefined) return undefined
  const places = Array.from({ length: rank }, (_, i) => i).filter((i) => !axes.includes(i))
  const whole = Array.from({ length: rank }, (_, i) => i)
  places.forEach((place, i) => (whole[place] = places[perm[i]]))
  return permutedBehind(view, nodeWithIntegers(view, node, x, axes), node.outputs[0], whole)
}

const pad: Row = (node, view, { x, perm }) => {
  const pads = integersOf(view, node, 1)
  if (pads?.length !== 2 * perm.length || (node.inputs[3] ?? '') !== '') return undefined
  const inside = new Array<number>(pads.length)
  perm.forEach((axis, i) => {
    inside[axis] = pads[i]
    inside[perm.length + axis] = pads[perm.length + i]
  })
  return permutedBehind(view, nodeWithIntegers(view, node, x, inside, node.inputs.slice(2)), node.outputs[0], perm)
}

const slice: Row = (node, view, { x, perm }) => {
  const [, starts, ends, , ...steps] = node.inputs
  const count = view.dims(starts)?.[0]
  const given = integersOf(view, node, 3)
  if (!view.isPrivate(node.inputs[0]) || given === undefined || typeof count !== 'number') return undefined
  const axes = (given ?? Array.from({ length: count }, (_, i) => i)).map((axis) => perm[frontAxis(axis, perm.length)])
  const name = view.fresh(`${node.name}/axes`)
  const constants = { [name]: new Tensor('int64', axes, [axes.length]) }
  return permutedBehind(
    view,
    { constants, nodes: [{ ...node, inputs: [x, starts, ends, name, ...steps] }] },
    node.outputs[0],
    perm,
  )
}

const split: Row = (node, view, { x, perm }) => {
  if (!view.isPrivate(node.inputs[0])) return undefined
  const axis = perm[frontAxis((node.attributes.axis as number | undefined) ?? 0, perm.length)]
  const inside = node.outputs.map((output) => (output === '' ? '' : view.fresh(`${output}/unpermuted`)))
  const behind = node.outputs.flatMap((output, i): Node[] => {
    const name = view.fresh(`${node.name}/transpose`)
    return output === ''
      ? []
      : [{ name, op: 'Transpose', inputs: [inside[i]], outputs: [output], attributes: { perm } }]
  })
  const inner = {
    ...node,
    inputs: [x, ...node.inputs.slice(1)],
    outputs: inside,
    attributes: { ...node.attributes, axis },
  }
  return { nodes: [inner, ...behind] }
}

/** Only where the axis stays the last one: along another, Softmax would stride through memory. */
const softmax: Row = (node, view, { x, perm }) => {
  const last = perm.length - 1
  if (perm[frontAxis(view.attributes(node).axis as number, perm.length)] !== last) return undefined
  const inner = { ...node, inputs: [x], attributes: { ...node.attributes, axis: last } }
  return permutedBehind(view, { nodes: [inner] }, node.outputs[0], perm)
}

/** One number per channel, as a reduction over whatever axes the spatial ones were. */
function globalPool(op: string): Row {
  return (node, view, { x, perm }) => {
    const inner = nodeWithIntegers(view, { ...node, op, attributes: { keepdims: 1 } }, x, sorted(perm.slice(2)))
    return permutedBehind(view, inner, node.outputs[0], perm)
  }
}

/** Factors and sizes stay as they are, computed ones too: the axes that they are of are named. */
const resize: Row = (node, view, { x, perm }) => {
  const given = view.attributes(node).axes as readonly number[] | undefined
  const axes = (given ?? [...perm.keys()]).map((axis) => perm[frontAxis(axis, perm.length)])
  const inner = { ...node, inputs: [x, ...node.inputs.slice(1)], attributes: { ...node.attributes, axes } }
  return permutedBehind(view, { nodes: [inner] }, node.outputs[0], perm)
}

const rowsOf = (row: Row, ...ops: readonly string[]): Record<string, Row> =>
  Object.fromEntries(ops.map((op) => [op, row]))

/** By operator. */
export const sinkRows: Readonly<Record<string, Row>> = {
  ...quantizedRows,
  ...rowsOf(
    unary,
    'Abs',
    'Cast',
    'Ceil',
    'Celu',
    'Clip',
    'Cos',
    'Elu',
    'Erf',
    'Exp',
    'Floor',
    'Gelu',
    'HardSigmoid',
    'HardSwish',
  ),
  ...rowsOf(
    unary,
    'Identity',
    'IsInf',
    'IsNaN',
    'LeakyRelu',
    'Log',
    'Mish',
    'Neg',
    'Not',
    'Reciprocal',
    'Relu',
    'Round',
    'Selu',
  ),
  ...rowsOf(
    unary,
    'Shrink',
    'Sigmoid',
    'Sign',
    'Sin',
    'Softplus',
    'Softsign',
    'Sqrt',
    'Swish',
    'Tanh',
    'ThresholdedRelu',
    'whittle.Silu',
  ),
  ...rowsOf(
    elementwise,
    'Add',
    'And',
    'Div',
    'Equal',
    'Greater',
    'GreaterOrEqual',
    'Less',
    'LessOrEqual',
    'Max',
    'Mean',
    'Min',
  ),
  ...rowsOf(elementwise, 'Mod', 'Mul', 'Or', 'PRelu', 'Pow', 'Sub', 'Sum', 'Where', 'Xor'),
  ...rowsOf(
    reduce,
    'ReduceL1',
    'ReduceL2',
    'ReduceLogSum',
    'ReduceLogSumExp',
    'ReduceMax',
    'ReduceMean',
    'ReduceMin',
    'ReduceProd',
  ),
  ...rowsOf(reduce, 'ReduceSum', 'ReduceSumSquare'),
  ...rowsOf(softmax, 'Softmax', 'LogSoftmax'),
  ...rowsOf(sunkReshape, 'Reshape', 'Flatten'),
  Concat: concat,
  GlobalAveragePool: globalPool('ReduceMean'),
  GlobalMaxPool: globalPool('ReduceMax'),
  Pad: pad,
  Resize: resize,
  Slice: slice,
  Split: split,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
}
