// SPDX-License-Identifier: Apache-2.0
/**
 * Puts both branches of an If whose condition is computed into the graph around it, so that passes, quantisation and
 * kernels reach them; a Select for each output takes one. The runtime runs nothing that only the other branch needs.
 */
import { type Node, isGraph } from '../ir/graph.ts'
import type { Rule } from '../ir/rewrite.ts'
import { inlineBranch } from './branch.ts'
import { rulesPass } from './pass.ts'

const inline: Rule = {
  name: 'computed-if',
  ops: ['If'],
  match(node, view) {
    const { then_branch: ofThen, else_branch: ofElse } = node.attributes
    if (!isGraph(ofThen) || !isGraph(ofElse)) return undefined
    const [a, b] = [inlineBranch(node, ofThen, view), inlineBranch(node, ofElse, view)]
    if (a === undefined || b === undefined) return undefined
    const selects = node.outputs.flatMap((output, i): Node[] => {
      const name = view.fresh(`${node.name}/${i}`)
      const inputs = [node.inputs[0], a.outputs[i], b.outputs[i]]
      return output === '' ? [] : [{ name, op: 'whittle.Select', inputs, outputs: [output], attributes: {} }]
    })
    return { constants: { ...a.constants, ...b.constants }, nodes: [...a.nodes, ...b.nodes, ...selects] }
  },
}

/** See the head of this file. */
export const inlineIf = rulesPass('inline-if', [inline], { needs: ['inline-constant-if'], writes: ['whittle.Select'] })
