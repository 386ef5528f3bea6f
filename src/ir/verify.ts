// SPDX-License-Identifier: Apache-2.0
/**
 * The verifier: what every graph must hold, as a table of rows. A row looks at one graph and says what is wrong in
 * words; graphs inside attributes are looked at with the names around them in sight. What a graph must hold with its
 * operators is in verify-operators.ts.
 */
import { GraphError } from '../base/errors.ts'
import { describeNode } from './attributes.ts'
import { type Graph, subgraphsOf } from './graph.ts'
import { readNames } from './topo.ts'

/** Most graphs around a graph. Inference looks at a body several times, at a body in it several times as often. */
const maxNesting = 8

/** What a row looks at. */
export interface View {
  readonly graph: Graph
  /** Graphs around this one, as far as this walk began. */
  readonly depth: number
  /** Names the graphs around this one define. */
  readonly outer: ReadonlySet<string>
}

export interface Row {
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
]

export interface Violation {
  readonly row: string
  readonly message: string
}

/** @throws GraphError that names the first thing wrong with the graph, and how many more there are */
export function verifyGraph(graph: Graph): void {
  report(graph, violations(graph))
}

/** @throws GraphError where there are violations */
export function report(graph: Graph, [first, ...more]: readonly Violation[]): void {
  if (first === undefined) return
  throw new GraphError({
    where: `graph "${graph.name}"`,
    expected: first.row,
    got: first.message + (more.length > 0 ? ` (and ${more.length} more)` : ''),
  })
}

/**
 * Everything that is wrong with the graph; empty when nothing is.
 * @param more rows to be held besides
 */
export function violations(graph: Graph, more: readonly Row[] = []): Violation[] {
  return violationsIn({ graph, depth: 0, outer: new Set() }, [...rows, ...more])
}

function violationsIn(view: View, held: readonly Row[]): Violation[] {
  if (view.depth > maxNesting) {
    return [{ row: `at most ${maxNesting} graphs inside each other`, message: 'more' }]
  }
  const own = held.flatMap((row) => Array.from(row.check(view), (message) => ({ row: row.name, message })))
  const outer = new Set([...view.outer, ...definedNames(view.graph)])
  const inner = view.graph.nodes.flatMap((node) =>
    subgraphsOf(node).flatMap((graph) =>
      violationsIn({ ...view, graph, depth: view.depth + 1, outer }, held).map((v) => ({
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
