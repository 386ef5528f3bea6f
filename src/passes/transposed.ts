// SPDX-License-Identifier: Apache-2.0
/**
 * What the rules of sink-transposes share: seeing a value as a permuted other value, other operands permuted likewise,
 * and the patch that does a node on the unpermuted value and permutes behind.
 */
import { isKnown } from '../ir/dim.ts'
import type { Node } from '../ir/graph.ts'
import type { Patch } from '../ir/patch.ts'
import type { View } from '../ir/rewrite.ts'
import { sizeOf } from '../tensor/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import { nodeWithIntegers, reshapeOperand } from './operands.ts'
import { canPermute, inverse, isIdentity, permuteTensor, permuted } from './permute-tensor.ts'
import { permOf } from './remove-no-ops.ts'

/** A value that is `x` with its axes in the order of `perm`. */
export interface Transposed {
  readonly x: string
  readonly perm: readonly number[]
}

export function transposedOf(view: View, value: string | undefined): Transposed | undefined {
  const node = view.producer(value, 'Transpose')
  const perm = node && permOf(node, view)
  return node !== undefined && perm !== undefined ? { x: node.inputs[0], perm } : undefined
}

/** An operand as it has to be for a node that works on unpermuted values, with what has to be made for it. */
interface Operand {
  readonly name: string
  readonly patch: Patch
}

/**
 * `value` such that Transpose(op(x, result)) = op(Transpose(x), value): the source of an equal Transpose, a permuted
 * constant, a value of one element as it is, or a value whose permutation moves axes of length 1 alone.
 */
export function unpermuted(view: View, value: string, perm: readonly number[]): Operand | undefined {
  const own = transposedOf(view, value)
  if (own !== undefined && String(own.perm) === String(perm)) return { name: own.x, patch: {} }
  const dims = view.dims(value)
  if (dims === undefined || dims.length > perm.length) return undefined
  if (dims.every((dim) => dim === 1)) return { name: value, patch: {} }
  const back = inverse(perm)
  const tensor = view.tensor(value)
  if (tensor !== undefined) {
    if (!canPermute(tensor)) return undefined
    const whole = [...new Array<number>(perm.length - tensor.dims.length).fill(1), ...tensor.dims]
    const name = view.fresh(value)
    return { name, patch: { constants: { [name]: permuteTensor(new Tensor(tensor.type, tensor.data, whole), back) } } }
  }
  if (dims.length !== perm.length || !movesOnesOnly(dims, back)) return undefined
  // as a Transpose it would be pushed on in its turn
  const operand = reshapeOperand(dims, permuted(dims, back))
  if (operand === undefined) return undefined
  const name = view.fresh(`${value}/permuted`)
  const reshape = { name, op: 'Reshape', outputs: [name], attributes: {} }
  return { name, patch: nodeWithIntegers(view, reshape, value, operand) }
}

/** True when a permutation of these dims leaves the elements where they are in memory. */
export function movesOnesOnly(dims: readonly unknown[], perm: readonly number[]): boolean {
  const moved = perm.filter((axis) => dims[axis] !== 1)
  return moved.every((axis, i) => i === 0 || moved[i - 1] < axis)
}

/** A node, with constants and nodes it needs in front of it. */
export interface Inner {
  readonly nodes: readonly [...Node[], Node]
  readonly constants?: Readonly<Record<string, Tensor>>
}

/** `inner`, its last node making one value, followed by a Transpose that makes `output`; by none where it would do nothing. */
export function permutedBehind(
  view: View,
  { nodes, constants = {} }: Inner,
  output: string,
  perm: readonly number[],
): Patch {
  const [last] = nodes.slice(-1)
  const before = nodes.slice(0, -1)
  if (isIdentity(perm)) return { constants, nodes: [...before, { ...last, outputs: [output] }] }
  const result = view.fresh(`${output}/unpermuted`)
  const name = view.fresh(`${last.name}/transpose`)
  const behind: Node = { name, op: 'Transpose', inputs: [result], outputs: [output], attributes: { perm } }
  return { constants, nodes: [...before, { ...last, outputs: [result] }, behind] }
}

/** True when all dims are numbers and none is 0. */
export function hasKnownSize(dims: readonly unknown[] | undefined): dims is readonly number[] {
  return dims !== undefined && dims.every((dim) => isKnown(dim as number)) && sizeOf(dims as number[]) > 0
}
