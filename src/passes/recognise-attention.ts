// SPDX-License-Identifier: Apache-2.0
/**
 * Finds attention as exporters spell it, softmax(scale * q k^T + mask) v, and writes whittle.Attention; then Transposes
 * in front of q, k and v and behind the result go into its layouts, so that heads are read where the projections left
 * them. The scale may stand before the product on q or k (PyTorch: half of it on each) or behind it (tf2onnx, optimum),
 * as Mul or Div. What is added or filled in before the softmax is the mask (attention-mask). NaN weights may become
 * zeros (PyTorch's SDPA): the result's do then. Products of rank 3 (old PyTorch) are one image of many heads.
 */
import type { Node } from '../ir/graph.ts'
import type { Patch } from '../ir/patch.ts'
import type { Rule, View } from '../ir/rewrite.ts'
import { Tensor } from '../tensor/tensor.ts'
import { scalarOperand } from './affine.ts'
import { keepsRows, maskOf, scoresOf, withoutScale } from './attention-mask.ts'
import { numbersOf, sameDims } from './operands.ts'
import { rulesPass } from './pass.ts'
import { isReadOnlyBy } from './products.ts'
import { transposedOf } from './transposed.ts'

/** The softmax whose weights a value is, where nothing else reads them; `zero` stands for those that are NaN. */
function softmaxOf(view: View, value: string): { softmax: Node; zero?: string } | undefined {
  if (!view.isPrivate(value)) return undefined
  const bare = view.producer(value, 'Softmax')
  if (bare !== undefined) return { softmax: bare }
  const clear = cleared(view, value, 'Softmax')
  return clear && { softmax: clear.node, zero: clear.zero }
}

/** x with 0 for NaN, where a node of `op` makes x and nothing else reads it: Where(IsNaN(x), 0, x) or Where(x == x, x, 0). */
function cleared(view: View, value: string, op: string): { node: Node; zero: string } | undefined {
  const where = view.producer(value, 'Where')
  const test = view.producer(where?.inputs[0], 'IsNaN', 'Equal')
  if (!where || !test || !view.isPrivate(where.inputs[0])) return undefined
  const [x, zero] = test.op === 'IsNaN' ? [where.inputs[2], where.inputs[1]] : where.inputs.slice(1)
  const node = view.producer(x, op)
  if (!node || !test.inputs.every((input) => input === x) || !isReadOnlyBy(view, x, [where, test])) return undefined
  return scalarOperand(view, x, zero) === 0 ? { node, zero } : undefined
}

const whole: Rule = {
  name: 'attention',
  ops: ['MatMul'],
  match(node, view) {
    const [weights, v] = node.inputs
    const { softmax, zero } = softmaxOf(view, weights) ?? {}
    const rank = view.dims(weights)?.length
    if (!softmax || view.dtype(v) !== 'float32' || rank === undefined || rank < 2 || rank > 4) return undefined
    const { axis } = view.attributes(softmax)
    if (axis !== -1 && axis !== rank - 1) return undefined
    const scores = scoresOf(view, softmax.inputs[0])
    const mask = scores && maskOf(view, node.name, scores)
    if (mask === undefined) return undefined
    const { product } = scores!
    if (!keepsRows(view, product.outputs[0], weights)) return undefined
    const [q, k] = product.inputs.map((value) => withoutScale(view, value))
    // constant matrices are weights of layers
    if (rank === 2 && [k.value, v].some((value) => view.tensor(value) !== undefined)) return undefined
    const fronts = [q.value, k.value, v].map((value) => view.dims(value)?.slice(0, -2))
    if (view.dims(v)?.length !== rank || !fronts.every((front) => sameDims(front, fronts[0]))) return undefined
    const scale = Math.fround(scores!.scale * q.scale * k.scale)
    const [y] = node.outputs
    const result = zero === undefined ? y : view.fresh(`${y}/attention`)
    const attention: Node = {
      name: node.name,
      op: 'whittle.Attention',
      inputs: [q.value, k.value, v, ...(mask.value === undefined ? [] : [mask.value])],
      outputs: [result],
      attributes: { scale, k_layout: 'bhds' },
    }
    const own = rank === 4 ? { nodes: [attention] } : ofOneImage(view, attention, rank)
    const behind = zero === undefined ? [] : withoutNaNs(view, zero, result, y)
    return {
      nodes: [...mask.nodes, ...own.nodes, ...behind],
      constants: { ...mask.constants, ...own.constants },
    }
  },
}

/** A row of weights is NaN throughout or not at all, and so is the row of the result. */
function withoutNaNs(view: View, zero: string, x: string, y: string): Node[] {
  const [equal, where] = ['Equal', 'Max', 'Where'].map((op) => view.fresh(`${y}/${op}`))
  return [
    { name: equal, op: 'Equal', inputs: [x, x], outputs: [equal], attributes: {} },
    { name: where, op: 'Where', inputs: [equal, x, zero], outputs: [y], attributes: {} },
  ]
}

/** Axes in front that operands of this rank lack. */
const missing = (rank: number): readonly number[] => Array.from({ length: 4 - rank }, (_, axis) => axis)

/** A permutation behind axes in front of its own. */
const behind = (axes: readonly number[], perm: readonly number[]): readonly number[] => [
  ...axes,
  ...perm.map((axis) => axis + axes.length),
]

/** Operands of rank 3 as heads of one image, of rank 2 as one head. A mask broadcasts as before. */
function ofOneImage(view: View, attention: Node, rank: number): Patch & { readonly nodes: readonly Node[] } {
  const front = missing(rank)
  const axes = view.fresh(`${attention.name}/axes`)
  const nodes: Node[] = []
  const add = (op: string, value: string, more: readonly string[], attributes: Node['attributes']): string => {
    const name = view.fresh(`${value}/image`)
    nodes.push({ name, op, inputs: [value, ...more], outputs: [name], attributes })
    return name
  }
  const inputs = attention.inputs.map((value, i) => {
    if (i === 3) return value
    const from = transposedOf(view, value)
    const image = add('Unsqueeze', from?.x ?? value, [axes], {})
    return from === undefined ? image : add('Transpose', image, [], { perm: behind(front, from.perm) })
  })
  const y = view.fresh(`${attention.outputs[0]}/image`)
  const squeeze = view.fresh(`${attention.name}/squeeze`)
  nodes.push({ ...attention, inputs, outputs: [y] })
  nodes.push({ name: squeeze, op: 'Squeeze', inputs: [y, axes], outputs: attention.outputs, attributes: {} })
  return { nodes, constants: { [axes]: new Tensor('int64', front, [front.length]) } }
}

/** A Transpose of what was one image: of the image. */
const transposedImage: Rule = {
  name: 'transposed-image',
  ops: ['Transpose'],
  match(node, view) {
    const squeeze = view.isPrivate(node.inputs[0]) ? view.producer(node.inputs[0], 'Squeeze') : undefined
    const from = transposedOf(view, node.outputs[0])
    const [x, axes] = squeeze?.inputs ?? []
    if (!squeeze || !from || !view.producer(x, 'whittle.Attention') || !view.isPrivate(x)) return undefined
    const front = missing(from.perm.length)
    if (String(numbersOf(view, axes)) !== String(front)) return undefined
    const turned = view.fresh(`${x}/turned`)
    return {
      nodes: [
        { ...node, inputs: [x], outputs: [turned], attributes: { perm: behind(front, from.perm) } },
        { ...squeeze, inputs: [turned, axes], outputs: node.outputs },
      ],
    }
  },
}

const names = ['q_layout', 'k_layout', 'v_layout'] as const

const standard = 'bhsd'

/** A Transpose of q, k or v: the operand is read through it. */
const transposedOperand: Rule = {
  name: 'attention-of-transposed',
  ops: ['whittle.Attention'],
  match(node, view) {
    for (const [i, name] of names.entries()) {
      const from = transposedOf(view, node.inputs[i])
      if (from === undefined) continue
      const layout = (node.attributes[name] as string | undefined) ?? standard
      const before: string[] = []
      from.perm.forEach((axis, place) => (before[axis] = layout[place]))
      if (i === 0 && before[3] !== 'd') continue
      const inputs = node.inputs.map((input, k) => (k === i ? from.x : input))
      return { nodes: [{ ...node, inputs, attributes: { ...node.attributes, [name]: before.join('') } }] }
    }
    return undefined
  },
}

/** A factor of q or k that stood behind a Transpose. */
const scaledOperand: Rule = {
  name: 'attention-of-scaled',
  ops: ['whittle.Attention'],
  match(node, view) {
    for (const i of [0, 1]) {
      const { value, scale } = withoutScale(view, node.inputs[i])
      if (scale === 1) continue
      const inputs = node.inputs.map((input, k) => (k === i ? value : input))
      const all = Math.fround((view.attributes(node).scale as number) * scale)
      return { nodes: [{ ...node, inputs, attributes: { ...node.attributes, scale: all } }] }
    }
    return undefined
  },
}

/** A Transpose of the result: it is written so. */
const transposedResult: Rule = {
  name: 'transposed-attention',
  ops: ['Transpose'],
  match(node, view) {
    const [value] = node.inputs
    const clear = cleared(view, value, 'whittle.Attention')
    const attention = clear?.node ?? view.producer(value, 'whittle.Attention')
    const from = transposedOf(view, node.outputs[0])
    if (attention === undefined || from === undefined || !view.isPrivate(value)) return undefined
    const layout = (attention.attributes.y_layout as string | undefined) ?? standard
    const after = from.perm.map((axis) => layout[axis]).join('')
    if (!after.endsWith('d')) return undefined
    const attributes = { ...attention.attributes, y_layout: after }
    const [y] = node.outputs
    if (clear === undefined) return { nodes: [{ ...attention, outputs: [y], attributes }] }
    const result = view.fresh(attention.outputs[0])
    return { nodes: [{ ...attention, outputs: [result], attributes }, ...withoutNaNs(view, clear.zero, result, y)] }
  },
}

/** See the head of this file. */
export const recogniseAttention = rulesPass(
  'recognise-attention',
  [whole, transposedOperand, scaledOperand, transposedResult, transposedImage],
  {
    writes: ['whittle.Attention', 'Transpose', 'Unsqueeze', 'Squeeze', 'Add', 'Mul', 'Equal', 'Max', 'Where'],
  },
)
