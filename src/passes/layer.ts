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
import { sizeOf } from '../tensor/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import { type Affine, at } from './affine.ts'
import { numbersOf } from './operands.ts'

type Index = (i: number) => number

/** Where the elements of a flat weight belong. */
interface Indexing {
  readonly outputs: number
  readonly output: Index
  readonly input: Index
  /** So many elements in a row have the same output, or the same input. */
  readonly outputRun: number
  readonly inputRun: number
}

interface Kind {
  /** Channel axis of x and y, counted from the front, or from behind where negative. */
  readonly axis: number
  readonly bias: boolean
  /** True for windows that may reach over the edge. */
  readonly windowed: boolean
  indexing(dims: readonly number[], attributes: Attributes): Indexing | undefined
}

/** [Cout, Cin / group, taps…]. */
function convIndexing([outputs, depth, ...kernel]: readonly number[], { group = 1 }: Attributes): Indexing {
  const inputRun = sizeOf(kernel)
  const outputRun = depth * inputRun
  const perGroup = outputs / (group as number)
  const output = (i: number): number => Math.floor(i / outputRun)
  const input = (i: number): number => Math.floor(output(i) / perGroup) * depth + Math.floor((i % outputRun) / inputRun)
  return { outputs, output, input, outputRun, inputRun }
}

/** [Cin, Cout / group, taps…]. */
function convTransposeIndexing([inputs, perGroup, ...kernel]: readonly number[], { group = 1 }: Attributes): Indexing {
  const outputRun = sizeOf(kernel)
  const inputRun = perGroup * outputRun
  const input = (i: number): number => Math.floor(i / inputRun)
  const groupOf = (i: number): number => Math.floor(input(i) / (inputs / (group as number)))
  const output = (i: number): number => groupOf(i) * perGroup + Math.floor((i % inputRun) / outputRun)
  return { outputs: perGroup * (group as number), output, input, outputRun, inputRun }
}

/** [Cout, taps…, Cin / group]. */
function lastIndexing(dims: readonly number[], { group = 1 }: Attributes): Indexing {
  const [outputs] = dims
  const depth = dims[dims.length - 1]
  const outputRun = sizeOf(dims.slice(1))
  const perGroup = outputs / (group as number)
  const output = (i: number): number => Math.floor(i / outputRun)
  const input = (i: number): number => Math.floor(output(i) / perGroup) * depth + (i % depth)
  return { outputs, output, input, outputRun, inputRun: 1 }
}

/** [K, N], or [N, K] when transposed. */
function matrixIndexing(dims: readonly number[], transposed: boolean): Indexing | undefined {
  if (dims.length !== 2) return undefined
  const columns = dims[1]
  const row = (i: number): number => Math.floor(i / columns)
  const column = (i: number): number => i % columns
  return transposed
    ? { outputs: dims[0], output: row, input: column, outputRun: columns, inputRun: 1 }
    : { outputs: dims[1], output: column, input: row, outputRun: 1, inputRun: columns }
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

/** An affine map along one axis (null: one number). */
type Map1 = Pick<Affine, 'axis' | 'scale' | 'shift'>

/**
 * The layer with y * scale + shift in place of y, as the nodes and constants that make the value `output`.
 * @param affine its axis is one of y
 */
export function withOutputsScaled(view: View, node: Node, affine: Map1, output: string): Patch | undefined {
  const layer = layerOf(view, node)
  if (layer === undefined || (affine.axis !== null && affine.axis !== layer.axis)) return undefined
  const { outputs, output: channelOf, outputRun } = layer.indexing
  const shifted = affine.shift.some((shift) => shift !== 0)
  if (shifted && !layer.kind.bias) return undefined
  const weight = scaled(layer.weight, affine.scale, channelOf, outputRun)
  const moved = (_: unknown, i: number): number => (layer.bias?.[i] ?? 0) * at(affine.scale, i) + at(affine.shift, i)
  const bias = layer.bias === null && !shifted ? null : Float64Array.from({ length: outputs }, moved)
  return rebuilt(view, layer, node.inputs[0], weight, bias, output)
}

/** The layer reading `x` where x * scale + shift was its input; the map's axis is one of x. See withOutputsScaled. */
export function withInputsScaled(view: View, node: Node, affine: Map1, x: string): Patch | undefined {
  const layer = layerOf(view, node)
  if (layer === undefined || layer.attributes.transA === 1) return undefined
  if (affine.axis !== null && affine.axis !== layer.axis) return undefined
  const shifted = affine.shift.some((shift) => shift !== 0)
  const padded = layer.kind.windowed && isPadded(layer.attributes)
  if (shifted && (!layer.kind.bias || node.op === 'ConvTranspose' || padded)) return undefined
  const bias = shifted ? biasOfShift(layer, affine.shift) : layer.bias
  const weight = scaled(layer.weight, affine.scale, layer.indexing.input, layer.indexing.inputRun)
  return rebuilt(view, layer, x, weight, bias, node.outputs[0])
}

/** The weight with each element times its channel's factor; the tensor itself where all factors are 1. */
function scaled(weight: Tensor, factors: readonly number[], channelOf: Index, run: number): Tensor {
  if (factors.every((factor) => factor === 1)) return weight
  const source = weight.data as Float32Array
  const target = new Float32Array(source.length)
  const step = factors.length === 1 ? source.length : run
  for (let start = 0; start < source.length; start += step) {
    const factor = factors.length === 1 ? factors[0] : factors[channelOf(start)]
    for (let i = start; i < start + step; i++) target[i] = source[i] * factor
  }
  return new Tensor('float32', target, weight.dims)
}

/** The bias plus what the weight makes of a shift of the inputs. */
function biasOfShift({ node, indexing, weight, bias, attributes }: Layer, shift: readonly number[]): Float64Array {
  const { outputs, output, input, outputRun, inputRun } = indexing
  const alpha = node.op === 'Gemm' ? ((attributes.alpha as number | undefined) ?? 1) : 1
  const sums = Float64Array.from({ length: outputs }, (_, i) => bias?.[i] ?? 0)
  const source = weight.data as Float32Array
  const step = shift.length === 1 ? outputRun : Math.min(outputRun, inputRun)
  for (let start = 0; start < source.length; start += step) {
    let sum = 0
    for (let i = start; i < start + step; i++) sum += source[i]
    sums[output(start)] += alpha * sum * (shift.length === 1 ? shift[0] : shift[input(start)])
  }
  return sums
}

function isPadded({ pads, auto_pad: auto = 'NOTSET' }: Attributes): boolean {
  if (auto === 'VALID') return false
  return auto !== 'NOTSET' || ((pads as readonly number[] | undefined) ?? []).some((pad) => pad !== 0)
}

function isFinite(numbers: Float32Array): boolean {
  // 0 times anything finite is 0; one infinity or NaN makes the sum NaN
  let sum = 0
  for (let i = 0; i < numbers.length; i++) sum += numbers[i] * 0
  return sum === 0
}

function rebuilt(
  view: View,
  { node, weight: oldWeight, bias: oldBias }: Layer,
  x: string,
  weight: Tensor,
  bias: Float64Array | null,
  output: string,
): Patch | undefined {
  const biases = bias && Float32Array.from(bias)
  if (!isFinite(weight.data as Float32Array) || (biases !== null && !isFinite(biases))) return undefined
  const constants: Record<string, Tensor> = {}
  const weightName = weight === oldWeight ? node.inputs[1] : view.fresh(node.inputs[1])
  if (weight !== oldWeight) constants[weightName] = weight
  const inputs = [x, weightName]
  if (biases !== null) {
    const kept = bias === oldBias && node.op !== 'Gemm'
    const name = kept ? node.inputs[2] : view.fresh(`${node.name}/bias`)
    if (!kept) constants[name] = new Tensor('float32', biases, [biases.length])
    inputs.push(name)
  }
  const attributes = node.op === 'Gemm' && biases !== null ? { ...node.attributes, beta: 1 } : node.attributes
  return { nodes: [{ ...node, inputs, outputs: [output], attributes }], constants }
}
