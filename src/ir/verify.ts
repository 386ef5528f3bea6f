// SPDX-License-Identifier: Apache-2.0
/**
 * The verifier: what every graph must hold, as a table of rows. A row looks at one graph and says what is wrong in
 * words; graphs inside attributes are looked at with the names around them in sight. Rows that need operators are
 * skipped where no OpSet is given. The last row infers the whole graph, so it runs only when all others are content.
 */
import { GraphError, WhittleError } from '../base/errors.ts'
import { describeNode, resolveAttributes, unknownAttributes } from './attributes.ts'
import { type Graph, type Node, subgraphsOf } from './graph.ts'
import { type InfoLookup, definitionOf, inferGraph } from './infer.ts'
import type { OpSet } from './op-set.ts'
import { readNames } from './topo.ts'

/** Most graphs around a graph. Inference looks at a body several times, at a body in it several times as often. */
const maxNesting = 8

interface View {
  readonly graph: Graph
  /** Graphs around this one, as far as this walk began. */
  readonly depth: number
  readonly opSet: OpSet | undefined
  /** Names the graphs around this one define. */
  readonly outer: ReadonlySet<string>
}

interface Row {
  readonly name: string
  check(view: View): Iterable<string>
}

const rows: readonly Row[] = [
  { name: 'a value has one definition', check: checkDefinitions },
  { name: 'a node has a name of its own and an output', check: checkNodeNames },
  { name: 'a node reads what is defined before it', check: checkOrder },
  { name: 'outputs are defined', check: checkOutputs },
  { name: 'dims are integers >= 0', check: checkDims },
  { name: 'a constant is what it says', check: checkConstants },
  { name: 'operators are known', check: checkOperators },
  { name: 'inputs and outputs are as many as the operator has', check: checkArity },
  { name: 'attributes are those of the operator', check: checkAttributes },
]

export interface VerifyOptions {
  /** Enables the rows that look at operators, and inference. */
  readonly opSet?: OpSet
  /** Values of the graphs around this one. */
  readonly scope?: InfoLookup
  /** Names in `scope`. */
  readonly outer?: ReadonlySet<string>
}

/** @throws GraphError that names the first thing wrong with the graph, and how many more there are */
export function verifyGraph(graph: Graph, options: VerifyOptions = {}): void {
  const found = violations(graph, options)
  if (found.length === 0) return
  const [first, ...more] = found
  throw new GraphError({
    where: `graph "${graph.name}"`,
    expected: first.row,
    got: first.message + (more.length > 0 ? ` (and ${more.length} more)` : ''),
  })
}

export interface Violation {
  readonly row: string
  readonly message: string
}

/** Everything that is wrong with the graph; empty when nothing is. */
export function violations(graph: Graph, options: VerifyOptions = {}): Violation[] {
  const found = structural({ graph, depth: 0, opSet: options.opSet, outer: options.outer ?? new Set() })
  if (found.length > 0 || options.opSet === undefined) return found
  return Array.from(checkTypes(graph, options.opSet, options.scope), (message) => ({ row: 'types agree', message }))
}

function structural(view: View): Violation[] {
  if (view.depth > maxNesting) {
    return [{ row: `at most ${maxNesting} graphs inside each other`, message: 'more' }]
  }
  const own = rows.flatMap((row) => Array.from(row.check(view), (message) => ({ row: row.name, message })))
  const outer = new Set([...view.outer, ...definedNames(view.graph)])
  const inner = view.graph.nodes.flatMap((node) =>
    subgraphsOf(node).flatMap((graph) =>
      structural({ ...view, graph, depth: view.depth + 1, outer }).map((v) => ({
        ...v,
        message: `${describeNode(node)} › ${v.message}`,
      })),
    ),
  )
  return [...own, ...inner]
}

function* definedNames(graph: Graph): Iterable<string> {
  for (const input of graph.inputs) yield input.name
  yield* graph.constants.keys()
  for (const node of graph.nodes) for (const output of node.outputs) if (output !== '') yield output
}

function* checkDefinitions({ graph, outer }: View): Iterable<string> {
  const seen = new Set<string>()
  for (const name of definedNames(graph)) {
    if (name === '') yield 'an empty name'
    if (seen.has(name)) yield `two definitions of '${name}'`
    else if (outer.has(name)) yield `'${name}', which a graph around this one defines`
    seen.add(name)
  }
}

function* checkNodeNames({ graph }: View): Iterable<string> {
  const seen = new Set<string>()
  for (const node of graph.nodes) {
    if (seen.has(node.name)) yield `two nodes called "${node.name}"`
    if (node.outputs.every((output) => output === '')) yield `${describeNode(node)} without outputs`
    seen.add(node.name)
  }
}

function* checkOrder({ graph, outer }: View): Iterable<string> {
  const all = new Set(definedNames(graph))
  const known = new Set([...graph.inputs.map((input) => input.name), ...graph.constants.keys()])
  for (const node of graph.nodes) {
    for (const name of readNames(node)) {
      if (known.has(name) || outer.has(name)) continue
      yield `${describeNode(node)} reads '${name}', ${all.has(name) ? 'which a later node makes' : 'which nothing makes'}`
    }
    for (const output of node.outputs) known.add(output)
  }
}

function* checkOutputs({ graph, outer }: View): Iterable<string> {
  const known = new Set(definedNames(graph))
  const seen = new Set<string>()
  for (const { name } of graph.outputs) {
    if (!known.has(name) && !outer.has(name)) yield `output '${name}', which nothing makes`
    if (seen.has(name) && outer.size === 0) yield `output '${name}' twice`
    seen.add(name)
  }
}

function* checkDims({ graph }: View): Iterable<string> {
  const values = [
    ...graph.inputs,
    ...graph.outputs,
    ...[...graph.constants].map(([name, { dims }]) => ({ name, dims })),
  ]
  for (const { name, dims } of values) {
    const wrong = dims?.find((dim) => typeof dim === 'number' && !(Number.isSafeInteger(dim) && dim >= 0))
    if (wrong !== undefined) yield `dim ${String(wrong)} in '${name}'`
  }
}

function* checkConstants({ graph }: View): Iterable<string> {
  for (const [name, { dtype, dims, tensor }] of graph.constants) {
    if (tensor === undefined) continue
    if (tensor.type !== dtype) yield `'${name}' of ${dtype} with a ${tensor.type} tensor`
    if (String(tensor.dims) !== String(dims))
      yield `'${name}' of [${dims.join(', ')}] with a tensor of [${tensor.dims.join(', ')}]`
  }
}

function* checkOperators({ graph, opSet }: View): Iterable<string> {
  if (opSet === undefined) return
  for (const node of graph.nodes) yield* messageOf(() => definitionOf(node, opSet))
}

function* checkArity({ graph, opSet }: View): Iterable<string> {
  for (const node of graph.nodes) {
    const def = opSet?.get(node.op)
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

function* checkAttributes({ graph, opSet }: View): Iterable<string> {
  for (const node of graph.nodes) {
    const def = opSet?.get(node.op)
    if (def === undefined) continue
    yield* unknownAttributes(node, def)
    yield* messageOf(() => resolveAttributes(node, def))
  }
}

function* checkTypes(graph: Graph, opSet: OpSet, scope: InfoLookup | undefined): Iterable<string> {
  const infos = new Map<string, { dtype: string }>()
  yield* messageOf(() => {
    for (const [name, info] of inferGraph(graph, opSet, { scope })) infos.set(name, info)
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
