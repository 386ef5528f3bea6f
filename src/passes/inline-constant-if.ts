// SPDX-License-Identifier: Apache-2.0
/**
 * Puts the nodes of the branch taken in the place of an If whose condition is a constant, and the value chosen in the
 * place of a Select.
 */
import { type Node, isGraph } from '../ir/graph.ts'
import type { Rule } from '../ir/rewrite.ts'
import { inlineBranch } from './branch.ts'
import { scalarOf } from './operands.ts'
import { rulesPass } from './pass.ts'

const inline: Rule = {
  name: 'constant-if',
  ops: ['If'],
  match(node, view) {
    const condition = scalarOf(view, node.inputs[0])
    const branch =
      condition === undefined ? undefined : node.attributes[condition !== 0 ? 'then_branch' : 'else_branch']
    const taken = isGraph(branch) ? inlineBranch(node, branch, view) : undefined
    if (taken === undefined) return undefined
    const results = node.outputs.flatMap((output, i): Node[] => {
      const name = view.fresh(`${node.name}/${i}`)
      const identity = { name, op: 'Identity', inputs: [taken.outputs[i]], attributes: {} }
      return output === '' ? [] : [{ ...identity, outputs: [output] }]
    })
    return { constants: taken.constants, nodes: [...taken.nodes, ...results] }
  },
}

const choose: Rule = {
  name: 'constant-select',
  ops: ['whittle.Select'],
  match(node, view) {
    const condition = scalarOf(view, node.inputs[0])
    if (condition === undefined) return undefined
    const input = node.inputs[condition !== 0 ? 1 : 2]
    return { nodes: [{ ...node, op: 'Identity', inputs: [input], attributes: {} }] }
  },
}

/** See the head of this file. */
export const inlineConstantIf = rulesPass('inline-constant-if', [inline, choose], { writes: ['Identity'] })
