// SPDX-License-Identifier: Apache-2.0
/**
 * Runs a graph, or one node, by references: the oracle of the tests, the folding evaluator of the passes and what the
 * runtime does with operators that have no kernels. Values live in a scope; a subgraph's scope has its parent behind
 * it, so that bodies may read the names of the graphs around them.
 */
import { GraphError, UnsupportedError, asNamed, inContext } from '../base/errors.ts'
import { describeNode, resolveAttributes } from '../ir/attributes.ts'
import { type Graph, type Node, type ValueInfo, subgraphsOf } from '../ir/graph.ts'
import { inferNode, infoOfConstant, maxContent } from '../ir/infer.ts'
import { areKnown } from '../ir/dim.ts'
import { readNames } from '../ir/topo.ts'
import { sizeOf } from '../tensor/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import type { OpSet } from './define.ts'
import type { ReferenceSet } from './references.ts'

/** What evaluation needs: the references, and the definitions for the defaults of attributes. */
export interface Evaluator {
  readonly references: ReferenceSet
  readonly ops: OpSet
}

/** Most elements of a result: references hold them as JavaScript numbers, whose arrays end the process when too long. */
const maxElements = 2 ** 24

/** Looks a name up; undefined where it has no value. */
export type Scope = (name: string) => Tensor | undefined

/** Names of all operators of a graph, its subgraphs' included: what to load. */
export function operatorsOf(graph: Graph): Set<string> {
  const names = new Set<string>()
  const visit = (g: Graph): void => {
    for (const node of g.nodes) {
      names.add(node.op)
      subgraphsOf(node).forEach(visit)
    }
  }
  visit(graph)
  return names
}

/**
 * Outputs of a graph, in the order of `graph.outputs`.
 * @param feeds the graph inputs by name; a constant of the same name is the default of one that is not fed
 * @throws UnsupportedError for an operator without a reference, GraphError for a value that is not there
 */
export function evaluateGraph(
  evaluator: Evaluator,
  graph: Graph,
  feeds: ReadonlyMap<string, Tensor>,
  outer?: Scope,
): Tensor[] {
  const values = new Map<string, Tensor>()
  const scope: Scope = (name) => values.get(name) ?? constantOf(graph, name) ?? outer?.(name)
  for (const { name } of graph.inputs) {
    const fed = feeds.get(name)
    if (fed !== undefined) values.set(name, fed)
  }
  const uses = lastUses(graph)
  graph.nodes.forEach((node, position) => {
    const outputs = evaluateNode(evaluator, node, inputsOf(node, scope), graph.opset, scope)
    node.outputs.forEach((name, i) => {
      if (name !== '' && outputs[i] !== undefined) values.set(name, outputs[i])
    })
    for (const name of uses.get(position) ?? []) values.delete(name)
  })
  return graph.outputs.map(({ name }) => demand(scope, name, `graph '${graph.name}'`))
}

/**
 * Outputs of one node.
 * @param scope names that subgraphs of the node may read
 */
export function evaluateNode(
  evaluator: Evaluator,
  node: Node,
  inputs: readonly (Tensor | null)[],
  opset: number,
  scope?: Scope,
): Tensor[] {
  const reference = evaluator.references.get(node.op)
  const def = evaluator.ops.get(node.op)
  const place = describeNode(node)
  if (reference === undefined || def === undefined) {
    throw new UnsupportedError({ where: place, expected: 'an operator with a reference', got: node.op })
  }
  const empty = checkNode(evaluator, node, inputs, opset)
  if (empty) return empty
  const evaluate = (graph: Graph, given: readonly (Tensor | null)[]): Tensor[] => {
    const feeds = new Map<string, Tensor>()
    graph.inputs.forEach(({ name }, i) => {
      const tensor = given[i]
      if (tensor) feeds.set(name, tensor)
    })
    return evaluateGraph(evaluator, graph, feeds, scope)
  }
  try {
    const context = { opset, outputs: node.outputs.length, evaluate }
    return reference(inputs, resolveAttributes(node, def), context)
  } catch (error) {
    throw asNamed(place, inContext(place, error))
  }
}

/**
 * References trust what they are given: here it is held against inference, and what they would make against a limit.
 * @returns the outputs where all of them are empty: a reference might walk axes whose lengths no element stands for
 * @throws GraphError, UnsupportedError
 */
function checkNode(
  { ops }: Evaluator,
  node: Node,
  inputs: readonly (Tensor | null)[],
  opset: number,
): Tensor[] | undefined {
  // a branch is inferred when its own nodes come
  if (subgraphsOf(node).length > 0) return undefined
  const infos = new Map<string, ValueInfo>()
  node.inputs.forEach((name, i) => {
    const tensor = inputs[i]
    if (tensor) infos.set(name, infoOfConstant({ dtype: tensor.type, dims: tensor.dims, tensor }))
  })
  const outputs = inferNode(node, opset, ops, (name) => infos.get(name))
  for (const { dims } of outputs) {
    if (dims === null || !areKnown(dims)) checkIntegers(node, inputs)
    const elements = dims !== null && areKnown(dims) ? sizeOf(dims) : 0
    if (elements <= maxElements) continue
    const expected = `a result of at most ${maxElements} elements, as this operator has no kernel here`
    throw new UnsupportedError({
      where: describeNode(node),
      expected,
      got: String(elements),
      todo: 'use smaller inputs',
    })
  }
  const dims = outputs.flatMap((info) => (info.dims !== null && areKnown(info.dims) ? [info.dims] : []))
  if (dims.length < outputs.length || dims.some((of) => sizeOf(of) > 0)) return undefined
  return outputs.map(({ dtype }, i) => new Tensor(dtype, [], dims[i]))
}

/**
 * Where inference cannot tell a shape though all is there, integers that doubles do not hold may be why.
 * @throws GraphError for such integers in an operand that says how to compute
 */
function checkIntegers(node: Node, inputs: readonly (Tensor | null)[]): void {
  for (const [i, tensor] of inputs.entries()) {
    if (i === 0 || !tensor || (tensor.type !== 'int64' && tensor.type !== 'uint64') || tensor.size > maxContent)
      continue
    const wrong = (tensor.data as BigInt64Array).find((value) => !Number.isSafeInteger(Number(value)))
    if (wrong === undefined) continue
    throw new GraphError({
      where: `${describeNode(node)} › input ${i}`,
      expected: 'integers below 2^53',
      got: `${wrong}`,
    })
  }
}

function constantOf(graph: Graph, name: string): Tensor | undefined {
  return graph.constants.get(name)?.tensor
}

function inputsOf(node: Node, scope: Scope): (Tensor | null)[] {
  return node.inputs.map((name) => (name === '' ? null : demand(scope, name, describeNode(node))))
}

function demand(scope: Scope, name: string, where: string): Tensor {
  const tensor = scope(name)
  if (tensor === undefined) throw new GraphError({ where, expected: `a value for '${name}'`, got: 'none' })
  return tensor
}

/** Position of a node to the values nobody reads after it; what a subgraph reads counts for the node that holds it. */
function lastUses(graph: Graph): Map<number, string[]> {
  const last = new Map<string, number>()
  graph.nodes.forEach((node, position) => {
    for (const name of readNames(node)) last.set(name, position)
  })
  for (const { name } of graph.outputs) last.delete(name)
  const byPosition = new Map<number, string[]>()
  for (const [name, position] of last) byPosition.set(position, [...(byPosition.get(position) ?? []), name])
  return byPosition
}
