// SPDX-License-Identifier: Apache-2.0
/**
 * Rewrites a graph so that its convolutions and matrix products hold int8 weights. The graph must have been through
 * the passes: only operators of the whittle domain are looked at, since there the weight is input 1, a constant, with
 * output channels first. A weight used by several nodes is quantised once.
 */
import type { Constant, Graph, Node } from '../ir/graph.ts'
import { sizeOf } from '../tensor/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import { type WeightShape, dequantizeWeights, quantizeWeights, signalToNoise } from './quantize-weights.ts'
import type { FullRecipe } from './recipe.ts'

/** What became of one layer's weight. */
export interface LayerReport {
  readonly node: string
  readonly op: string
  readonly weight: string
  readonly dims: readonly number[]
  readonly from: string
  readonly to: string
  readonly bytesBefore: number
  readonly bytesAfter: number
  /** Signal-to-noise ratio of the stored weight in decibels; null where it is unchanged. */
  readonly weightSnr: number | null
  /** Why the weight stayed as it was, where it did. */
  readonly kept?: string
}

/** Operators with a quantised form: from, to. */
const quantizedForms: Readonly<Record<string, string>> = {
  'whittle.Conv': 'whittle.DynamicQuantizeConv',
  'whittle.Gemm': 'whittle.DynamicQuantizeGemm',
}

interface Stored {
  readonly codes: string
  readonly scales: string
  readonly bytes: number
  readonly snr: number
}

/** The graph with its weights in `recipe.weights`, and a line per layer. */
export function quantizeGraph(graph: Graph, recipe: FullRecipe): { graph: Graph; layers: LayerReport[] } {
  const constants = new Map<string, Constant>(graph.constants)
  const stored = new Map<string, Stored>()
  const layers: LayerReport[] = []
  const nodes = graph.nodes.map((node) => {
    const op = quantizedForms[node.op]
    const weight = op === undefined ? undefined : graph.constants.get(node.inputs[1])
    if (op === undefined || weight?.tensor === undefined) return node
    const line = layerLine(node, weight)
    const kept = reasonToKeep(node, weight, recipe)
    if (kept !== undefined) {
      layers.push({ ...line, kept })
      return node
    }
    const name = node.inputs[1]
    const form = stored.get(name) ?? store(name, weight.tensor, constants)
    stored.set(name, form)
    layers.push({ ...line, to: 'int8', bytesAfter: form.bytes, weightSnr: form.snr })
    const [x, , ...rest] = node.inputs
    return { ...node, op, inputs: [x, form.codes, form.scales, ...rest] }
  })
  return { graph: { ...graph, nodes, constants: onlyUsed(constants, nodes, graph) }, layers }
}

function layerLine(node: Node, weight: Constant): LayerReport {
  const bytes = weight.dims.reduce((a, b) => a * b, 4)
  const { dims, dtype } = weight
  return {
    node: node.name,
    op: node.op,
    weight: node.inputs[1],
    dims,
    from: dtype,
    to: dtype,
    bytesBefore: bytes,
    bytesAfter: bytes,
    weightSnr: null,
  }
}

function reasonToKeep(node: Node, weight: Constant, recipe: FullRecipe): string | undefined {
  if (recipe.weights === 'float32') return 'the recipe keeps float32'
  if (weight.dtype !== 'float32') return `the weight is ${weight.dtype}`
  if (weight.dims.reduce((a, b) => a * b, 1) < recipe.minElements) return 'fewer elements than minElements'
  if (recipe.exclude.includes(node.name) || recipe.exclude.includes(node.inputs[1])) return 'excluded by the recipe'
  return undefined
}

function store(name: string, tensor: Tensor, constants: Map<string, Constant>): Stored {
  const weights = tensor.data as Float32Array
  const quantized = quantizeWeights(weights, shapeOf(tensor.dims))
  const codes = `${name}/int8`
  const scales = `${name}/scale`
  add(constants, codes, new Tensor('int8', quantized.codes, tensor.dims))
  add(constants, scales, new Tensor('float32', quantized.scales, [tensor.dims[0]]))
  const snr = signalToNoise(weights, dequantizeWeights(quantized))
  return { codes, scales, bytes: quantized.codes.byteLength + quantized.scales.byteLength, snr }
}

/** `[Cout, kh, kw, Cin / group]` of convolutions, `[N, K]` of matrix products. */
function shapeOf(dims: readonly number[]): WeightShape {
  const inputs = dims[dims.length - 1]
  return { channels: dims[0], inputs, taps: sizeOf(dims.slice(1, -1)) }
}

function add(constants: Map<string, Constant>, name: string, tensor: Tensor): void {
  constants.set(name, { dtype: tensor.type, dims: tensor.dims, tensor })
}

function onlyUsed(constants: Map<string, Constant>, nodes: readonly Node[], graph: Graph): Map<string, Constant> {
  const replaced = new Set<string>()
  const used = new Set<string>(graph.outputs.map((output) => output.name))
  for (const node of nodes) for (const input of node.inputs) used.add(input)
  for (const node of graph.nodes)
    if (node.op in quantizedForms && !used.has(node.inputs[1])) replaced.add(node.inputs[1])
  return new Map([...constants].filter(([name]) => !replaced.has(name)))
}
