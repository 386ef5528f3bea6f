// SPDX-License-Identifier: Apache-2.0
/**
 * Select in a graph that is to run: what leads to its condition runs first, and once the condition is known the graph
 * loses everything that only the value not taken needs. So an error in the branch not taken is none.
 */
import { GraphError } from '../base/errors.ts'
import { describeNode } from '../ir/attributes.ts'
import { areKnown } from '../ir/dim.ts'
import type { Graph, Node, ValueInfo } from '../ir/graph.ts'
import { contentOf } from '../ir/infer.ts'
import { readNames } from '../ir/topo.ts'
import { sizeOf } from '../tensor/shape.ts'

/** True for a node that takes one of two values by a condition. */
function isChoice({ op, inputs }: Node): boolean {
  return op === 'whittle.Select' && inputs[1] !== inputs[2]
}

/** A graph cut where conditions are known. */
export interface Cut {
  /** What leads to the conditions; its outputs are what the rest reads of it. */
  readonly lead: Graph
  /** The remaining nodes. */
  readonly tail: readonly Node[]
  readonly conditions: readonly string[]
}

/** @throws GraphError naming the node when a condition is there and not one truth value: nothing would ever tell what to take */
function conditionOf(node: Node, infos: ReadonlyMap<string, ValueInfo>, graph: Graph): number | undefined {
  const name = node.inputs[0]
  const info = infos.get(name)
  const of = graph.constants.get(name) ?? info
  if (of?.dims && areKnown(of.dims) && (of.dtype !== 'bool' || sizeOf(of.dims) !== 1)) {
    const got = `${of.dtype} of [${of.dims.join(', ')}]`
    throw new GraphError({ where: describeNode(node), expected: 'a condition that is one bool', got })
  }
  const tensor = graph.constants.get(name)?.tensor ?? info?.tensor
  const known = tensor ? contentOf(tensor)?.[0] : info?.content?.[0]
  return typeof known === 'number' ? known : undefined
}

/** The graph with every Select whose condition is known left with the value it takes, without what nobody reads. */
export function withoutUntaken(graph: Graph, infos: ReadonlyMap<string, ValueInfo>): Graph {
  if (!graph.nodes.some(isChoice)) return graph
  const nodes = graph.nodes.map((node) => {
    const condition = isChoice(node) ? conditionOf(node, infos, graph) : undefined
    if (condition === undefined) return node
    const taken = node.inputs[condition !== 0 ? 1 : 2]
    return { ...node, inputs: [node.inputs[0], taken, taken] }
  })
  const outputs = graph.outputs.map(({ name }) => name)
  return { ...graph, nodes: nodesBehind({ ...graph, nodes }, outputs, readNames) }
}

/** Cuts a graph behind the conditions of those Selects that are run in any case; undefined where it has none. */
export function cutAtConditions(graph: Graph): Cut | undefined {
  if (!graph.nodes.some(isChoice)) return undefined
  const outputs = graph.outputs.map(({ name }) => name)
  const certain = nodesBehind(graph, outputs, (node) => (isChoice(node) ? [node.inputs[0]] : readNames(node)))
  const conditions = certain
    .filter(isChoice)
    .map(({ inputs }) => inputs[0])
    .filter((name) => nodesBehind(graph, [name], readNames).every((node) => !isChoice(node)))
  if (conditions.length === 0) return undefined
  const first = new Set(nodesBehind(graph, conditions, readNames))
  const tail = graph.nodes.filter((node) => !first.has(node))
  const read = new Set([...tail.flatMap(readNames), ...outputs])
  const handed = [...first].flatMap((node) => node.outputs).filter((name) => read.has(name))
  const lead = {
    ...graph,
    nodes: [...first],
    outputs: handed.map((name) => ({ name, dtype: 'float32' as const, dims: null })),
  }
  return { lead, tail, conditions: [...new Set(conditions)] }
}

/**
 * A graph without what the known conditions leave out, and where it is to be cut for those that are not known.
 * @param isGiven tells conditions that an earlier graph was run to learn
 * @param infer what is known of the values of a graph: of conditions that hang on words of the input, for one
 * @throws GraphError for a condition that is there and is no truth value
 */
export function cutBranches(
  graph: Graph,
  infos: ReadonlyMap<string, ValueInfo>,
  isGiven: (name: string, isConstant: boolean) => boolean,
  infer: (lead: Graph) => ReadonlyMap<string, ValueInfo>,
): { readonly whole: Graph; readonly cut: Cut | undefined } {
  let whole = withoutUntaken(graph, infos)
  let cut = cutAtConditions(whole)
  while (cut && cut.lead.nodes.length > 0) {
    const found = infer(cut.lead)
    const known = cut.conditions.filter((name) => typeof found.get(name)?.content?.[0] === 'number')
    if (known.length === 0) break
    whole = withoutUntaken(whole, new Map([...infos, ...known.map((name) => [name, found.get(name)!] as const)]))
    cut = cutAtConditions(whole)
  }
  const isThere = (name: string): boolean => isGiven(name, whole.constants.has(name))
  if (cut?.lead.nodes.length === 0 && cut.conditions.every(isThere)) {
    const [name] = cut.conditions
    throw new GraphError({ where: `condition '${name}'`, expected: 'one truth value', got: 'none that is known' })
  }
  return { whole, cut }
}

/**
 * Inputs that conditions depend on; none where they depend on other data too: models are steered by a few words (a
 * sample rate, a flag), and once those are known so are the conditions.
 */
export function steeringInputs(graph: Graph): ReadonlySet<string> {
  const cut = cutAtConditions(graph)
  if (!cut) return new Set()
  const lead = nodesBehind(graph, cut.conditions, readNames)
  const read = new Set([...cut.conditions, ...lead.flatMap(readNames)])
  const inputs = graph.inputs.filter(({ name }) => read.has(name))
  const isWord = ({ dtype }: (typeof inputs)[number]): boolean =>
    dtype === 'int64' || dtype === 'int32' || dtype === 'bool'
  return new Set(inputs.every(isWord) ? inputs.map(({ name }) => name) : [])
}

/** Nodes that these values depend on, in the graph's order. */
function nodesBehind(graph: Graph, names: readonly string[], reads: (node: Node) => readonly string[]): Node[] {
  const needed = new Set(names)
  const kept = [...graph.nodes].reverse().filter((node) => {
    if (!node.outputs.some((name) => needed.has(name))) return false
    for (const name of reads(node)) needed.add(name)
    return true
  })
  return kept.reverse()
}
