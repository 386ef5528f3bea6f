// SPDX-License-Identifier: Apache-2.0
/** How one layer's weights are stored: with how many scales, for inputs divided by what, and rounded how. */
import { equalBytes } from '../base/bytes.ts'
import { GraphError } from '../base/errors.ts'
import type { Constant, Graph, Node } from '../ir/graph.ts'
import { namesIn } from '../ir/rewrite.ts'
import { readNames } from '../ir/topo.ts'
import { isDepthwise } from '../ops/lower-conv.ts'
import { mostByteDepth } from '../ops/lower-gemm.ts'
import { sizeOf } from '../tensor/shape.ts'
import { Tensor, bytesOf } from '../tensor/tensor.ts'
import type { Statistics, ValueStatistics } from './calibrate.ts'
import { type Compensation, compensationOf } from './compensation.ts'
import { type StoredForm, dividedBy, equalization } from './equalize.ts'
import {
  type QuantizeOptions,
  type WeightShape,
  dequantizeWeights,
  largestCode,
  packNibbles,
  quantizeWeights,
  signalToNoise,
} from './quantize-weights.ts'
import type { FullRecipe } from './recipe.ts'

/** A constant weight of a node. */
export type LayerWeight = Constant & { readonly name: string; readonly tensor: Tensor }

/** Layers that are rounded by what their inputs are like; their bias is input 2. */
export const roundedOps: readonly string[] = ['whittle.Conv', 'whittle.Gemm']
/** The operator that can have a scale per block. */
export const blockOp = 'whittle.Gemm'

/**
 * Below this, in decibels, 'auto' gives a matrix product a scale per block: its rows have outliers along K. Found on the text
 * recogniser, whose output has 1 to 3 dB more signal to noise than with 40, and whose file stays below 28 % of its source.
 */
const leastSnr = 42.5
/**
 * Signal to noise, in dB, below which weights have all codes after all: such a layer is heard above all others, and the 1 to 2 dB that
 * narrow codes take off it cost more than the time they save (docs/compression.md).
 */
const leastNarrowSnr = 36
/** Block of 'auto': the finest there are kernels for. */
const autoBlock = 32
/** Rows that tell what inputs are like; fewer say more of themselves. */
const leastRows = 64

export interface StoredWeight {
  /** For the report. */
  readonly to: string
  /** Weights along K that share a scale; undefined: a whole output channel. */
  readonly block?: number
  /** Whether the codes are narrow (quantize-weights.ts). */
  readonly narrow: boolean
  /** Names of constants: also of what x is multiplied by in front of the layer. */
  readonly codes: string
  readonly scales: string
  readonly divisor?: string
  readonly bytes: number
  readonly snr: number
  readonly shape: WeightShape
  /** What was rounded, and what the codes stand for. */
  readonly before: Float32Array
  readonly after: Float32Array
  /** What is known of what they are multiplied with. */
  readonly values?: ValueStatistics
}

/** Stores the weights of a graph's layers, each once. */
export class LayerQuantizer {
  /** Those of the graph, and what was stored. */
  readonly constants: Map<string, Constant>
  readonly #recipe: FullRecipe
  readonly #statistics: Statistics | undefined
  readonly #stored = new Map<string, StoredWeight>()
  readonly #compensations = new Map<string, Compensation | undefined>()
  readonly #uses = new Map<string, number>()
  readonly #names: Set<string>
  readonly #added = new Map<string, Tensor>()
  #usesStatistics = false

  constructor(graph: Graph, recipe: FullRecipe, statistics?: Statistics) {
    this.constants = new Map(graph.constants)
    this.#recipe = recipe
    this.#statistics = statistics
    this.#names = new Set(namesIn(graph))
    for (const name of graph.nodes.flatMap(readNames)) this.#uses.set(name, (this.#uses.get(name) ?? 0) + 1)
  }

  /** Whether any layer is equalised or compensated. */
  get usesStatistics(): boolean {
    return this.#usesStatistics
  }

  /** A name that nothing in the graph has. */
  fresh(base: string): string {
    let name = base
    for (let i = 1; this.#names.has(name); i++) name = `${base}~${i}`
    this.#names.add(name)
    return name
  }

  /** @returns the name of a constant: of an equal one that was added under `base`, else of a new one */
  add(base: string, tensor: Tensor): string {
    const known = this.#added.get(base)
    if (known?.type === tensor.type && equalBytes(bytesOf(known), bytesOf(tensor))) return base
    const name = this.fresh(base)
    this.#added.set(name, tensor)
    this.constants.set(name, { dtype: tensor.type, dims: tensor.dims, tensor })
    return name
  }

  /**
   * @param isWeightOnly the weights meet float32
   * @throws GraphError for weights that are not finite
   */
  store(node: Node, weight: LayerWeight, isWeightOnly = false): StoredWeight {
    const key = `${node.op === blockOp ? 'blocks' : 'rows'} ${isWeightOnly} ${weight.name}`
    const known = this.#stored.get(key) ?? this.#store(node, weight, isWeightOnly)
    this.#stored.set(key, known)
    return known
  }

  #store(node: Node, { name, tensor }: LayerWeight, isWeightOnly: boolean): StoredWeight {
    const weights = tensor.data as Float32Array
    if (!weights.every(Number.isFinite)) {
      throw new GraphError({
        where: `weight '${name}' of ${node.name}`,
        expected: 'finite numbers',
        got: 'NaN or infinity',
        todo: 'repair the model, or exclude the layer in the recipe',
      })
    }
    const recipe = this.#recipe
    const shape = shapeOf(node.op, tensor.dims)
    const canBlock = node.op === blockOp
    const bits = canBlock && recipe.weights === 'int4' ? 4 : 8
    // convolutions summed by channel compute in float32; embeddings have the codes of the product that reads the same table
    const isByteConv = node.op === 'whittle.Conv' && !isSummedByChannel(node, tensor.dims)
    const canNarrow = bits === 8 && (canBlock || isByteConv || (node.op === 'Gather' && !this.#isOwn(name)))
    const mayNarrow = recipe.narrow && canNarrow && !isWeightOnly
    const rounded = (
      numbers: Float32Array,
      block?: number,
      how: Pick<QuantizeOptions, 'balanced' | 'compensation' | 'narrow'> = {},
    ) => {
      const form = quantizeWeights(numbers, shape, {
        bits,
        narrow: mayNarrow ? 1 : 0,
        ...(block === undefined ? {} : { block }),
        ...how,
      })
      const after = dequantizeWeights(form, shape.taps * shape.inputs)
      return { form, before: numbers, after, snr: signalToNoise(numbers, after) }
    }
    const isCoarse = () => rounded(weights, undefined, { balanced: false, narrow: 0 }).snr < leastSnr
    // of a deep product only the sums of blocks fit
    const wantsBlocks = () => shape.inputs > mostByteDepth || isCoarse()
    const auto = bits === 4 || (recipe.block === 'auto' && canBlock && wantsBlocks()) ? autoBlock : undefined
    const block = !canBlock ? undefined : typeof recipe.block === 'number' ? recipe.block : auto
    const known = roundedOps.includes(node.op) ? this.#statistics?.get(node.inputs[0]) : undefined
    const divisor = this.#divisor(name, weights, shape, known, {
      largest: largestCode[bits],
      ...(block === undefined ? {} : { block }),
    })
    const values = divisor && known ? dividedBy(divisor, known) : known
    const multiplied = divisor ? weights.map((value, i) => value * divisor[i % shape.inputs]) : weights
    const compensation = this.#isOwn(name)
      ? this.#compensation(node, shape, divisor ? undefined : node.inputs[0], values)
      : undefined
    if (divisor !== undefined || compensation !== undefined) this.#usesStatistics = true
    const how = compensation === undefined ? {} : { compensation }
    const narrowest = rounded(multiplied, block, how)
    const narrow = mayNarrow && narrowest.snr >= leastNarrowSnr
    const { form, before, after, snr } =
      mayNarrow && !narrow ? rounded(multiplied, block, { ...how, narrow: 0 }) : narrowest
    const type = `int${bits}` as const
    const codes = new Tensor(type, bits === 4 ? packNibbles(form.codes) : form.codes, tensor.dims)
    const runs = form.scales.length / shape.channels
    const rows = node.op === 'whittle.Conv' ? [shape.channels] : tensor.dims.slice(0, -1)
    const scales = new Tensor('float32', form.scales, block === undefined ? rows : [...rows, runs])
    const stored: StoredWeight = {
      to: block === undefined ? type : `${type}, blocks of ${block}`,
      codes: this.add(`${name}/q`, codes),
      scales: this.add(`${name}/scale`, scales),
      bytes: bytesOf(codes).byteLength + form.scales.byteLength + (divisor?.byteLength ?? 0),
      snr,
      shape,
      before,
      after,
      narrow,
      ...(block === undefined ? {} : { block }),
      ...(values === undefined ? {} : { values }),
    }
    if (divisor === undefined) return stored
    const inverse = divisor.map((value) => 1 / value)
    return { ...stored, divisor: this.add(`${node.name}/t`, new Tensor('float32', inverse, [inverse.length])) }
  }

  /** What the channels of x are divided by; undefined where they are not, or where other layers have the weight too. */
  #divisor(
    name: string,
    weights: Float32Array,
    shape: WeightShape,
    values: ValueStatistics | undefined,
    form: StoredForm,
  ): Float32Array | undefined {
    if (!this.#recipe.equalize || !this.#isOwn(name) || !tellsOf(values, shape)) return
    return equalization(weights, shape, values, form)
  }

  /** Whether one node alone reads it: what others multiply it with is like something else. */
  #isOwn(name: string): boolean {
    return this.#uses.get(name) === 1
  }

  /** How the rounding of a product's weights is made up for. */
  #compensation(
    { op }: Node,
    shape: WeightShape,
    key: string | undefined,
    values: ValueStatistics | undefined,
  ): Compensation | undefined {
    if (op !== blockOp || !tellsOf(values, shape)) return
    // what was divided is one layer's own
    if (key === undefined) return compensationOf(values.moments)
    if (!this.#compensations.has(key)) this.#compensations.set(key, compensationOf(values.moments))
    return this.#compensations.get(key)
  }
}

/** Whether enough is known of the inputs of a layer of one group. */
function tellsOf(values: ValueStatistics | undefined, { inputs }: WeightShape): values is ValueStatistics {
  return values?.means.length === inputs && values.rows >= leastRows
}

/** Whether a convolution's quantised form computes in float32 (ops/dynamic-quantize-conv.ts). */
function isSummedByChannel({ attributes }: Node, [outC, kh, kw, depth]: readonly number[]): boolean {
  const group = (attributes.group ?? 1) as number
  const [strides, dilations] = [attributes.strides, attributes.dilations].map((given) => {
    const steps = given as readonly number[] | undefined
    return steps?.length === 2 ? steps : [1, 1]
  })
  return isDepthwise({ group, inC: group * depth, outC, window: { kernel: [kh, kw], strides, dilations } })
}

/** `[Cout, kh, kw, Cin / group]` of convolutions; rows of all axes but the last of all others. */
export function shapeOf(op: string, dims: readonly number[]): WeightShape {
  const inputs = dims[dims.length - 1]
  const rows = dims.slice(0, -1)
  if (op === 'whittle.Conv') return { channels: rows[0], inputs, taps: sizeOf(rows.slice(1)) }
  return { channels: sizeOf(rows), inputs, taps: 1 }
}
