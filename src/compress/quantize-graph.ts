// SPDX-License-Identifier: Apache-2.0
/**
 * Rewrites a graph so that its convolutions and matrix products hold int8 or int4 weights. The graph must have been through
 * the passes: only operators of the whittle domain are looked at, since there the weight is input 1, a constant, with
 * output channels first. A weight used by several nodes is quantised once.
 */
import { GraphError } from '../base/errors.ts'
import type { Constant, Graph, Node } from '../ir/graph.ts'
import { readNames } from '../ir/topo.ts'
import { sizeOf } from '../tensor/shape.ts'
import { Tensor, bytesOf } from '../tensor/tensor.ts'
import type { ChannelMeans } from './calibrate.ts'
import { biasCorrection } from './correct-bias.ts'
import { type WeightShape, dequantizeWeights, packNibbles, quantizeWeights, signalToNoise } from './quantize-weights.ts'
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

/**
 * A layer with fewer weights per output channel than `depth` and fewer than `elements` in all is shallow: the first
 * convolutions of image models, mostly. Bytes multiply such short sums no faster than float32 does, a few kilobytes are
 * all there is to save, and every later layer inherits the error.
 */
const shallow = { depth: 64, elements: 4096 }

/** Operators with a quantised form: from, to. */
const quantizedForms: Readonly<Record<string, string>> = {
  'whittle.Conv': 'whittle.DynamicQuantizeConv',
  'whittle.Gemm': 'whittle.DynamicQuantizeGemm',
}

/** Below this, in decibels, 'auto' gives a matrix product a scale per block: its rows have outliers along K. */
const leastSnr = 40
/** Block of 'auto': the finest there are kernels for. */
const autoBlock = 32
/** The operator that can have a scale per block. */
const blockOp = 'whittle.Gemm'

interface Stored {
  /** For the report. */
  readonly to: string
  /** Weights along K that share a scale; undefined: a whole output channel. */
  readonly block?: number
  readonly codes: string
  readonly scales: string
  readonly bytes: number
  readonly snr: number
  /** What the codes stand for. */
  readonly after: Float32Array
}

/**
 * The graph with its weights in `recipe.weights`, and a line per layer.
 * @param means of the layers' inputs where calibration data told them: biases are corrected by them
 */
export function quantizeGraph(
  graph: Graph,
  recipe: FullRecipe,
  means?: ChannelMeans,
): { graph: Graph; layers: LayerReport[] } {
  const constants = new Map<string, Constant>(graph.constants)
  const stored = new Map<string, Stored>()
  const layers: LayerReport[] = []
  const nodes = graph.nodes.map((node) => {
    const weight = layerWeight(graph, node)
    if (weight === undefined) return node
    const line = layerLine(node, weight)
    const kept = reasonToKeep(node, weight, recipe)
    if (kept !== undefined) {
      layers.push({ ...line, kept })
      return node
    }
    const [x, name, bias = '', ...rest] = node.inputs
    const form = stored.get(name) ?? store(node, weight.tensor, recipe, constants)
    stored.set(name, form)
    layers.push({ ...line, to: form.to, bytesAfter: form.bytes, weightSnr: form.snr })
    const mean = means?.get(x)
    const corrected = mean === undefined ? bias : correctBias(node, weight.tensor, form.after, mean, constants)
    const attributes = form.block === undefined ? node.attributes : { ...node.attributes, block: form.block }
    return {
      ...node,
      op: quantizedForms[node.op],
      attributes,
      inputs: trimmed([x, form.codes, form.scales, corrected, ...rest]),
    }
  })
  return { graph: { ...graph, nodes, constants: withoutUnused(constants, nodes, graph) }, layers }
}

/** Values that the layers to be quantised read: what calibration has to measure. */
export function layerInputs(graph: Graph, recipe: FullRecipe): string[] {
  const layers = graph.nodes.filter((node) => {
    const weight = layerWeight(graph, node)
    return weight !== undefined && reasonToKeep(node, weight, recipe) === undefined
  })
  return layers.map(({ inputs: [x] }) => x)
}

type Weight = Constant & { readonly tensor: Tensor }

/** The constant weight of a node that has a quantised form. */
function layerWeight(graph: Graph, node: Node): Weight | undefined {
  const weight = Object.hasOwn(quantizedForms, node.op) ? graph.constants.get(node.inputs[1]) : undefined
  return weight?.tensor === undefined ? undefined : { ...weight, tensor: weight.tensor }
}

/** Name of the node's bias, corrected for the errors of its weights; as it was where the bias is no constant. */
function correctBias(
  node: Node,
  weight: Tensor,
  after: Float32Array,
  mean: Float64Array,
  constants: Map<string, Constant>,
): string {
  const name = node.inputs[2] ?? ''
  const bias = name === '' ? undefined : constants.get(name)?.tensor
  if (name !== '' && bias?.type !== 'float32') return name
  const shape = shapeOf(weight.dims)
  const groups = typeof node.attributes.group === 'number' ? node.attributes.group : 1
  if (mean.length !== shape.inputs * groups) return name
  const correction = biasCorrection(weight.data as Float32Array, after, shape, mean, groups)
  const sum = bias === undefined ? correction : (bias.data as Float32Array).map((value, i) => value + correction[i])
  const corrected = `${node.name}/bias`
  add(constants, corrected, new Tensor('float32', sum, [shape.channels]))
  return corrected
}

function trimmed(inputs: string[]): string[] {
  const last = inputs.findLastIndex((name) => name !== '')
  return inputs.slice(0, last + 1)
}

/** A layer as it is before anything is done to it. */
export function layerLine(node: Node, weight: Constant): LayerReport {
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

/** Why a weight stays as it is; undefined where the recipe wants it compressed. */
export function reasonToKeep(node: Node, weight: Constant, recipe: FullRecipe): string | undefined {
  if (recipe.weights === 'float32') return 'the recipe keeps float32'
  if (weight.dtype !== 'float32') return `the weight is ${weight.dtype}`
  const elements = sizeOf(weight.dims)
  if (elements < recipe.minElements) return 'fewer elements than minElements'
  const depth = elements / weight.dims[0]
  if (recipe.keepShallow && elements < shallow.elements && depth < shallow.depth) return 'a shallow layer'
  if (recipe.exclude.includes(node.name) || recipe.exclude.includes(node.inputs[1])) return 'excluded by the recipe'
  return undefined
}

function store(node: Node, tensor: Tensor, recipe: FullRecipe, constants: Map<string, Constant>): Stored {
  const name = node.inputs[1]
  const weights = tensor.data as Float32Array
  if (!weights.every(Number.isFinite)) {
    throw new GraphError({
      where: `weight '${name}' of ${node.name}`,
      expected: 'finite numbers',
      got: 'NaN or infinity',
      todo: 'repair the model, or exclude the layer in the recipe',
    })
  }
  const shape = shapeOf(tensor.dims)
  const length = shape.taps * shape.inputs
  const canBlock = node.op === blockOp
  const bits = canBlock && recipe.weights === 'int4' ? 4 : 8
  const attempt = (block?: number) => {
    const form = quantizeWeights(weights, shape, block, bits)
    const after = dequantizeWeights(form, length)
    return { form, after, snr: signalToNoise(weights, after), block }
  }
  const asked = typeof recipe.block === 'number' ? recipe.block : bits === 4 ? autoBlock : undefined
  let best = attempt(canBlock ? asked : undefined)
  if (canBlock && recipe.block === 'auto' && best.snr < leastSnr) best = attempt(autoBlock)
  const { form, after, snr, block } = best
  const type = `int${bits}` as const
  const codes = new Tensor(type, bits === 4 ? packNibbles(form.codes) : form.codes, tensor.dims)
  const runs = form.scales.length / shape.channels
  const scales = new Tensor('float32', form.scales, block === undefined ? [shape.channels] : [shape.channels, runs])
  const names = { codes: `${name}/${type}`, scales: `${name}/scale` }
  add(constants, names.codes, codes)
  add(constants, names.scales, scales)
  const bytes = bytesOf(codes).byteLength + form.scales.byteLength
  const to = block === undefined ? type : `${type}, blocks of ${block}`
  return { ...names, bytes, snr, after, to, ...(block === undefined ? {} : { block }) }
}

/** `[Cout, kh, kw, Cin / group]` of convolutions, `[N, K]` of matrix products. */
function shapeOf(dims: readonly number[]): WeightShape {
  const inputs = dims[dims.length - 1]
  return { channels: dims[0], inputs, taps: sizeOf(dims.slice(1, -1)) }
}

function add(constants: Map<string, Constant>, name: string, tensor: Tensor): void {
  constants.set(name, { dtype: tensor.type, dims: tensor.dims, tensor })
}

/** Without the constants that only the replaced weights and biases were. */
export function withoutUnused(
  constants: Map<string, Constant>,
  nodes: readonly Node[],
  graph: Graph,
): Map<string, Constant> {
  const used = new Set([...graph.outputs.map(({ name }) => name), ...nodes.flatMap(readNames)])
  const before = new Set(graph.nodes.flatMap(readNames))
  return new Map([...constants].filter(([name]) => used.has(name) || !before.has(name)))
}
