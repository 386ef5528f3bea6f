// SPDX-License-Identifier: Apache-2.0
/**
 * Rewrites a graph so that its convolutions, matrix products, recurrent layers and embeddings hold int8 or int4 weights.
 * The graph must have been through the passes: of convolutions and products only those of the whittle domain are looked
 * at, since there the weight is a constant with output channels first. A weight used by several nodes is quantised once.
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

interface QuantizedForm {
  readonly to: string
  /** Inputs that are weights; in the quantised form each is followed by its scales. */
  readonly weights: readonly number[]
  /** Attributes that the quantised form does not have. */
  readonly drops?: readonly string[]
}

const recurrentForm = (name: string): QuantizedForm => ({ to: `whittle.DynamicQuantize${name}`, weights: [1, 2] })

/** Operators with a quantised form. */
const quantizedForms: Readonly<Record<string, QuantizedForm>> = {
  GRU: recurrentForm('GRU'),
  Gather: { to: 'whittle.QuantizedGather', weights: [0], drops: ['axis'] },
  LSTM: recurrentForm('LSTM'),
  RNN: recurrentForm('RNN'),
  'whittle.Conv': { to: 'whittle.DynamicQuantizeConv', weights: [1] },
  'whittle.Gemm': { to: 'whittle.DynamicQuantizeGemm', weights: [1] },
}

/** Those whose bias is input 2 and takes the correction that calibration data tell. */
const correctedOps = ['whittle.Conv', 'whittle.Gemm']

/**
 * Below this, in decibels, 'auto' gives a matrix product a scale per block: its rows have outliers along K. Found on the text
 * recogniser, whose output has 1 to 3 dB more signal to noise than with 40, and whose file stays below 28 % of its source.
 */
const leastSnr = 42.5
/** Block of 'auto': the finest there are kernels for. */
const autoBlock = 32
/** The operator that can have a scale per block. */
const blockOp = 'whittle.Gemm'

interface Stored {
  /** For the report. */
  readonly to: string
  /** Weights along K that share a scale; undefined: a whole output channel. */
  readonly block?: number
  /** Whether the codes are narrow (quantize-weights.ts). */
  readonly narrow: boolean
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
    const weights = layerWeights(graph, node)
    if (weights.length === 0) return node
    const kept = reasonToKeep(node, weights, recipe)
    if (kept !== undefined) {
      for (const weight of weights) layers.push({ ...layerLine(node, weight), kept })
      return node
    }
    const forms = new Map<string, Stored>()
    for (const weight of weights) {
      const key = `${node.op === blockOp ? 'blocks' : 'rows'} ${weight.name}`
      const form = stored.get(key) ?? store(node, weight, recipe, constants)
      stored.set(key, form)
      forms.set(weight.name, form)
      layers.push({ ...layerLine(node, weight), to: form.to, bytesAfter: form.bytes, weightSnr: form.snr })
    }
    const inputs = [...node.inputs]
    const mean = correctedOps.includes(node.op) ? means?.get(inputs[0]) : undefined
    if (mean !== undefined)
      inputs[2] = correctBias(node, weights[0].tensor, forms.get(weights[0].name)!.after, mean, constants)
    const { to, weights: positions, drops = [] } = quantizedForms[node.op]
    const { block, narrow } = forms.get(weights[0].name)!
    const attributes = Object.entries(node.attributes).filter(([name]) => !drops.includes(name))
    return {
      ...node,
      op: to,
      attributes: {
        ...Object.fromEntries(attributes),
        ...(block === undefined ? {} : { block }),
        ...(narrow ? { narrow: 1 } : {}),
      },
      inputs: trimmed(
        inputs.flatMap((name, i) => {
          const form = positions.includes(i) ? forms.get(name) : undefined
          return form === undefined ? [name] : [form.codes, form.scales]
        }),
      ),
    }
  })
  return { graph: { ...graph, nodes, constants: withoutUnused(constants, nodes, graph) }, layers }
}

/** Values that the layers to be corrected read: what calibration has to measure. */
export function layerInputs(graph: Graph, recipe: FullRecipe): string[] {
  const layers = graph.nodes.filter((node) => {
    const weights = correctedOps.includes(node.op) ? layerWeights(graph, node) : []
    return weights.length > 0 && reasonToKeep(node, weights, recipe) === undefined
  })
  return layers.map(({ inputs: [x] }) => x)
}

/** A constant weight of a node. */
export type LayerWeight = Constant & { readonly name: string; readonly tensor: Tensor }

/** The weights of a node that has a quantised form; none where one of them is not constant, or is no table of rows. */
export function layerWeights(graph: Graph, node: Node): LayerWeight[] {
  const form = Object.hasOwn(quantizedForms, node.op) ? quantizedForms[node.op] : undefined
  const weights = (form?.weights ?? []).flatMap((position): LayerWeight[] => {
    const name = node.inputs[position]
    const constant = graph.constants.get(name)
    return constant?.tensor === undefined ? [] : [{ ...constant, name, tensor: constant.tensor }]
  })
  const isWhole = weights.length === form?.weights.length && (node.op !== 'Gather' || isEmbedding(node, weights[0]))
  return isWhole ? weights : []
}

/** Rows of as many floats as features have, all finite: no list that a shape is read from, no boxes, no mask. */
function isEmbedding({ attributes }: Node, { tensor: { type, dims, data } }: LayerWeight): boolean {
  const isTable = type === 'float32' && dims.length === 2 && (attributes.axis ?? 0) === 0
  return isTable && dims[1] >= shallow.depth && (data as Float32Array).every(Number.isFinite)
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
  const shape = shapeOf(node.op, weight.dims)
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
export function layerLine(node: Node, weight: LayerWeight): LayerReport {
  const bytes = weight.dims.reduce((a, b) => a * b, 4)
  const { name, dims, dtype } = weight
  return {
    node: node.name,
    op: node.op,
    weight: name,
    dims,
    from: dtype,
    to: dtype,
    bytesBefore: bytes,
    bytesAfter: bytes,
    weightSnr: null,
  }
}

/** Why the weights of a node stay as they are; undefined where the recipe wants them compressed. */
export function reasonToKeep(node: Node, weights: readonly LayerWeight[], recipe: FullRecipe): string | undefined {
  if (recipe.weights === 'float32') return 'the recipe keeps float32'
  const other = weights.find(({ dtype }) => dtype !== 'float32')
  if (other) return `the weight is ${other.dtype}`
  // of a recurrent layer: all that is summed for an output
  const elements = weights.reduce((sum, { dims }) => sum + sizeOf(dims), 0)
  if (elements < recipe.minElements) return 'fewer elements than minElements'
  const depth = elements / shapeOf(node.op, weights[0].dims).channels
  if (recipe.keepShallow && elements < shallow.elements && depth < shallow.depth) return 'a shallow layer'
  const names = [node.name, ...weights.map(({ name }) => name)]
  return names.some((name) => recipe.exclude.includes(name)) ? 'excluded by the recipe' : undefined
}

function store(
  node: Node,
  { name, tensor }: LayerWeight,
  recipe: FullRecipe,
  constants: Map<string, Constant>,
): Stored {
  const weights = tensor.data as Float32Array
  if (!weights.every(Number.isFinite)) {
    throw new GraphError({
      where: `weight '${name}' of ${node.name}`,
      expected: 'finite numbers',
      got: 'NaN or infinity',
      todo: 'repair the model, or exclude the layer in the recipe',
    })
  }
  const shape = shapeOf(node.op, tensor.dims)
  const length = shape.taps * shape.inputs
  const canBlock = node.op === blockOp
  const bits = canBlock && recipe.weights === 'int4' ? 4 : 8
  // depthwise convolutions compute in float32
  const canNarrow = bits === 8 && (canBlock || (node.op === 'whittle.Conv' && shape.inputs > 1))
  const narrow = recipe.narrow && canNarrow
  const attempt = (block?: number) => {
    const form = quantizeWeights(weights, shape, { bits, narrow, ...(block === undefined ? {} : { block }) })
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
  const rows = node.op === 'whittle.Conv' ? [shape.channels] : tensor.dims.slice(0, -1)
  const scales = new Tensor('float32', form.scales, block === undefined ? rows : [...rows, runs])
  const part = block === undefined ? '' : `/${String(block)}`
  const names = { codes: `${name}/${type}${part}`, scales: `${name}/scale${part}` }
  add(constants, names.codes, codes)
  add(constants, names.scales, scales)
  const bytes = bytesOf(codes).byteLength + form.scales.byteLength
  const to = block === undefined ? type : `${type}, blocks of ${block}`
  return { ...names, bytes, snr, after, to, narrow, ...(block === undefined ? {} : { block }) }
}

/** `[Cout, kh, kw, Cin / group]` of convolutions; rows of all axes but the last of all others. */
function shapeOf(op: string, dims: readonly number[]): WeightShape {
  const inputs = dims[dims.length - 1]
  const rows = dims.slice(0, -1)
  if (op === 'whittle.Conv') return { channels: rows[0], inputs, taps: sizeOf(rows.slice(1)) }
  return { channels: sizeOf(rows), inputs, taps: 1 }
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
