// SPDX-License-Identifier: Apache-2.0
/**
 * Reading the operands of a node as a rule needs them: constants as numbers, axes and bounds that are attributes in old
 * opsets and inputs in new ones, and writing them in the form the graph's opset wants.
 */
import { type Dim, areKnown, equal } from '../ir/dim.ts'
import type { Attributes, Node } from '../ir/graph.ts'
import type { View } from '../ir/rewrite.ts'
import { dtypes } from '../tensor/dtype.ts'
import { Tensor } from '../tensor/tensor.ts'

/** Elements of a constant as numbers: float32, float64, integers and bools; undefined for others and for values that are no constant. */
export function numbersOf(view: View, value: string | undefined): ArrayLike<number> | undefined {
  const tensor = view.tensor(value)
  if (tensor === undefined) return undefined
  const { bits, kind } = dtypes[tensor.type]
  if (kind === 'string' || bits < 8 || (kind === 'float' && bits < 32)) return undefined
  return kind !== 'float' && bits === 64 ? Array.from(tensor.data as BigInt64Array, Number) : (tensor.data as Float32Array)
}

/** The one element of a constant. */
export function scalarOf(view: View, value: string | undefined): number | undefined {
  const numbers = numbersOf(view, value)
  return numbers?.length === 1 ? numbers[0] : undefined
}

/** True when the two are within a few float32 roundings of each other: how exporters write 1/6 or the root of 2. */
export function isNear(a: number | undefined, b: number): boolean {
  return a !== undefined && Math.abs(a - b) <= 2e-6 * Math.abs(b)
}

/** True when shapes are equal whatever the symbols are. */
export function sameDims(a: readonly Dim[] | undefined, b: readonly Dim[] | undefined): boolean {
  return a !== undefined && b !== undefined && a.length === b.length && a.every((dim, i) => equal(dim, b[i]))
}

/** A list of integers that is attribute `name`, or constant input `index`. Null: left out. Undefined: not constant. */
export function integersOf(view: View, node: Node, name: string, index: number): readonly number[] | null | undefined {
  const attribute = node.attributes[name]
  if (Array.isArray(attribute)) return attribute as number[]
  const input = node.inputs[index]
  if (input === undefined || input === '') return null
  const numbers = numbersOf(view, input)
  return numbers && Array.from(numbers)
}

/** Axes from the front, ascending; see integersOf. */
export function axesOf(view: View, node: Node, rank: number, index = 1): readonly number[] | null | undefined {
  const axes = integersOf(view, node, 'axes', index)
  return axes && axes.map((axis) => (axis < 0 ? axis + rank : axis)).sort((a, b) => a - b)
}

/** First opset whose version of the operator takes its axes as an input (ONNX changelog). */
const axesAreInputSince: Readonly<Record<string, number>> = { Squeeze: 13, Unsqueeze: 13, ReduceSum: 13 }
const axesAreInputElse = 18

/** A node over these axes in the form of the graph's opset, with the constant it may need. */
export function nodeWithAxes(
  view: View,
  node: Pick<Node, 'name' | 'op' | 'outputs'>,
  x: string,
  axes: readonly number[],
  attributes: Attributes = {},
): { node: Node; constants: Record<string, Tensor> } {
  const { axes: _, ...others } = attributes
  if (view.opset < (axesAreInputSince[node.op] ?? axesAreInputElse)) {
    return { node: { ...node, inputs: [x], attributes: { ...others, axes } }, constants: {} }
  }
  const name = view.fresh(`${node.name}/axes`)
  const constants = { [name]: new Tensor('int64', axes, [axes.length]) }
  return { node: { ...node, inputs: [x, name], attributes: others }, constants }
}

/** Bounds of a Clip whose bounds are constants; infinite where left out. */
export function clipBounds(view: View, node: Node): readonly [number, number] | undefined {
  const bound = (name: string, index: number, open: number): number | undefined => {
    const attribute = node.attributes[name]
    if (typeof attribute === 'number') return attribute
    const input = node.inputs[index]
    return input === undefined || input === '' ? open : scalarOf(view, input)
  }
  const low = bound('min', 1, -Infinity)
  const high = bound('max', 2, Infinity)
  return low === undefined || high === undefined ? undefined : [low, high]
}

/**
 * The shape operand with which Reshape makes `target` out of `source`: numbers as they are, a symbolic dim as 0 where
 * the source has the same one in the same place, one other as -1. Undefined where that is not enough, or where a dim
 * of 0 would be read as a copy.
 */
export function reshapeOperand(source: readonly Dim[], target: readonly Dim[]): number[] | undefined {
  if (target.includes(0) || source.includes(0)) return areKnown(target) && !target.includes(0) ? [...target] : undefined
  let open = 0
  const shape = target.map((dim, i) => {
    if (typeof dim === 'number') return dim
    if (i < source.length && equal(source[i], dim)) return 0
    open++
    return -1
  })
  return open <= 1 ? shape : undefined
}

/** The two operands of a binary node where exactly one is a constant: [other value, constant's name, position of the other]. */
export function splitOperands(view: View, node: Node): readonly [string, string, 0 | 1] | undefined {
  const [a, b] = node.inputs
  const [left, right] = [view.tensor(a) !== undefined, view.tensor(b) !== undefined]
  if (left === right) return undefined
  return right ? [a, b, 0] : [b, a, 1]
}
