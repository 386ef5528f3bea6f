// SPDX-License-Identifier: Apache-2.0
/**
 * Operators between DequantizeLinear and QuantizeLinear become those on quantised tensors: layers QLinearConv,
 * QLinearMatMul and QGemm, element-wise ones, pools and Concat their QLinear form, and what only moves elements is done on
 * the bytes. A Relu or Clip in front of QuantizeLinear goes where the range of the result clamps as it does. This is how
 * onnxruntime.quantization means such graphs (its QDQ format), and what ONNX Runtime computes for them.
 */
import { equalBytes } from '../base/bytes.ts'
import type { Attributes, Node } from '../ir/graph.ts'
import type { Patch } from '../ir/patch.ts'
import type { Rule, View } from '../ir/rewrite.ts'
import { Tensor, bytesOf } from '../tensor/tensor.ts'
import { clipBounds, numbersOf, sameDims, scalarOf, sharedConstant } from './operands.ts'
import { rulesPass } from './pass.ts'

/** A quantised value with its scale and zero point ('' where left out). */
interface Quantized {
  readonly x: string
  readonly scale: string
  readonly zero: string
}

const isByte = (view: View, value: string): boolean => view.dtype(value) === 'int8' || view.dtype(value) === 'uint8'

const isOne = (view: View, value: string): boolean => view.dims(value)?.every((size) => size === 1) === true

/** Operands of a node that quantises or the other way, in blocks of no kind. */
function partsOf(view: View, node: Node): Quantized | undefined {
  const [x, scale, zero = ''] = node.inputs
  return view.attributes(node).block_size === 0 && view.dtype(scale) === 'float32' ? { x, scale, zero } : undefined
}

/** What a value is the float32 of: bytes with one scale. */
function dequantized(view: View, value: string | undefined): Quantized | undefined {
  const node = view.producer(value, 'DequantizeLinear')
  const parts = node && partsOf(view, node)
  return parts && isByte(view, parts.x) && isOne(view, parts.scale) ? parts : undefined
}

/** The same of weights: one scale, or one for each index of `axis`. */
function dequantizedWeights(view: View, value: string | undefined, axis: number): Quantized | undefined {
  const node = view.producer(value, 'DequantizeLinear')
  const parts = node && partsOf(view, node)
  if (!parts || !isByte(view, parts.x)) return undefined
  const rank = view.dims(parts.x)?.length ?? 0
  const given = view.attributes(node).axis as number
  const along = given < 0 ? given + rank : given
  return isOne(view, parts.scale) || along === (axis < 0 ? axis + rank : axis) ? parts : undefined
}

/** Names of the zero points, those left out as constants of 0, and these constants. */
function zerosOf(view: View, all: readonly Quantized[]): [names: string[], constants: Record<string, Tensor>] {
  const constants: Record<string, Tensor> = {}
  const names = all.map(({ x, zero }) => {
    if (zero !== '') return zero
    const dtype = view.dtype(x) === 'int8' ? 'int8' : 'uint8'
    const [name, added] = sharedConstant(view, `zero/${dtype}`, new Tensor(dtype, [0], []))
    // two that are left out at once share one
    const known = Object.keys(constants).find((other) => constants[other].type === dtype)
    if (known !== undefined) return known
    Object.assign(constants, added)
    return name
  })
  return [names, constants]
}

/** The value that a QuantizeLinear rounds, without an activation that the clamping does as well. */
function activated(view: View, { x, scale, zero }: Quantized, output: string): string {
  const node = view.isPrivate(x) ? view.producer(x, 'Relu', 'Clip') : undefined
  const [low, high] = node?.op === 'Clip' ? (clipBounds(view, node) ?? [NaN, NaN]) : [0, Infinity]
  const dtype = view.dtype(output)
  const [least, most] = dtype === 'int8' ? [-128, 127] : [0, 255]
  const [step, at] = [scalarOf(view, scale), zero === '' ? 0 : scalarOf(view, zero)]
  if (node === undefined || step === undefined || at === undefined) return x
  const [from, to] = [(least - at) * step, (most - at) * step]
  return from >= low - 1e-6 * step && to <= high * (1 + 1e-6) ? node.inputs[0] : x
}

/** int32 bias whose scale is that of the products; '' where there is none, undefined where it is another. */
function biasOf(view: View, value: string, x: Quantized, w: Quantized): string | undefined {
  if (value === '') return ''
  const node = view.producer(value, 'DequantizeLinear')
  const parts = node && partsOf(view, node)
  if (!parts || view.dtype(parts.x) !== 'int32' || view.dims(parts.x)?.length !== 1) return undefined
  if (parts.zero !== '' && !Array.from(numbersOf(view, parts.zero) ?? [1]).every((zero) => zero === 0)) return undefined
  const [own, left, right] = [parts, x, w].map(({ scale }) => numbersOf(view, scale))
  if (!own || !left || !right || (own.length !== 1 && own.length !== right.length)) return undefined
  const fits = Array.from(right).every((scale, i) => {
    const product = left[0] * scale
    return Math.abs(own[own.length === 1 ? 0 : i] - product) <= 1e-5 * product
  })
  return fits ? parts.x : undefined
}

type Layer = (view: View, node: Node, to: Quantized, result: Node) => Patch | undefined

function patchOf(
  view: View,
  result: Node,
  op: string,
  inputs: readonly string[],
  constants: Record<string, Tensor>,
  attributes: Attributes = {},
): Patch {
  const name = view.fresh(`${result.name}/${op.slice(op.lastIndexOf('.') + 1)}`)
  return { constants, nodes: [{ name, op, inputs, outputs: result.outputs, attributes }] }
}

/** Conv, MatMul and Gemm: weights quantised along `axis`. */
function layer(op: string, axisOf: (attributes: Attributes) => number): Layer {
  return (view, node, to, result) => {
    const attributes = view.attributes(node)
    const [x, w] = [dequantized(view, node.inputs[0]), dequantizedWeights(view, node.inputs[1], axisOf(attributes))]
    if (!x || !w || attributes.transA === 1) return undefined
    if (node.op === 'Gemm' && (attributes.alpha !== 1 || attributes.beta !== 1)) return undefined
    const bias = biasOf(view, node.inputs[2] ?? '', x, w)
    if (bias === undefined) return undefined
    const [zeros, constants] = zerosOf(view, [x, w, { ...to, x: result.outputs[0] }])
    const sides = [x.x, x.scale, zeros[0], w.x, w.scale, zeros[1]]
    if (node.op === 'Gemm') {
      const inputs = [...sides, bias, to.scale, zeros[2]]
      return patchOf(view, result, op, inputs, constants, { transB: attributes.transB })
    }
    const inputs = [...sides, to.scale, zeros[2], ...(bias === '' ? [] : [bias])]
    return patchOf(view, result, op, inputs, constants, node.op === 'Conv' ? node.attributes : {})
  }
}

const binary: Layer = (view, node, to, result) => {
  const [a, b] = node.inputs.map((input) => dequantized(view, input))
  if (!a || !b || !sameTypes(view, [a.x, b.x, ...result.outputs])) return undefined
  const inputs = [a.x, a.scale, a.zero, b.x, b.scale, b.zero, to.scale, to.zero]
  return patchOf(view, result, `com.microsoft.QLinear${node.op}`, inputs, {})
}

const unary: Layer = (view, node, to, result) => {
  const x = dequantized(view, node.inputs[0])
  if (!x || !sameTypes(view, [x.x, ...result.outputs])) return undefined
  const { dilations, auto_pad: auto, ...rest } = node.attributes
  if ((dilations as number[] | undefined)?.some((step) => step !== 1) || (auto ?? 'NOTSET') !== 'NOTSET')
    return undefined
  const attributes = node.op === 'Softmax' ? { axis: -1, ...rest, opset: 13 } : rest
  return patchOf(
    view,
    result,
    `com.microsoft.QLinear${node.op}`,
    [x.x, x.scale, x.zero, to.scale, to.zero],
    {},
    attributes,
  )
}

const concat: Layer = (view, node, to, result) => {
  const parts = node.inputs.map((input) => dequantized(view, input))
  if (!parts.every((part) => part !== undefined) || !sameTypes(view, [...parts.map(({ x }) => x), ...result.outputs]))
    return undefined
  const [zeros, constants] = zerosOf(view, [{ ...to, x: result.outputs[0] }, ...parts])
  const inputs = [to.scale, zeros[0], ...parts.flatMap(({ x, scale }, i) => [x, scale, zeros[i + 1]])]
  return patchOf(view, result, 'com.microsoft.QLinearConcat', inputs, constants, node.attributes)
}

/** What moves elements, or takes the largest: on the bytes, where nothing is rounded anew. */
const moved: Layer = (view, node, to, result) => {
  const x = dequantized(view, node.inputs[0])
  if (!x || !sameTypes(view, [x.x, ...result.outputs]) || node.outputs.length > 1) return undefined
  if (!isSame(view, x.scale, to.scale) || !isSame(view, x.zero, to.zero)) return undefined
  return { nodes: [{ ...node, inputs: [x.x, ...node.inputs.slice(1)], outputs: result.outputs }] }
}

function sameTypes(view: View, values: readonly string[]): boolean {
  return values.every((value) => view.dtype(value) === view.dtype(values[0]))
}

/** One value, or two constants that are equal. */
function isSame(view: View, a: string, b: string): boolean {
  if (a === b) return true
  const [left, right] = [a, b].map((value) => view.tensor(value === '' ? undefined : value))
  if (!left || !right || left.type !== right.type || !sameDims(left.dims, right.dims)) return false
  return equalBytes(bytesOf(left), bytesOf(right))
}

const layers: Readonly<Record<string, Layer>> = {
  Add: binary,
  AveragePool: unary,
  Concat: concat,
  Conv: layer('QLinearConv', () => 0),
  Flatten: moved,
  Gather: moved,
  Gemm: layer('com.microsoft.QGemm', ({ transB }) => (transB === 1 ? 0 : 1)),
  GlobalAveragePool: unary,
  LeakyRelu: unary,
  MatMul: layer('QLinearMatMul', () => -1),
  MaxPool: moved,
  Mul: binary,
  Reshape: moved,
  Sigmoid: unary,
  Slice: moved,
  Softmax: unary,
  Squeeze: moved,
  Transpose: moved,
  Unsqueeze: moved,
}

const quantize: Rule = {
  name: 'quantize',
  ops: ['QuantizeLinear'],
  match(result, view) {
    const to = partsOf(view, result)
    if (!to || !isByte(view, result.outputs[0]) || !isOne(view, to.scale) || view.dtype(to.x) !== 'float32')
      return undefined
    const value = activated(view, to, result.outputs[0])
    const node = view.producer(value)
    if (node === undefined || !view.isPrivate(value) || !Object.hasOwn(layers, node.op)) return undefined
    return layers[node.op](view, node, to, result)
  },
}

/** A product of quantised tensors that stays float32. */
const toFloat: Rule = {
  name: 'product-to-float',
  ops: ['MatMul'],
  match(node, view) {
    const [a, b] = [dequantized(view, node.inputs[0]), dequantizedWeights(view, node.inputs[1], -1)]
    const isQuantized = view.users(node.outputs[0]).some(({ op }) => op === 'QuantizeLinear')
    if (!a || !b || isQuantized || (view.dims(b.scale)?.length ?? 2) > 1) return undefined
    const inputs = [a.x, b.x, a.scale, b.scale, a.zero, b.zero]
    return { nodes: [{ ...node, op: 'com.microsoft.MatMulIntegerToFloat', inputs, attributes: {} }] }
  },
}

/** See the head of this file. */
export const fuseQdq = rulesPass('fuse-qdq', [quantize, toFloat], {
  writes: [
    'QLinearConv',
    'QLinearMatMul',
    'com.microsoft.MatMulIntegerToFloat',
    'com.microsoft.QGemm',
    ...['Add', 'AveragePool', 'Concat', 'GlobalAveragePool', 'LeakyRelu', 'Mul', 'Sigmoid', 'Softmax'].map(
      (op) => `com.microsoft.QLinear${op}`,
    ),
  ],
})
