// SPDX-License-Identifier: Apache-2.0
/**
 * Linear layers with constant weights, seen alike: which output and which input channel an element of the weight
 * belongs to, and where the bias is. Two things are done to them: an affine map behind is folded into weight and bias
 * (`withOutputsScaled`), an affine map in front likewise (`withInputsScaled`). Both give the layer's new form, or
 * nothing where it cannot be done exactly up to rounding.
 */
import type { Attributes, Node } from '../ir/graph.ts'
import type { Patch } from '../ir/patch.ts'
import type { View } from '../ir/rewrite.ts'
import { Tensor } from '../tensor/tensor.ts'
import { at } from './affine.ts'
import { numbersOf } from './operands.ts'

type Index = (i: number) => number

interface Indexing {
  readonly outputs: number
  readonly output: Index
  readonly input: Index
}

interface Kind {
  /** Channel axis of x and y, counted from the front, or from behind where negative. */
  readonly axis: number
  readonly bias: boolean
  /** True for windows that may reach over the edge. */
  readonly windowed: boolean
  indexing(dims: readonly number[], attributes: Attributes): Indexing | undefined
}

const taps = (dims: readonly number[]): number => dims.reduce((product, dim) => product * dim, 1)

function convIndexing([outputs, depth, ...kernel]: readonly number[], { group = 1 }: Attributes): Indexing {
  const inner = taps(kernel)
  const perGroup = outputs / (group as number)
  const output = (i: number): number => Math.floor(i / (depth * inner))
  const input = (i: number): number =>
    Math.floor(output(i) / perGroup) * depth + Math.floor((i % (depth * inner)) / inner)
  return { outputs, output, input }
}

function convTransposeIndexing([inputs, perGroup, ...kernel]: readonly number[], { group = 1 }: Attributes): Indexing {
  const inner = taps(kernel)
  const input = (i: number): number => Math.floor(i / (perGroup * inner))
  const groupOf = (i: number): number => Math.floor(input(i) / (inputs / (group as number)))
  const output = (i: number): number => groupOf(i) * perGroup + Math.floor((i % (perGroup * inner)) / inner)
  return { outputs: perGroup * (group as number), output, input }
}

/** [Cout, taps…, Cin / group]. */
function lastIndexing(dims: readonly number[], { group = 1 }: Attributes): Indexing {
  const [outputs] = dims
  const depth = dims[dims.length - 1]
  const row = taps(dims.slice(1))
  const perGroup = outputs / (group as number)
  const output = (i: number): number => Math.floor(i / row)
  return { outputs, output, input: (i) => Math.floor(output(i) / perGroup) * depth + (i % depth) }
}

/** [K, N], or [N, K] when transposed. */
function matrixIndexing(dims: readonly number[], transposed: boolean): Indexing | undefined {
  if (dims.length !== 2) return undefined
  const columns = dims[1]
  const row = (i: number): number => Math.floor(i / columns)
  const column = (i: number): number => i % columns
  return { outputs: dims[transposed ? 0 : 1], output: transposed ? row : column, input: transposed ? column : row }
}

const kinds: Readonly<Record<string, Kind>> = {
  Conv: { axis: 1, bias: true, windowed: true, indexing: convIndexing },
  ConvTranspose: { axis: 1, bias: true, windowed: true, indexing: convTransposeIndexing },
  Gemm: { axis: 1, bias: true, windowed: false, indexing: (dims, { transB }) => matrixIndexing(dims, transB === 1) },
  MatMul: { axis: -1, bias: false, windowed: false, indexing: (dims) => matrixIndexing(dims, false) },
  'whittle.Conv': { axis: -1, bias: true, windowed: true, indexing: lastIndexing },
  'whittle.Gemm': { axis: -1, bias: true, windowed: false, indexing: lastIndexing },
}

/** Operators that are layers. */
export const layerOps: readonly string[] = Object.keys(kinds)

interface Layer {
  readonly node: Node
  readonly indexing: Indexing
  readonly weight: Tensor
  readonly bias: Float64Array | null
  /** Axis of the channels in x and y. */
  readonly axis: number
  readonly kind: Kind
  readonly attributes: Attributes
}

function layerOf(view: View, node: Node): Layer | undefined {
  const kind = kinds[node.op]
  const weight = view.tensor(node.inputs[1])
  const rank = view.dims(node.outputs[0])?.length
  if (kind === undefined || weight?.type !== 'float32' || rank === undefined || hasEpilogue(node)) return undefined
  if (!view.isPrivate(node.inputs[1])) return undefined
  const attributes = view.attributes(node)
  const indexing = kind.indexing(weight.dims, attributes)
  if (indexing === undefined) return undefined
  const bias = biasOf(view, node, indexing.outputs, (attributes.beta as number | undefined) ?? 1)
  if (bias === undefined) return undefined
  return { node, indexing, weight, bias, kind, attributes, axis: kind.axis < 0 ? rank + kind.axis : kind.axis }
}

/** True when a whittle operator already does something behind its sum. */
function hasEpilogue({ op, inputs, attributes }: Node): boolean {
  if (!op.startsWith('whittle.')) return false
  const { activation = 'None', post_scale = 1, post_shift = 0 } = attributes
  return activation !== 'None' || post_scale !== 1 || post_shift !== 0 || (inputs[3] ?? '') !== ''
}

/** The bias as a number for each output, times beta (Gemm); null when there is none, undefined when it is not constant. */
function biasOf(view: View, node: Node, outputs: number, beta: number): Float64Array | null | undefined {
  const name = node.inputs[2] ?? ''
  if (name === '') return null
  const numbers = numbersOf(view, name)
  const dims = view.tensor(name)?.dims ?? []
  if (numbers === undefined || view.dtype(name) !== 'float32' || !dims.slice(0, -1).every((dim) => dim === 1))
    return undefined
  const scale = node.op === 'Gemm' ? beta : 1
  if (numbers.length !== outputs && numbers.length !== 1) return undefined
  return Float64Array.from({ length: outputs }, (_, i) => scale * at(numbers as unknown as number[], i))
}

/**
 * The layer with y * scale + shift in place of y, as the nodes and constants that make the value `output`.
 * @param axis the axis of y the numbers go along; null for one number
 */
export function withOutputsScaled(
  view: View,
  node: Node,
  affine: { readonly axis: number | null; readonly scale: readonly number[]; readonly shift: readonly number[] },
  output: string,
): Patch | undefined {
  const layer = layerOf(view, node)
  if (layer === undefined || (affine.axis !== null && affine.axis !== layer.axis)) return undefined
  const { outputs, output: channelOf } = layer.indexing
  const shifted = affine.shift.some((shift) => shift !== 0)
  if (shifted && !layer.kind.bias) return undefined
  const weight = Float64Array.from(layer.weight.data as Float32Array, (w, i) => w * at(affine.scale, channelOf(i)))
  const bias =
    layer.bias === null && !shifted
      ? null
      : Float64Array.from(
          { length: outputs },
          (_, i) => (layer.bias?.[i] ?? 0) * at(affine.scale, i) + at(affine.shift, i),
        )
  return rebuilt(view, layer, node.inputs[0], weight, bias, output)
}

/** The layer reading `x` where x * scale + shift was its input; see withOutputsScaled. */
export function withInputsScaled(
  view: View,
  node: Node,
  affine: { readonly axis: number | null; readonly scale: readonly number[]; readonly shift: readonly number[] },
  x: string,
): Patch | undefined {
  const layer = layerOf(view, node)
  if (layer === undefined || layer.attributes.transA === 1) return undefined
  if (affine.axis !== null && affine.axis !== layer.axis) return undefined
  const { outputs, output, input } = layer.indexing
  const source = layer.weight.data as Float32Array
  const shifted = affine.shift.some((shift) => shift !== 0)
  let bias = layer.bias
  if (shifted) {
    if (!layer.kind.bias || node.op === 'ConvTranspose' || (layer.kind.windowed && isPadded(layer.attributes)))
      return undefined
    const alpha = node.op === 'Gemm' ? ((layer.attributes.alpha as number | undefined) ?? 1) : 1
    const sums = Float64Array.from({ length: outputs }, (_, i) => layer.bias?.[i] ?? 0)
    source.forEach((w, i) => (sums[output(i)] += alpha * w * at(affine.shift, input(i))))
    bias = sums
  }
  const weight = Float64Array.from(source, (w, i) => w * at(affine.scale, input(i)))
  return rebuilt(view, layer, x, weight, bias, node.outputs[0])
}

function isPadded({ pads, auto_pad: auto = 'NOTSET' }: Attributes): boolean {
  if (auto === 'VALID') return false
  return auto !== 'NOTSET' || ((pads as readonly number[] | undefined) ?? []).some((pad) => pad !== 0)
}

function rebuilt(
  view: View,
  { node, weight: old, bias: oldBias }: Layer,
  x: string,
  weight: Float64Array,
  bias: Float64Array | null,
  output: string,
): Patch | undefined {
  const floats = Float32Array.from(weight)
  const biases = bias && Float32Array.from(bias)
  if (!floats.every(Number.isFinite) || biases?.every(Number.isFinite) === false) return undefined
  const constants: Record<string, Tensor> = {}
  const weightName = view.fresh(node.inputs[1])
  constants[weightName] = new Tensor('float32', floats, old.dims)
  const inputs = [x, weightName]
  if (biases !== null) {
    const name = bias === oldBias && node.op !== 'Gemm' ? node.inputs[2] : view.fresh(`${node.name}/bias`)
    if (name !== node.inputs[2]) constants[name] = new Tensor('float32', biases, [biases.length])
    inputs.push(name)
  }
  const attributes = node.op === 'Gemm' && biases !== null ? { ...node.attributes, beta: 1 } : node.attributes
  return { nodes: [{ ...node, inputs, outputs: [output], attributes }], constants }
}
