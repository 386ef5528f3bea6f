// SPDX-License-Identifier: Apache-2.0
/**
 * A branch of an If as nodes of the graph around it. Names of the branch that are taken outside get new ones; constants
 * come along. Nothing is put in the place of the If's outputs: that is the caller's.
 */
import type { Graph, Node } from '../ir/graph.ts'
import { renameReads } from '../ir/patch.ts'
import type { View } from '../ir/rewrite.ts'
import type { Tensor } from '../tensor/tensor.ts'

/** The nodes of a branch under fresh names, its constants, and the names of its outputs there. */
export interface Inlined {
  readonly constants: Readonly<Record<string, Tensor>>
  readonly nodes: readonly Node[]
  readonly outputs: readonly string[]
}

/** A branch of `node` inlined; undefined where the bytes of a constant are not at hand. */
export function inlineBranch(node: Node, branch: Graph, view: View): Inlined | undefined {
  const names = new Map<string, string>()
  const constants: Record<string, Tensor> = {}
  for (const [name, { tensor }] of branch.constants) {
    if (tensor === undefined) return undefined
    names.set(name, view.fresh(`${node.name}/${name}`))
    constants[names.get(name)!] = tensor
  }
  for (const inner of branch.nodes) {
    for (const output of inner.outputs) if (output !== '') names.set(output, view.fresh(`${node.name}/${output}`))
  }
  const nodes = branch.nodes.map((inner): Node => ({
    ...renamed(inner, names),
    name: view.fresh(`${node.name}/${inner.name}`),
    outputs: inner.outputs.map((output) => names.get(output) ?? ''),
  }))
  return { constants, nodes, outputs: branch.outputs.map(({ name }) => names.get(name) ?? name) }
}

function renamed(node: Node, names: ReadonlyMap<string, string>): Node {
  return [...names].reduce((changed, [from, to]) => renameReads(changed, from, to), node)
}
