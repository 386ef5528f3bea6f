// SPDX-License-Identifier: Apache-2.0
/**
 * Who makes and who uses a value, and in what order nodes can run. A node uses its inputs and whatever its subgraphs
 * read from the graphs around them ("captures"); every function here counts both.
 */
import { GraphError } from '../base/errors.ts'
import { describeNode } from './attributes.ts'
import { type Graph, type Node, subgraphsOf } from './graph.ts'

/** Producers and users of the values of one graph (not of the graphs inside it). */
export interface GraphIndex {
  readonly producers: ReadonlyMap<string, Node>
  /** Each node once for a value, however often it reads it; captures included. */
  readonly users: ReadonlyMap<string, readonly Node[]>
  readonly outputs: ReadonlySet<string>
}

/** Names the graph reads but does not define. */
export function capturedNames(graph: Graph): Set<string> {
  const defined = new Set<string>([...graph.inputs.map((input) => input.name), ...graph.constants.keys()])
  for (const node of graph.nodes) for (const output of node.outputs) defined.add(output)
  const captured = new Set<string>()
  for (const name of [...graph.nodes.flatMap(readNames), ...graph.outputs.map((output) => output.name)]) {
    if (!defined.has(name)) captured.add(name)
  }
  return captured
}

/** Names a node reads, each once: inputs that are not left out, and captures of its subgraphs. */
export function readNames(node: Node): string[] {
  const names = new Set(node.inputs)
  for (const graph of subgraphsOf(node)) for (const name of capturedNames(graph)) names.add(name)
  names.delete('')
  return [...names]
}

/** The graph's index. @throws GraphError when a name has two producers */
export function indexGraph(graph: Graph): GraphIndex {
  const producers = new Map<string, Node>()
  const users = new Map<string, Node[]>()
  for (const node of graph.nodes) {
    for (const output of node.outputs) {
      if (output === '') continue
      const other = producers.get(output)
      if (other !== undefined) {
        throw new GraphError({
          where: describeNode(node),
          expected: `outputs of its own`,
          got: `'${output}', which ${describeNode(other)} has`,
        })
      }
      producers.set(output, node)
    }
    for (const name of readNames(node)) {
      const list = users.get(name)
      if (list === undefined) users.set(name, [node])
      else list.push(node)
    }
  }
  return { producers, users, outputs: new Set(graph.outputs.map((output) => output.name)) }
}

/** The nodes so that each stands behind those it reads from; order is kept where it can be. @throws GraphError for a cycle */
export function sortNodes(nodes: readonly Node[]): Node[] {
  const producers = new Map<string, Node>()
  for (const node of nodes) for (const output of node.outputs) if (output !== '') producers.set(output, node)
  const state = new Map<Node, 'open' | 'done'>()
  const sorted: Node[] = []
  for (const root of nodes) {
    const stack = [root]
    while (stack.length > 0) {
      const node = stack[stack.length - 1]
      if (state.get(node) === 'done') {
        stack.pop()
        continue
      }
      const before = readNames(node)
        .map((name) => producers.get(name))
        .filter((other): other is Node => other !== undefined && state.get(other) !== 'done')
      if (before.length === 0) {
        state.set(node, 'done')
        sorted.push(node)
        stack.pop()
        continue
      }
      if (state.get(node) === 'open') {
        const onStack = before.find((other) => state.get(other) === 'open') ?? before[0]
        throw new GraphError({
          where: describeNode(node),
          expected: 'inputs made before it',
          got: `a cycle through ${describeNode(onStack)}`,
        })
      }
      state.set(node, 'open')
      for (const other of before.reverse()) stack.push(other)
    }
  }
  return sorted
}

/** The nodes the graph's outputs depend on, in their order. */
export function reachableNodes(graph: Graph): Node[] {
  const needed = new Set(graph.outputs.map((output) => output.name))
  const kept: Node[] = []
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some((output) => needed.has(output))) continue
    kept.push(node)
    for (const name of readNames(node)) needed.add(name)
  }
  return kept.reverse()
}
