// SPDX-License-Identifier: Apache-2.0
/**
 * Puts the nodes of the branch taken in the place of an If whose condition is a constant. Names of the branch that are
 * taken outside get new ones.
 */
import { type Graph, type Node, isGraph } from '../ir/graph.ts'
import { type Patch, renameReads } from '../ir/patch.ts'
import type { Rule, View } from '../ir/rewrite.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { scalarOf } from './operands.ts'
import { rulesPass } from './pass.ts'

const inline: Rule = {
  name: 'constant-if',
  ops: ['If'],
  match(node, view) {
    const condition = scalarOf(view, node.inputs[0])
    const branch =
      condition === undefined ? undefined : node.attributes[condition !== 0 ? 'then_branch' : 'else_branch']
    return isGraph(branch) ? inlined(node, branch, view) : undefined
  },
}

function inlined(node: Node, branch: Graph, view: View): Patch | undefined {
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
  const results = node.outputs.flatMap((output, i): Node[] => {
    const from = branch.outputs[i].name
    const identity = {
      name: view.fresh(`${node.name}/${i}`),
      op: 'Identity',
      inputs: [names.get(from) ?? from],
      attributes: {},
    }
    return output === '' ? [] : [{ ...identity, outputs: [output] }]
  })
  return { constants, nodes: [...nodes, ...results] }
}

function renamed(node: Node, names: ReadonlyMap<string, string>): Node {
  return [...names].reduce((changed, [from, to]) => renameReads(changed, from, to), node)
}

/** See the head of this file. */
export const inlineConstantIf = rulesPass('inline-constant-if', [inline], { writes: ['Identity'] })
