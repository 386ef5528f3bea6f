// SPDX-License-Identifier: Apache-2.0
/** Removes nodes whose outputs nothing reads and constants nothing reads. Graph inputs stay: they are the interface. */
import { Draft } from '../ir/patch.ts'
import type { Pass } from './pass.ts'

/** `fired` counts nodes and constants removed. */
export const deadCode: Pass = {
  name: 'dead-code',
  needs: [],
  writes: [],
  run(graph) {
    const draft = new Draft(graph)
    const nodes = draft.removeDead()
    const result = draft.build()
    const constants = graph.constants.size - result.constants.size
    return nodes + constants === 0 ? { graph, fired: 0 } : { graph: result, fired: nodes + constants }
  },
}
