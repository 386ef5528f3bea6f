// SPDX-License-Identifier: Apache-2.0
/**
 * Reading the operands of a node as a rule needs them: constants as numbers, axes, bounds, targets of Reshape; and
 * writing axes and targets as the constants they are. Graphs come in the newest form of every operator (model/upgrade),
 * so there is one form of each.
 */
import { equalBytes } from '../base/bytes.ts'
import { type Dim, areKnown, equal } from '../ir/dim.ts'
import type { Node } from '../ir/graph.ts'
import type { View } from '../ir/rewrite.ts'
import { dtypes } from '../tensor/dtype.ts'
import { Tensor, bytesOf } from '../tensor/tensor.ts'

/** Elements of a constant as numbers: float32, float64, integers and bools; undefined for others and for values that are no constant. */
export function numbersOf(view: View, value: string | undefined): ArrayLike<number> | undefined {
  const tensor = view.tensor(value)
  if (tensor === undefined) return undefined
  const { bits, kind } = dtypes[tensor.type]
  if (kind === 'string' || bits < 8 || (kind === 'float' && bits < 32)) return undefined
  return kind !== 'float' && bits === 64
    ? Array.from(tensor.data as BigInt64Array, Number)
    : (tensor.data as Float32Array)
}

/**
 * The name under which a graph holds `tensor`, and the constants to add for that: none where `key` names a constant of
 * that very content already, as it does when another node made it.
 */
export function sharedConstant(view: View, key: string, tensor: Tensor): [name: string, added: Record<string, Tensor>] {
  const known = view.tensor(key)
  const same =
    known?.type === tensor.type && sameDims(known.dims, tensor.dims) && equalBytes(bytesOf(known), bytesOf(tensor))
  if (same) return [key, {}]
  const name = view.fresh(key)
  return [name, { [name]: tensor }]
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

/** A list of integers that is constant input `index`. Null: left out. Undefined: not constant. */
export function integersOf(view: View, node: Node, index: number): readonly number[] | null | undefined {
  const input = node.inputs[index]
  if (input === undefined || input === '') return null
  const numbers = numbersOf(view, input)
  return numbers && Array.from(numbers)
}

/** Axes from the front, ascending; see integersOf. */
export function axesOf(view: View, node: Node, rank: number): readonly number[] | null | undefined {
  const axes = integersOf(view, node, 1)
  return axes && axes.map((axis) => (axis < 0 ? axis + rank : axis)).sort((a, b) => a - b)
}

/** A node of x and a constant of integers (axes, a shape, pads), before more inputs, with that constant. */
export function nodeWithIntegers(
  view: View,
  node: Omit<Node, 'inputs'>,
  x: string,
  integers: readonly number[],
  more: readonly string[] = [],
): { readonly nodes: readonly [Node]; readonly constants: Record<string, Tensor> } {
  const name = view.fresh(`${node.name}/${integerNames[node.op] ?? 'axes'}`)
  const constants = { [name]: new Tensor('int64', integers, [integers.length]) }
  return { nodes: [{ ...node, inputs: [x, name, ...more] }], constants }
}

const integerNames: Readonly<Record<string, string>> = { Reshape: 'shape', Pad: 'pads' }

/** Bounds of a Clip whose bounds are constants; infinite where left out. */
export function clipBounds(view: View, node: Node): readonly [number, number] | undefined {
  const bound = (index: number, open: number): number | undefined =>
    (node.inputs[index] ?? '') === '' ? open : scalarOf(view, node.inputs[index])
  const low = bound(1, -Infinity)
  const high = bound(2, Infinity)
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
