// SPDX-License-Identifier: Apache-2.0
/**
 * Finds attention as exporters spell it, softmax(scale * q k^T + mask) v, and writes whittle.Attention; then Transposes
 * in front of q, k and v and behind the result go into its layouts, so that heads are read where the projections left
 * them. The scale may stand before the product on q or k (PyTorch: half of it on each) or behind it (tf2onnx, optimum),
 * as Mul or Div; what is added before the softmax is the mask. Old PyTorch's products of rank 3 are one image of many heads.
 */
import type { Node } from '../ir/graph.ts'
import type { Patch } from '../ir/patch.ts'
import type { Rule, View } from '../ir/rewrite.ts'
import { Tensor } from '../tensor/tensor.ts'
import { scalarOperand } from './affine.ts'
import { sameDims, splitOperands } from './operands.ts'
import { rulesPass } from './pass.ts'
import { transposedOf } from './transposed.ts'

/** A value and what it is multiplied by. */
interface Scaled {
  readonly value: string
  readonly scale: number
}

/** `value` without the constant factors around it, as long as nothing else reads the products. */
function withoutScale(view: View, value: string): Scaled {
  const node = view.isPrivate(value) ? view.producer(value, 'Mul', 'Div') : undefined
  const [x, constant, position] = (node && splitOperands(view, node)) ?? []
  if (node === undefined || x === undefined || constant === undefined) return { value, scale: 1 }
  const number = scalarOperand(view, x, constant)
  if (number === undefined || number === 0 || !Number.isFinite(number)) return { value, scale: 1 }
  if (node.op === 'Div' && position === 1) return { value, scale: 1 }
  const inner = withoutScale(view, x)
  return { value: inner.value, scale: inner.scale * (node.op === 'Mul' ? number : 1 / number) }
}

/** A product whose result, times a number, is a value. */
interface Product extends Scaled {
  readonly node: Node
}

function productOf(view: View, value: string): Product | undefined {
  const scaled = withoutScale(view, value)
  const node = view.isPrivate(scaled.value) ? view.producer(scaled.value, 'MatMul') : undefined
  return node && { ...scaled, node }
}

/** The product under the softmax's operand, and the mask added to it. */
function maskedProduct(view: View, value: string): { product: Product; mask?: string } | undefined {
  const bare = productOf(view, value)
  if (bare !== undefined) return { product: bare }
  const added = view.isPrivate(value) ? view.producer(value, 'Add') : undefined
  for (const [score, mask] of added ? [added.inputs, [...added.inputs].reverse()] : []) {
    const product = productOf(view, score)
    // a mask that stretches the scores is none; more keys than there are would fit no values
    const [own, sum] = [score, value].map((name) => view.dims(name)?.slice(0, -1))
    if (product && sameDims(own, sum)) return { product, mask }
  }
  return undefined
}

const whole: Rule = {
  name: 'attention',
  ops: ['MatMul'],
  match(node, view) {
    const [weights, v] = node.inputs
    const softmax = view.isPrivate(weights) ? view.producer(weights, 'Softmax') : undefined
    const rank = view.dims(weights)?.length
    if (softmax === undefined || view.dtype(v) !== 'float32' || (rank !== 3 && rank !== 4)) return undefined
    const { axis } = view.attributes(softmax)
    if (axis !== -1 && axis !== rank - 1) return undefined
    const found = maskedProduct(view, softmax.inputs[0])
    if (found === undefined || (found.mask !== undefined && view.dtype(found.mask) !== 'float32')) return undefined
    const { product, mask } = found
    const [q, k] = product.node.inputs.map((value) => withoutScale(view, value))
    const fronts = [q.value, k.value, v].map((value) => view.dims(value)?.slice(0, -2))
    if (view.dims(v)?.length !== rank || !fronts.every((front) => sameDims(front, fronts[0]))) return undefined
    const scale = Math.fround(product.scale * q.scale * k.scale)
    const inputs = [q.value, k.value, v, ...(mask === undefined ? [] : [mask])]
    const attention: Node = {
      name: node.name,
      op: 'whittle.Attention',
      inputs,
      outputs: node.outputs,
      attributes: { scale, k_layout: 'bhds' },
    }
    return rank === 4 ? { nodes: [attention] } : ofOneImage(view, attention)
  },
}

/** Operands of rank 3 as heads of one image. A mask broadcasts as before. */
function ofOneImage(view: View, attention: Node): Patch {
  const axes = view.fresh(`${attention.name}/axes`)
  const nodes: Node[] = []
  const inputs = attention.inputs.map((value, i) => {
    if (i === 3) return value
    const name = view.fresh(`${value}/image`)
    nodes.push({ name, op: 'Unsqueeze', inputs: [value, axes], outputs: [name], attributes: {} })
    return name
  })
  const y = view.fresh(`${attention.outputs[0]}/image`)
  const squeeze = view.fresh(`${attention.name}/squeeze`)
  nodes.push({ ...attention, inputs, outputs: [y] })
  nodes.push({ name: squeeze, op: 'Squeeze', inputs: [y, axes], outputs: attention.outputs, attributes: {} })
  return { nodes, constants: { [axes]: new Tensor('int64', [0], [1]) } }
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

/** A Transpose of the result: it is written so. */
const transposedResult: Rule = {
  name: 'transposed-attention',
  ops: ['Transpose'],
  match(node, view) {
    const attention = view.isPrivate(node.inputs[0]) ? view.producer(node.inputs[0], 'whittle.Attention') : undefined
    const from = transposedOf(view, node.outputs[0])
    if (attention === undefined || from === undefined) return undefined
    const layout = (attention.attributes.y_layout as string | undefined) ?? standard
    const after = from.perm.map((axis) => layout[axis]).join('')
    if (!after.endsWith('d')) return undefined
    const attributes = { ...attention.attributes, y_layout: after }
    return { nodes: [{ ...attention, outputs: node.outputs, attributes }] }
  },
}

/** See the head of this file. */
export const recogniseAttention = rulesPass('recognise-attention', [whole, transposedOperand, transposedResult], {
  writes: ['whittle.Attention', 'Unsqueeze', 'Squeeze'],
})
