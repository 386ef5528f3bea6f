// SPDX-License-Identifier: Apache-2.0
/**
 * Products as trees: exporters write x * f(x) * c in any order and nesting, with Div for 1 / c. `factorsOf` takes a
 * tree of Mul and Div apart into a constant and a list of factors, so that a rule compares these and not orders. Inner
 * products that something else reads are factors, not taken apart. Pow by a small integer counts as repeated factors.
 */
import type { Node } from '../ir/graph.ts'
import type { View } from '../ir/rewrite.ts'
import { scalarOperand } from './affine.ts'
import { sameDims } from './operands.ts'

export interface Factors {
  /** Product of the constant numbers. */
  readonly constant: number
  /** The values multiplied, each as often as it occurs. */
  readonly values: readonly string[]
  /** Nodes of the tree, root first. */
  readonly nodes: readonly Node[]
}

/** The factors of the value a Mul or Div makes; float32 only. Values that are no product are their own only factor. */
export function factorsOf(view: View, value: string): Factors {
  return factors(view, value, true)
}

function factors(view: View, value: string, isRoot: boolean): Factors {
  const leaf: Factors = { constant: 1, values: [value], nodes: [] }
  const node =
    view.dtype(value) === 'float32' && (isRoot || view.isPrivate(value))
      ? view.producer(value, 'Mul', 'Div', 'Pow')
      : undefined
  if (node === undefined) return leaf
  const [a, b] = node.inputs
  const [left, right] = [scalarOperand(view, b, a), scalarOperand(view, a, b)]
  if (node.op === 'Pow') return power(view, node, a, right) ?? leaf
  if (node.op === 'Div') return right === undefined ? leaf : joined(node, factors(view, a, false), 1 / right)
  if (right !== undefined) return joined(node, factors(view, a, false), right)
  if (left !== undefined) return joined(node, factors(view, b, false), left)
  if (!sameDims(view.dims(a), view.dims(b))) return leaf
  const [p, q] =
    a === b
      ? [factors(view, a, false), { constant: 1, values: [b], nodes: [] }]
      : [factors(view, a, false), factors(view, b, false)]
  return {
    constant: p.constant * q.constant,
    values: [...p.values, ...q.values],
    nodes: [node, ...p.nodes, ...q.nodes],
  }
}

function joined(node: Node, { constant, values, nodes }: Factors, by: number): Factors {
  return { constant: constant * by, values, nodes: [node, ...nodes] }
}

function power(view: View, node: Node, base: string, exponent: number | undefined): Factors | undefined {
  if (exponent !== 2 && exponent !== 3) return undefined
  const { constant, values, nodes } = factors(view, base, false)
  return {
    constant: constant ** exponent,
    values: Array.from({ length: exponent }, () => values).flat(),
    nodes: [node, ...nodes],
  }
}

/** The other operand of an Add of a constant number (in either order), and the number. */
export function sumWithConstant(view: View, node: Node | undefined): readonly [string, number] | undefined {
  if (node?.op !== 'Add') return undefined
  const [a, b] = node.inputs
  const right = scalarOperand(view, a, b)
  if (right !== undefined) return [a, right]
  const left = scalarOperand(view, b, a)
  return left === undefined ? undefined : [b, left]
}

/** True when only these nodes read the value. */
export function isReadOnlyBy(view: View, value: string, nodes: readonly (Node | undefined)[]): boolean {
  const names = nodes.map((node) => node?.name)
  return !view.isOutput(value) && view.users(value).every((user) => names.includes(user.name))
}
