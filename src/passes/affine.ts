// SPDX-License-Identifier: Apache-2.0
/**
 * Nodes that are y = x * scale + shift with constants: Mul, Add, Sub, Div with a constant operand, Neg, and
 * BatchNormalization. Scale and shift are one number, or one for each index along one axis of x. Nodes whose constant
 * would stretch x (broadcasting that changes the shape) are none.
 */
import type { Node } from '../ir/graph.ts'
import type { View } from '../ir/rewrite.ts'
import { numbersOf, scalarOf, splitOperands } from './operands.ts'

export interface Affine {
  readonly x: string
  /** Axis of x the numbers go along; null when there is one number each. */
  readonly axis: number | null
  /** As long as the axis, or 1. */
  readonly scale: readonly number[]
  readonly shift: readonly number[]
}

/** Operators `affineOf` understands. */
export const affineOps: readonly string[] = ['Mul', 'Add', 'Sub', 'Div', 'Neg', 'BatchNormalization']

/** The node as an affine map of float32 numbers, where it is one with finite constants. */
export function affineOf(view: View, node: Node): Affine | undefined {
  if (view.dtype(node.outputs[0]) !== 'float32') return undefined
  const affine =
    node.op === 'BatchNormalization'
      ? normalization(view, node)
      : node.op === 'Neg'
        ? negation(node)
        : binary(view, node)
  return affine && [...affine.scale, ...affine.shift].every(Number.isFinite) ? affine : undefined
}

/** Number i of a scale or shift of length 1 or more. */
export function at(numbers: readonly number[], i: number): number {
  return numbers.length === 1 ? numbers[0] : numbers[i]
}

function negation(node: Node): Affine {
  return { x: node.inputs[0], axis: null, scale: [-1], shift: [0] }
}

/** [scale, shift] of x op c, and of c op x. */
const binaryMaps: Readonly<
  Record<string, readonly [(c: number) => [number, number], ((c: number) => [number, number]) | null]>
> = {
  Mul: [(c) => [c, 0], (c) => [c, 0]],
  Add: [(c) => [1, c], (c) => [1, c]],
  Sub: [(c) => [1, -c], (c) => [-1, c]],
  Div: [(c) => [1 / c, 0], null],
}

function binary(view: View, node: Node): Affine | undefined {
  const operands = splitOperands(view, node)
  if (operands === undefined) return undefined
  const [x, constant, position] = operands
  const map = binaryMaps[node.op]?.[position]
  const numbers = numbersOf(view, constant)
  const axis = axisOfVector(view, x, constant)
  if (!map || numbers === undefined || axis === undefined) return undefined
  const maps = Array.from(numbers, map)
  return { x, axis, scale: maps.map(([scale]) => scale), shift: maps.map(([, shift]) => shift) }
}

/** The axis of x along which a constant operand varies; null for a single number; undefined for any other shape. */
function axisOfVector(view: View, x: string, constant: string): number | null | undefined {
  const dims = view.dims(x)
  const own = view.tensor(constant)?.dims
  if (dims === undefined || own === undefined || own.length > dims.length) return undefined
  const long = own.flatMap((dim, i) => (dim === 1 ? [] : [i + dims.length - own.length]))
  if (long.length === 0) return null
  const [axis] = long
  return long.length === 1 && dims[axis] === own[axis - dims.length + own.length] ? axis : undefined
}

function normalization(view: View, node: Node): Affine | undefined {
  const { epsilon = 1e-5, training_mode: training } = view.attributes(node)
  if (training === 1 || node.outputs.slice(1).some((output) => output !== '' && view.users(output).length > 0))
    return undefined
  const [gamma, beta, mean, variance] = node.inputs.slice(1, 5).map((name) => numbersOf(view, name))
  if (!gamma || !beta || !mean || !variance) return undefined
  const scale = Array.from(gamma, (g, i) => g / Math.sqrt(variance[i] + (epsilon as number)))
  const shift = scale.map((s, i) => beta[i] - mean[i] * s)
  return { x: node.inputs[0], axis: 1, scale, shift }
}

/** The single number a constant holds, where its shape does not stretch x. */
export function scalarOperand(view: View, x: string, constant: string): number | undefined {
  return axisOfVector(view, x, constant) === null ? scalarOf(view, constant) : undefined
}
