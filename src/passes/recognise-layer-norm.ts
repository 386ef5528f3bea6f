// SPDX-License-Identifier: Apache-2.0
/**
 * Finds layer normalisation spelled out - d = x - mean(x), d / sqrt(mean(d * d) + epsilon) over the last axes - and
 * writes LayerNormalization with a scale of ones; then draws a constant scale and bias behind it in, which is where
 * gamma and beta come from. https://onnx.ai/onnx/operators/onnx__LayerNormalization.html. The same without the mean -
 * x / sqrt(mean(x * x) + epsilon) - is RMSNormalization.
 */
import type { Node } from '../ir/graph.ts'
import { areKnown } from '../ir/dim.ts'
import type { Patch } from '../ir/patch.ts'
import type { Rule, View } from '../ir/rewrite.ts'
import { sizeOf } from '../tensor/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import { axesOf, numbersOf, scalarOf, splitOperands } from './operands.ts'
import { rulesPass } from './pass.ts'
import { factorsOf, isReadOnlyBy, sumWithConstant } from './products.ts'

/** First axis of a ReduceMean over the last axes that keeps them; undefined for any other. */
function lastAxes(view: View, mean: Node | undefined): number | undefined {
  const rank = view.dims(mean?.inputs[0])?.length
  if (mean?.op !== 'ReduceMean' || rank === undefined || view.attributes(mean).keepdims === 0) return undefined
  const axes = axesOf(view, mean, rank)
  return axes && axes.length > 0 && axes.every((axis, i) => axis === rank - axes.length + i) ? axes[0] : undefined
}

/** The value that the node divides 1 by. */
function inverseOf(view: View, node: Node | undefined): string | undefined {
  if (node?.op === 'Reciprocal') return node.inputs[0]
  return node?.op === 'Div' && scalarOf(view, node.inputs[0]) === 1 ? node.inputs[1] : undefined
}

/** The node and value that divide in d / root, d * (1 / root) and d * (sum ^ -0.5): [d, the sum under the root, nodes between]. */
function quotient(view: View, node: Node): readonly [string, string, readonly Node[]] | undefined {
  const candidates =
    node.op === 'Mul'
      ? [
          [node.inputs[0], node.inputs[1]],
          [node.inputs[1], node.inputs[0]],
        ]
      : [[node.inputs[0], node.inputs[1]]]
  for (const [d, factor] of candidates) {
    const maker = view.producer(factor)
    const inverted = node.op === 'Mul' ? inverseOf(view, maker) : undefined
    const root = node.op === 'Div' ? maker : view.producer(inverted)
    const between = [maker, root].flatMap((n) => n ?? [])
    if (root?.op === 'Sqrt') return [d, root.inputs[0], between]
    if (node.op === 'Mul' && maker?.op === 'Pow' && scalarOf(view, maker.inputs[1]) === -0.5)
      return [d, maker.inputs[0], between]
  }
  return undefined
}

const normalization: Rule = {
  name: 'layer-norm',
  ops: ['Div', 'Mul'],
  match(node, view) {
    const [d, under, between] = quotient(view, node) ?? []
    const sum = view.producer(under, 'Add')
    const [variance, epsilon] = sumWithConstant(view, sum) ?? []
    const meanOfSquares = view.producer(variance, 'ReduceMean')
    const difference = view.producer(d, 'Sub')
    const mean = view.producer(difference?.inputs[1], 'ReduceMean')
    const axis = lastAxes(view, mean)
    if (
      !d ||
      !variance ||
      !under ||
      epsilon === undefined ||
      !meanOfSquares ||
      !difference ||
      !mean ||
      axis === undefined
    )
      return undefined
    const squares = factorsOf(view, meanOfSquares.inputs[0])
    const x = difference.inputs[0]
    if (lastAxes(view, meanOfSquares) !== axis || mean.inputs[0] !== x || view.dtype(x) !== 'float32') return undefined
    if (squares.constant !== 1 || squares.values.length !== 2 || !squares.values.every((value) => value === d))
      return undefined
    const inside = [node, ...between!, ...squares.nodes, sum, meanOfSquares, difference]
    const values = [d, under, variance, meanOfSquares.inputs[0], mean.outputs[0], ...between!.map((n) => n.outputs[0])]
    const dims = view.dims(x)!.slice(axis)
    if (!areKnown(dims) || !values.every((value) => isReadOnlyBy(view, value, inside))) return undefined
    const scale = view.fresh(`${node.name}/scale`)
    return {
      constants: { [scale]: new Tensor('float32', new Float32Array(sizeOf(dims)).fill(1), dims) },
      nodes: [
        {
          name: node.name,
          op: 'LayerNormalization',
          inputs: [x, scale],
          outputs: node.outputs,
          attributes: { axis, epsilon },
        },
      ],
    }
  },
}

const rootMeanSquare: Rule = {
  name: 'rms-norm',
  ops: ['Div', 'Mul'],
  match(node, view) {
    const [x, under, between] = quotient(view, node) ?? []
    const sum = view.producer(under, 'Add')
    const [mean, epsilon] = sumWithConstant(view, sum) ?? []
    const meanOfSquares = view.producer(mean, 'ReduceMean')
    const axis = lastAxes(view, meanOfSquares)
    if (!x || !under || !mean || epsilon === undefined || !meanOfSquares || axis === undefined) return undefined
    const squares = factorsOf(view, meanOfSquares.inputs[0])
    if (view.dtype(x) !== 'float32' || squares.constant !== 1) return undefined
    if (squares.values.length !== 2 || !squares.values.every((value) => value === x)) return undefined
    const inside = [node, ...between!, ...squares.nodes, sum, meanOfSquares]
    const values = [under, mean, meanOfSquares.inputs[0], ...between!.map((n) => n.outputs[0])]
    const dims = view.dims(x)!.slice(axis)
    if (!areKnown(dims) || !values.every((value) => isReadOnlyBy(view, value, inside))) return undefined
    const scale = view.fresh(`${node.name}/scale`)
    const norm = { ...node, op: 'RMSNormalization', inputs: [x, scale], attributes: { axis, epsilon } }
    return {
      constants: { [scale]: new Tensor('float32', new Float32Array(sizeOf(dims)).fill(1), dims) },
      nodes: [norm],
    }
  },
}

/** A constant factor of the normalised axes becomes the scale, a summand LayerNormalization's bias. */
const scaleAndBias: Rule = {
  name: 'layer-norm-affine',
  ops: ['Mul', 'Add'],
  match(node, view) {
    const [value, constant] = splitOperands(view, node) ?? []
    const norm = view.producer(value, 'LayerNormalization') ?? view.producer(value, 'RMSNormalization')
    if (node.op === 'Add' && norm?.op === 'RMSNormalization') return undefined
    if (value === undefined || constant === undefined || norm === undefined || !view.isPrivate(value)) return undefined
    if (norm.outputs.slice(1).some((output) => output !== '')) return undefined
    const scale = view.tensor(norm.inputs[1])
    const factors = numbersOf(view, constant)
    const own = view.tensor(constant)!.dims
    if (scale?.type !== 'float32' || view.dtype(constant) !== 'float32' || factors === undefined) return undefined
    const lead = own.length - scale.dims.length
    if (own.slice(0, Math.max(0, lead)).some((dim) => dim !== 1) || own.length > (view.dims(value)?.length ?? 0))
      return undefined
    const fits = factors.length === 1 || (lead >= 0 && scale.dims.every((dim, i) => dim === own[lead + i]))
    return fits ? absorbed(node, norm, view, (i) => factors[factors.length === 1 ? 0 : i]) : undefined
  },
}

function absorbed(node: Node, norm: Node, view: View, factor: (i: number) => number): Patch | undefined {
  const [x, scaleName, biasName = ''] = norm.inputs
  const scale = view.tensor(scaleName)!
  const bias = biasName === '' ? undefined : numbersOf(view, biasName)
  if (biasName !== '' && bias === undefined) return undefined
  const inputs = [x, scaleName, biasName]
  const constants: Record<string, Tensor> = {}
  const add = (name: string, position: number, value: (i: number) => number): void => {
    inputs[position] = view.fresh(`${norm.name}/${name}`)
    constants[inputs[position]] = new Tensor(
      'float32',
      Float32Array.from({ length: scale.size }, (_, i) => value(i)),
      scale.dims,
    )
  }
  const numbers = scale.data as Float32Array
  if (node.op === 'Mul') add('scale', 1, (i) => numbers[i] * factor(i))
  if (node.op === 'Add' || bias !== undefined) {
    add('bias', 2, (i) => (node.op === 'Mul' ? bias![i] * factor(i) : (bias?.[i] ?? 0) + factor(i)))
  }
  if (inputs[2] === '') inputs.pop()
  return { constants, nodes: [{ ...norm, inputs, outputs: [node.outputs[0]] }] }
}

/** See the head of this file. */
export const recogniseLayerNorm = rulesPass('recognise-layer-norm', [normalization, rootMeanSquare, scaleAndBias], {
  writes: ['LayerNormalization', 'RMSNormalization'],
})
