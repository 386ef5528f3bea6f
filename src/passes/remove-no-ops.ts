// SPDX-License-Identifier: Apache-2.0
/**
 * Removes nodes that give back what they are given. A row says for one or more operators when that is so; the value is
 * then read where it comes from. Only what is exact goes: x * 1 and x - 0 do, x + 0 does not for floats, since it turns
 * -0 into 0. Chains of Transpose or Reshape become one node.
 */
import type { Node } from '../ir/graph.ts'
import type { Patch } from '../ir/patch.ts'
import type { Rule, View } from '../ir/rewrite.ts'
import { dtypes } from '../tensor/dtype.ts'
import { axesOf, clipBounds, integersOf, nodeWithIntegers, numbersOf, reshapeOperand, sameDims } from './operands.ts'
import { rulesPass } from './pass.ts'
import { composed, isIdentity } from './permute-tensor.ts'

/** The input a node gives back unchanged, or undefined. */
type SameAs = (node: Node, view: View) => string | undefined

const first: SameAs = (node) => node.inputs[0]

/** The first input, when the output certainly has its type and dims. */
const sameShape: SameAs = ({ inputs: [x], outputs: [y] }, view) =>
  view.dtype(x) === view.dtype(y) && sameDims(view.dims(x), view.dims(y)) ? x : undefined

const soleInput: SameAs = (node) => (node.inputs.length === 1 ? node.inputs[0] : undefined)

/** The other operand of a constant all of whose elements pass, where it has the output's dims. */
function neutral(sides: readonly (0 | 1)[], isNeutral: (element: number, isFloat: boolean) => boolean): SameAs {
  return (node, view) => {
    for (const side of sides) {
      const x = node.inputs[side]
      const dtype = view.dtype(x)
      const numbers = numbersOf(view, node.inputs[1 - side])
      if (dtype === undefined || numbers === undefined || !sameDims(view.dims(x), view.dims(node.outputs[0]))) continue
      const isFloat = dtypes[dtype].kind === 'float'
      if (Array.from(numbers).every((element) => isNeutral(element, isFloat))) return x
    }
    return undefined
  }
}

const isOne = (element: number): boolean => element === 1

const dropout: SameAs = (node, view) => {
  const mask = node.outputs[1] ?? ''
  if (mask !== '' && (view.users(mask).length > 0 || view.isOutput(mask))) return undefined
  const training = node.inputs[2] ?? ''
  return training === '' || numbersOf(view, training)?.[0] === 0 ? node.inputs[0] : undefined
}

const noPads: SameAs = (node, view) =>
  integersOf(view, node, 1)?.every((pad) => pad === 0) === true ? node.inputs[0] : undefined

const noAxes: SameAs = (node, view) => {
  const rank = view.dims(node.inputs[0])?.length
  return rank !== undefined && axesOf(view, node, rank)?.length === 0 ? node.inputs[0] : undefined
}

const wholeSlice: SameAs = (node, view) => {
  const steps = integersOf(view, node, 4)
  if (steps === undefined || steps?.some((step) => step < 0) === true) return undefined
  return sameShape(node, view)
}

const openClip: SameAs = (node, view) => {
  const [low, high] = clipBounds(view, node) ?? [0, 0]
  return low === -Infinity && high === Infinity ? node.inputs[0] : undefined
}

const identityPerm: SameAs = (node, view) => {
  const perm = permOf(node, view)
  return perm !== undefined && isIdentity(perm) ? node.inputs[0] : undefined
}

const rows: Readonly<Record<string, SameAs>> = {
  Identity: first,
  Dropout: dropout,
  Cast: sameShape,
  Reshape: sameShape,
  Flatten: sameShape,
  Expand: sameShape,
  Slice: wholeSlice,
  Squeeze: sameShape,
  Unsqueeze: noAxes,
  Transpose: identityPerm,
  Pad: noPads,
  Clip: openClip,
  Concat: soleInput,
  Sum: soleInput,
  Max: soleInput,
  Min: soleInput,
  Mean: soleInput,
  Mul: neutral([0, 1], isOne),
  Div: neutral([0], isOne),
  Pow: neutral([0], isOne),
  Add: neutral([0, 1], (element, isFloat) => (isFloat ? Object.is(element, -0) : element === 0)),
  Sub: neutral([0], (element, isFloat) => (isFloat ? Object.is(element, 0) : element === 0)),
}

/** The permutation of a Transpose; reversed axes where the attribute is left out. */
export function permOf(node: Node, view: View): readonly number[] | undefined {
  const perm = node.attributes.perm as readonly number[] | undefined
  const rank = view.dims(node.inputs[0])?.length
  return perm ?? (rank === undefined ? undefined : Array.from({ length: rank }, (_, i) => rank - 1 - i))
}

const removal: Rule = {
  name: 'no-op',
  ops: Object.keys(rows),
  match(node, view) {
    const same = rows[node.op](node, view)
    if (same === undefined || same === '' || !view.canReplace(node.outputs[0], same)) return undefined
    return { replace: { [node.outputs[0]]: same } }
  },
}

/** Two Transposes in a row as one. */
export const mergeTransposes: Rule = {
  name: 'double-transpose',
  ops: ['Transpose'],
  match(node, view): Patch | undefined {
    const inner = view.producer(node.inputs[0], 'Transpose')
    const [first, second] = [inner && permOf(inner, view), permOf(node, view)]
    if (inner === undefined || first === undefined || second === undefined) return undefined
    const perm = composed(first, second)
    if (isIdentity(perm) && view.canReplace(node.outputs[0], inner.inputs[0])) {
      return { replace: { [node.outputs[0]]: inner.inputs[0] } }
    }
    return { nodes: [{ ...node, inputs: [inner.inputs[0]], attributes: { perm } }] }
  },
}

/** Operators that only give the same elements other dims. */
const reshapes = ['Reshape', 'Squeeze', 'Unsqueeze', 'Flatten']

/** Two Reshapes in a row as one, where the target can be said from the first's input. */
const mergeReshapes: Rule = {
  name: 'double-reshape',
  ops: reshapes,
  match(node, view) {
    const inner = view.producer(node.inputs[0], ...reshapes)
    const x = inner?.inputs[0]
    const [source, target] = [view.dims(x), view.dims(node.outputs[0])]
    if (x === undefined || source === undefined || target === undefined) return undefined
    const operand = reshapeOperand(source, target)
    if (operand === undefined) return undefined
    return nodeWithIntegers(view, { ...node, op: 'Reshape', attributes: {} }, x, operand)
  },
}

/** See the head of this file. */
export const removeNoOps = rulesPass('remove-no-ops', [removal, mergeTransposes, mergeReshapes], {
  writes: ['Reshape'],
})
