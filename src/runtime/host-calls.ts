// SPDX-License-Identifier: Apache-2.0
/**
 * Nodes without kernels, run by their references on the host. Imported on demand: a model whose operators all have
 * kernels never fetches this file, the references or the evaluator.
 */
import { type Node, subgraphsOf } from '../ir/graph.ts'
import type { OpSet } from '../ir/op-set.ts'
import { evaluateNode, operatorsOf } from '../ops/evaluate.ts'
import { loadReferences } from '../ops/references.ts'
import type { EvaluateHost } from './execute.ts'

/** An evaluator for these nodes and the graphs inside them. */
export async function hostEvaluator(nodes: readonly Node[], opset: number, ops: OpSet): Promise<EvaluateHost> {
  const operators = nodes.flatMap((node) => [node.op, ...subgraphsOf(node).flatMap((graph) => [...operatorsOf(graph)])])
  const evaluator = { ops, references: await loadReferences(operators) }
  return ({ node }, value) => {
    const inputs = node.inputs.map((name) => (name === '' ? null : (value(name) ?? null)))
    return evaluateNode(evaluator, node, inputs, opset, value)
  }
}
