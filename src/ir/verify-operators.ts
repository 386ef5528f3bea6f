// SPDX-License-Identifier: Apache-2.0
/**
 * What a graph must hold with its operators: rows beside those of verify.ts. At last the whole graph is inferred, only
 * where all rows are content.
 */
import { WhittleError } from '../base/errors.ts'
import { describeNode, resolveAttributes, unknownAttributes } from './attributes.ts'
import type { Graph, Node } from './graph.ts'
import { definitionOf, inferGraph } from './infer.ts'
import type { OpSet } from './op-set.ts'
import { type Row, type View, type Violation, report, violations } from './verify.ts'

const rows: readonly { readonly name: string; check(view: View, opSet: OpSet): Iterable<string> }[] = [
  { name: 'operators are known', check: checkOperators },
  { name: 'inputs and outputs are as many as the operator has', check: checkArity },
  { name: 'attributes are those of the operator', check: checkAttributes },
]

/** @throws GraphError that names the first thing wrong with the graph, and how many more there are */
export function verifyOperators(graph: Graph, opSet: OpSet): void {
  report(graph, operatorViolations(graph, opSet))
}

/** Everything that is wrong with the graph and its operators; empty when nothing is. */
export function operatorViolations(graph: Graph, opSet: OpSet): Violation[] {
  const held = rows.map(({ name, check }): Row => ({ name, check: (view) => check(view, opSet) }))
  const found = violations(graph, held)
  if (found.length > 0) return found
  return Array.from(checkTypes(graph, opSet), (message) => ({ row: 'types agree', message }))
}

function* checkOperators({ graph }: View, opSet: OpSet): Iterable<string> {
  for (const node of graph.nodes) yield* messageOf(() => definitionOf(node, opSet))
}

function* checkArity({ graph }: View, opSet: OpSet): Iterable<string> {
  for (const node of graph.nodes) {
    const def = opSet.get(node.op)
    if (def === undefined) continue
    yield* outside(node, 'inputs', trimmed(node.inputs), def.inputs)
    yield* outside(node, 'outputs', trimmed(node.outputs), def.outputs ?? [1, 1])
  }
}

/** Number of names without those left out at the end. */
function trimmed(names: readonly string[]): number {
  let count = names.length
  while (count > 0 && names[count - 1] === '') count--
  return count
}

function* outside(node: Node, what: string, count: number, [least, most]: readonly [number, number]): Iterable<string> {
  if (count >= least && count <= most) return
  yield `${describeNode(node)} with ${count} ${what}, where ${least === most ? least : `${least} to ${most}`} belong`
}

function* checkAttributes({ graph }: View, opSet: OpSet): Iterable<string> {
  for (const node of graph.nodes) {
    const def = opSet.get(node.op)
    if (def === undefined) continue
    yield* unknownAttributes(node, def)
    yield* messageOf(() => resolveAttributes(node, def))
  }
}

function* checkTypes(graph: Graph, opSet: OpSet): Iterable<string> {
  const infos = new Map<string, { dtype: string }>()
  yield* messageOf(() => {
    for (const [name, info] of inferGraph(graph, opSet)) infos.set(name, info)
  })
  for (const { name, dtype } of graph.outputs) {
    const found = infos.get(name)?.dtype ?? dtype
    if (found !== dtype) yield `output '${name}' declared ${dtype}, made as ${found}`
  }
}

function* messageOf(body: () => unknown): Iterable<string> {
  try {
    body()
  } catch (error) {
    if (!(error instanceof WhittleError)) throw error
    yield error.message
  }
}
