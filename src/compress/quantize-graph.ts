// SPDX-License-Identifier: Apache-2.0
/**
 * Rewrites a graph so that its convolutions, matrix products, recurrent layers and embeddings hold int8 or int4 weights.
 * The graph must have been through the passes: of convolutions and products only those of the whittle domain are looked
 * at, since there the weight is a constant with output channels first. A weight used by several nodes is quantised once.
 */
import type { Constant, Graph, Node } from '../ir/graph.ts'
import { readNames } from '../ir/topo.ts'
import { mostByteDepth } from '../ops/lower-gemm.ts'
import { sizeOf } from '../tensor/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import type { Statistics } from './calibrate.ts'
import { biasCorrection } from './correct-bias.ts'
import { LayerQuantizer, type LayerWeight, type StoredWeight, blockOp, roundedOps, shapeOf } from './quantize-layer.ts'
import { type FullRecipe, isMeant } from './recipe.ts'

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
  /** There where the channels of the layer's input are divided to be of one size (equalize.ts). */
  readonly equalized?: boolean
  /** There where the layer multiplies its input in float32. */
  readonly weightOnly?: boolean
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

/** What is known of the inputs of a graph's layers. */
export interface KnownInputs {
  readonly statistics: Statistics
  /** Whether they are inputs as the model will see them: biases are corrected by those. */
  readonly areReal: boolean
}

/**
 * The graph with its weights in `recipe.weights`, and a line per layer.
 * @param known what the layers' inputs are like, where that is known: weights are rounded by it
 */
export function quantizeGraph(
  graph: Graph,
  recipe: FullRecipe,
  known?: KnownInputs,
): { graph: Graph; layers: LayerReport[]; usesStatistics: boolean } {
  const quantizer = new LayerQuantizer(graph, recipe, known?.statistics)
  const { constants } = quantizer
  const single = singleRows(graph)
  const layers: LayerReport[] = []
  const nodes = graph.nodes.flatMap((node): readonly Node[] => {
    const weights = layerWeights(graph, node)
    if (weights.length === 0) return [node]
    const kept = reasonToKeep(node, weights, recipe)
    if (kept !== undefined) {
      for (const weight of weights) layers.push({ ...layerLine(node, weight), kept })
      return [node]
    }
    const forms = new Map<string, StoredWeight>()
    for (const weight of weights) {
      const form = quantizer.store(node, weight, single.has(node))
      forms.set(weight.name, form)
      const { to, bytes: bytesAfter, snr: weightSnr, divisor } = form
      const said = { ...(divisor ? { equalized: true } : {}), ...(single.has(node) ? { weightOnly: true } : {}) }
      layers.push({ ...layerLine(node, weight), to, bytesAfter, weightSnr, ...said })
    }
    const { weights: positions, drops = [], ...form } = quantizedForms[node.op]
    const to = single.has(node) ? 'whittle.WeightOnlyGemm' : form.to
    const first = forms.get(weights[0].name)!
    const inputs = [...node.inputs]
    if (known?.areReal === true) inputs[2] = correctBias(node, first, quantizer, known.statistics)
    const divide: Node[] = []
    if (first.divisor !== undefined) {
      const divided = quantizer.fresh(`${node.name}/x`)
      divide.push({ name: divided, op: 'Mul', inputs: [inputs[0], first.divisor], outputs: [divided], attributes: {} })
      inputs[0] = divided
    }
    const { block, narrow } = first
    const attributes = Object.entries(node.attributes).filter(([name]) => !drops.includes(name))
    const quantized = {
      ...node,
      op: to,
      attributes: {
        ...Object.fromEntries(attributes),
        ...(block === undefined ? {} : { block }),
        ...(narrow && roundedOps.includes(node.op) ? { narrow: 1 } : {}),
      },
      inputs: trimmed(
        inputs.flatMap((name, i) => {
          const form = positions.includes(i) ? forms.get(name) : undefined
          return form === undefined ? [name] : [form.codes, form.scales]
        }),
      ),
    }
    return [...divide, quantized]
  })
  const { usesStatistics } = quantizer
  return { graph: { ...graph, nodes, constants: withoutUnused(constants, nodes, graph) }, layers, usesStatistics }
}

/**
 * Products of one row an image: of its mean over all places, or of such a product (squeeze and excitation, Hu et al. 2018,
 * arXiv:1709.01507). They take next to no time, and their outputs scale whole channels, so that what rounding x does to them
 * tells more than anywhere else: they multiply x as it is.
 */
function singleRows(graph: Graph): ReadonlySet<Node> {
  const producers = new Map(graph.nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)))
  const single = new Set<Node>()
  // nodes are in the order they run in
  for (const node of graph.nodes) {
    if (node.op !== blockOp) continue
    let from = producers.get(node.inputs[0])
    while (from !== undefined && between.includes(from.op)) from = producers.get(from.inputs[0])
    if (from !== undefined && (single.has(from) || isMeanOfImage(graph, from))) single.add(node)
  }
  return single
}

/** What may lie in front of such a product: other shapes, and activations that are not part of the product before. */
const between: readonly string[] = [
  'Flatten',
  'Reshape',
  'Squeeze',
  'Clip',
  'HardSwish',
  'LeakyRelu',
  'Relu',
  'whittle.Silu',
]
/** Axes of height and width, channels last and first. */
const places: readonly string[] = ['1,2', '2,3', '-3,-2', '-2,-1']

/** Whether a node is the mean over height and width. */
function isMeanOfImage(graph: Graph, { op, inputs, attributes }: Node): boolean {
  if (op !== 'ReduceMean') return op === 'GlobalAveragePool'
  const axes = graph.constants.get(inputs[1])?.tensor?.data ?? attributes.axes ?? []
  const sorted = Array.from(axes as ArrayLike<bigint | number>, Number).sort((a, b) => a - b)
  return places.includes(sorted.join())
}

/** Values that layers are rounded by. */
export interface LayerInputs {
  /** Inputs of all layers whose bias can be corrected. */
  readonly all: readonly string[]
  /** Of them those of layers that sum over channels: of what equalisation and compensation are made. */
  readonly summed: readonly string[]
  /** Of those the inputs whose channels are to be known together. */
  readonly together: ReadonlySet<string>
}

/** What is to be known of a graph's values. */
export function layerInputs(graph: Graph, recipe: FullRecipe): LayerInputs {
  const layers = graph.nodes.flatMap((node) => {
    const weights = roundedOps.includes(node.op) ? layerWeights(graph, node) : []
    if (weights.length === 0 || reasonToKeep(node, weights, recipe) !== undefined) return []
    return [{ x: node.inputs[0], op: node.op, sums: shapeOf(node.op, weights[0].dims).inputs > 1 }]
  })
  const inputsOf = (some: readonly { readonly x: string }[]) => some.map(({ x }) => x)
  const compensated = recipe.rounding === 'compensated' ? layers.filter(({ op }) => op === blockOp) : []
  return {
    all: inputsOf(layers),
    summed: inputsOf(layers.filter(({ sums }) => sums)),
    together: new Set(inputsOf(compensated)),
  }
}

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
function correctBias(node: Node, form: StoredWeight, quantizer: LayerQuantizer, statistics: Statistics): string {
  const name = node.inputs[2] ?? ''
  // a weight that several layers read is not divided, and each has inputs of its own
  const values = form.divisor === undefined ? statistics.get(node.inputs[0]) : form.values
  const bias = name === '' ? undefined : quantizer.constants.get(name)?.tensor
  if (!roundedOps.includes(node.op) || values === undefined || (name !== '' && bias?.type !== 'float32')) return name
  const { before, after, shape } = form
  const groups = typeof node.attributes.group === 'number' ? node.attributes.group : 1
  if (values.means.length !== shape.inputs * groups) return name
  const correction = biasCorrection(before, after, shape, values.means, groups)
  if (!correction.every(Number.isFinite)) return name
  const sum = bias === undefined ? correction : (bias.data as Float32Array).map((value, i) => value + correction[i])
  return quantizer.add(`${node.name}/bias`, new Tensor('float32', sum, [shape.channels]))
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
  const deep = reasonOfDepth(node, weights, recipe)
  if (deep !== undefined) return deep
  const names = [node.name, ...weights.map(({ name }) => name)]
  const isExcluded = recipe.exclude.some((exclusion) => names.some((name) => isMeant(exclusion, name)))
  return isExcluded ? 'excluded by the recipe' : undefined
}

/** Sums of bytes with one scale for an output are int32 to their end; there are no kernels for longer ones. */
function reasonOfDepth({ op }: Node, weights: readonly LayerWeight[], { block }: FullRecipe): string | undefined {
  if (op === 'Gather' || (op === blockOp && block !== 'channel')) return undefined
  const shapes = weights.map(({ dims }) => shapeOf(op, dims))
  const depth = Math.max(...shapes.map(({ taps, inputs }) => taps * inputs))
  return depth > mostByteDepth ? `sums of ${depth} products of bytes, of which ${mostByteDepth} fit` : undefined
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
