// SPDX-License-Identifier: Apache-2.0
/** Removes nodes whose outputs nothing reads and constants nothing reads. Graph inputs stay: they are the interface. */
import { Draft } from '../ir/patch.ts'
import type { Pass } from './pass.ts'

/** `fired` counts nodes and constants removed. */
export const deadCode: Pass = {
  name: 'dead-code',
  needs: [],
  writes: [],
  run(graph, { trace }) {
    const draft = new Draft(graph)
    draft.removeDead()
    const result = draft.build()
    const left = new Set(result.nodes.map(({ name }) => name))
    const dead = [
      ...graph.nodes.flatMap(({ name }) => (left.has(name) ? [] : [{ rule: 'dead-node', node: name }])),
      ...[...graph.constants.keys()].flatMap((name) =>
        result.constants.has(name) ? [] : [{ rule: 'dead-constant', node: name }],
      ),
    ]
    for (const firing of dead) trace?.({ pass: 'dead-code', ...firing })
    return dead.length === 0 ? { graph, fired: 0 } : { graph: result, fired: dead.length }
  },
}
