// SPDX-License-Identifier: Apache-2.0
/**
 * Draws what follows a whittle.Conv, a whittle.Gemm or a product with quantised weights into its epilogue: y = act(x +
 * bias + residual) * post_scale + post_shift. Each rule takes one node, so a chain is drawn in link by link, in the
 * epilogue's order: nothing is added inside once an activation is there. Only values that nothing else reads are drawn
 * in. What stands behind a whittle.DepthToSpace is drawn in front of it first.
 */
import type { Attributes, Node } from '../ir/graph.ts'
import type { Patch } from '../ir/patch.ts'
import type { Rule, View } from '../ir/rewrite.ts'
import { Tensor } from '../tensor/tensor.ts'
import { affineOf } from './affine.ts'
import { clipBounds, numbersOf, sameDims, scalarOf } from './operands.ts'
import { rulesPass } from './pass.ts'

/** Operators with an epilogue, and which of their inputs the bias is; the residual is the next one. */
const biasAt: Readonly<Record<string, number>> = {
  'whittle.Conv': 2,
  'whittle.DynamicQuantizeGemm': 3,
  'whittle.Gemm': 2,
  'whittle.IntegerGemm': 5,
  'whittle.WeightOnlyGemm': 3,
}
const targets = Object.keys(biasAt)

interface Stage {
  readonly node: Node
  readonly activation: string
  readonly scale: number
  readonly shift: number
  readonly hasResidual: boolean
}

/** The operator whose epilogue can take the reader of `value` in. */
function stageOf(view: View, value: string | undefined): Stage | undefined {
  const node = view.producer(value, ...targets)
  if (node === undefined || !view.isPrivate(value!) || view.dtype(value!) !== 'float32') return undefined
  const { activation = 'None', post_scale: scale = 1, post_shift: shift = 0 } = node.attributes
  return {
    node,
    activation: activation as string,
    scale: scale as number,
    shift: shift as number,
    hasResidual: inputOf(node, 1) !== '',
  }
}

/** Name of the bias, or of an input behind it; '' where it is left out. */
function inputOf(node: Node, behindBias: number): string {
  return node.inputs[biasAt[node.op] + behindBias] ?? ''
}

/** The inputs of the node with another one there. */
function withInput({ op, inputs }: Node, behindBias: number, name: string): string[] {
  const all = [...inputs]
  const at = biasAt[op] + behindBias
  while (all.length < at) all.push('')
  all[at] = name
  return all
}

function isBare({ activation, scale, shift }: Stage): boolean {
  return activation === 'None' && scale === 1 && shift === 0
}

function extended({ node }: Stage, by: Node, attributes: Attributes, inputs = node.inputs): Patch {
  return { nodes: [{ ...node, inputs, outputs: [by.outputs[0]], attributes: { ...node.attributes, ...attributes } }] }
}

/** Largest finite float32: how the epilogue's Clip says "no bound". */
const largest = 3.4028234663852886e38

const parameters = (activation: string, alpha?: number, beta?: number): Attributes => ({
  activation,
  ...(alpha === undefined ? {} : { alpha }),
  ...(beta === undefined ? {} : { beta }),
})

/** The epilogue's words for an activation node; undefined where it has none. */
const activationRows: Readonly<Record<string, (node: Node, view: View) => Attributes | undefined>> = {
  Relu: () => parameters('Relu'),
  Sigmoid: () => parameters('Sigmoid'),
  Tanh: () => parameters('Tanh'),
  HardSwish: () => parameters('HardSwish'),
  'whittle.Silu': () => parameters('Silu'),
  Swish: (node, view) => ((view.attributes(node).alpha ?? 1) === 1 ? parameters('Silu') : undefined),
  Gelu: (node, view) => parameters(view.attributes(node).approximate === 'tanh' ? 'GeluTanh' : 'Gelu'),
  LeakyRelu: (node, view) => parameters('LeakyRelu', (view.attributes(node).alpha as number | undefined) ?? 0.01),
  HardSigmoid(node, view) {
    const { alpha = 0.2, beta = 0.5 } = view.attributes(node)
    return parameters('HardSigmoid', alpha as number, beta as number)
  },
  PRelu(node, view) {
    const slope = scalarOf(view, node.inputs[1])
    return slope === undefined ? undefined : parameters('LeakyRelu', slope)
  },
  Clip(node, view) {
    const bounds = clipBounds(view, node)
    return bounds && parameters('Clip', Math.max(bounds[0], -largest), Math.min(bounds[1], largest))
  },
}

const activation: Rule = {
  name: 'activation',
  ops: Object.keys(activationRows),
  match(node, view) {
    const stage = stageOf(view, node.inputs[0])
    if (stage === undefined || !isBare(stage) || !sameDims(view.dims(node.inputs[0]), view.dims(node.outputs[0])))
      return undefined
    const attributes = activationRows[node.op](node, view)
    return attributes && extended(stage, node, attributes)
  },
}

const scaleAndShift: Rule = {
  name: 'scale-and-shift',
  ops: ['Mul', 'Add', 'Sub', 'Div', 'Neg'],
  match(node, view) {
    const affine = affineOf(view, node)
    const stage = stageOf(view, affine?.x)
    if (affine === undefined || stage === undefined) return undefined
    const { scale, shift, axis } = affine
    if (axis === null && !(isBare(stage) && scale[0] === 1)) {
      const [post_scale, post_shift] = [stage.scale * scale[0], stage.shift * scale[0] + shift[0]]
      return extended(stage, node, { post_scale: Math.fround(post_scale), post_shift: Math.fround(post_shift) })
    }
    const rank = view.dims(affine.x)!.length
    const plain = scale.every((factor) => factor === 1)
    return plain && isBare(stage) && (axis === null || axis === rank - 1) ? biased(stage, node, view, shift) : undefined
  },
}

function biased(stage: Stage, node: Node, view: View, shift: readonly number[]): Patch | undefined {
  const channels = view.dims(stage.node.inputs[1])?.[0]
  const old = inputOf(stage.node, 0)
  const numbers = old === '' ? [] : numbersOf(view, old)
  if (numbers === undefined || typeof channels !== 'number') return undefined
  const bias = Float32Array.from({ length: channels }, (_, i) => (numbers[i] ?? 0) + shift[shift.length === 1 ? 0 : i])
  const name = view.fresh(`${stage.node.name}/bias`)
  const patch = extended(stage, node, {}, withInput(stage.node, 0, name))
  return { ...patch, constants: { [name]: new Tensor('float32', bias, [channels]) } }
}

const residual: Rule = {
  name: 'residual',
  ops: ['Add'],
  match(node, view) {
    const [a, b] = node.inputs
    if (a === b || view.tensor(a) !== undefined || view.tensor(b) !== undefined) return undefined
    for (const [value, other] of [
      [b, a],
      [a, b],
    ]) {
      const stage = stageOf(view, value)
      if (stage === undefined || !isBare(stage)) continue
      if (!sameDims(view.dims(value), view.dims(other)) || view.dtype(other) !== 'float32') continue
      if (!stage.hasResidual) return extended(stage, node, {}, withInput(stage.node, 1, other))
      // a layer that is the residual may have one of its own
      const inner = stageOf(view, inputOf(stage.node, 1))
      if (inner === undefined || !isBare(inner) || inner.hasResidual) continue
      const summed = { ...inner.node, inputs: withInput(inner.node, 1, other) }
      return { nodes: [summed, { ...stage.node, outputs: node.outputs }] }
    }
    return undefined
  },
}

/** What is done to each element alike is done before pixels are put side by side, where a convolution can take it in. */
const beforeSpace: Rule = {
  name: 'before-space',
  ops: [...Object.keys(activationRows), 'Mul', 'Add', 'Sub', 'Div', 'Neg'],
  match(node, view) {
    const affine = affineOf(view, node)
    const x = affine?.x ?? node.inputs[0]
    const space = view.isPrivate(x) ? view.producer(x, 'whittle.DepthToSpace') : undefined
    if (space === undefined || !sameDims(view.dims(x), view.dims(node.outputs[0]))) return undefined
    const stages = space.inputs.map((input) => stageOf(view, input))
    if (!stages.every((stage) => stage !== undefined && (affine !== undefined || isBare(stage)))) return undefined
    const alike = affine === undefined ? activationRows[node.op]?.(node, view) !== undefined : affine.axis === null
    if (!alike) return undefined
    const inside = space.inputs.map((input): Node => {
      const name = view.fresh(`${node.name}/places`)
      return { ...node, name, inputs: node.inputs.map((own) => (own === x ? input : own)), outputs: [name] }
    })
    const inputs = inside.map(({ outputs }) => outputs[0])
    return { nodes: [...inside, { ...space, inputs, outputs: node.outputs }] }
  },
}

/** See the head of this file. */
export const fuseEpilogue = rulesPass('fuse-epilogue', [activation, scaleAndShift, residual, beforeSpace], {
  needs: [
    'lower-matmul',
    'lower-matmul-nbits',
    'lower-integer-product',
    'channels-last',
    'lower-conv-transpose',
    'sink-transposes',
  ],
})
