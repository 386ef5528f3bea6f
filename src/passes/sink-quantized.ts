// SPDX-License-Identifier: Apache-2.0
/** Rows of sink-rows.ts for operators on quantised tensors, whose scales and zero points are scalars between the tensors. */
import type { Node } from '../ir/graph.ts'
import type { Patch } from '../ir/patch.ts'
import type { View } from '../ir/rewrite.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { type Transposed, permutedBehind, transposedOf, unpermuted } from './transposed.ts'

type Row = (node: Node, view: View, from: Transposed) => Patch | undefined

const isOne = (view: View, value: string | undefined): boolean =>
  (value ?? '') === '' || view.dims(value)?.every((size) => size === 1) === true

/** One tensor, the first input; its other inputs are scalars. */
const unary: Row = (node, view, { x, perm }) => {
  if (transposedOf(view, node.inputs[0])?.x !== x || !node.inputs.slice(1).every((input) => isOne(view, input)))
    return undefined
  return permutedBehind(view, { nodes: [{ ...node, inputs: [x, ...node.inputs.slice(1)] }] }, node.outputs[0], perm)
}

/** Tensors at inputs 0 and 3, with broadcasting. */
const binary: Row = (node, view, { perm }) => {
  const [a, b] = [node.inputs[0], node.inputs[3]].map((input) => unpermuted(view, input, perm))
  if (!a || !b || view.dims(node.outputs[0])?.length !== perm.length) return undefined
  const constants: Record<string, Tensor> = { ...a.patch.constants, ...b.patch.constants }
  const inputs = node.inputs.map((input, i) => (i === 0 ? a.name : i === 3 ? b.name : input))
  const nodes = [...(a.patch.nodes ?? []), ...(b.patch.nodes ?? []), { ...node, inputs }] as const
  return permutedBehind(view, { constants, nodes: nodes as never }, node.outputs[0], perm)
}

/** Tensors at inputs 2, 5, 8 and so on. */
const concat: Row = (node, view, from) => {
  const isTensor = (i: number): boolean => i >= 2 && (i - 2) % 3 === 0
  const operands = node.inputs.map((input, i) => (isTensor(i) ? transposedOf(view, input) : undefined))
  if (node.inputs.some((_, i) => isTensor(i) && String(operands[i]?.perm) !== String(from.perm))) return undefined
  const given = node.attributes.axis as number
  const axis = from.perm[given < 0 ? given + from.perm.length : given]
  const inputs = node.inputs.map((input, i) => operands[i]?.x ?? input)
  const inner = { ...node, inputs, attributes: { ...node.attributes, axis } }
  return permutedBehind(view, { nodes: [inner] }, node.outputs[0], from.perm)
}

/** Channels last instead. */
const pool: Row = (node, view, { x, perm }) => {
  const last = perm.length - 1
  const isImage = perm.every((axis, i) => axis === (i === 0 ? 0 : i === 1 ? last : i - 1))
  if (!isImage || node.attributes.channels_last === 1) return undefined
  const inner = { ...node, inputs: [x, ...node.inputs.slice(1)], attributes: { ...node.attributes, channels_last: 1 } }
  return permutedBehind(view, { nodes: [inner] }, node.outputs[0], perm)
}

/** By operator. */
export const quantizedRows: Readonly<Record<string, Row>> = {
  DequantizeLinear: unary,
  QuantizeLinear: unary,
  'com.microsoft.QLinearAdd': binary,
  'com.microsoft.QLinearAveragePool': pool,
  'com.microsoft.QLinearConcat': concat,
  'com.microsoft.QLinearGlobalAveragePool': pool,
  'com.microsoft.QLinearLeakyRelu': unary,
  'com.microsoft.QLinearMul': binary,
  'com.microsoft.QLinearSigmoid': unary,
}
