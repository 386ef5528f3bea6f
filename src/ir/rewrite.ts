// SPDX-License-Identifier: Apache-2.0
/**
 * The driver of rewrite rules. A rule looks at one node (its root) through a View - producers, users, types, constant
 * contents - and returns a patch or nothing. Nodes are offered to the rules of their operator in order, again and again
 * until no rule fires. Types of new values are inferred as they appear, so a rule always sees types; a patch that
 * changes the type of an existing value is an error in the rule.
 */
import { GraphError, withContext } from '../base/errors.ts'
import type { Dtype } from '../tensor/dtype.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { describeNode, resolveAttributes } from './attributes.ts'
import type { Dim } from './dim.ts'
import { type Attributes, type Graph, type Node, type ValueInfo, subgraphsOf } from './graph.ts'
import { type InfoLookup, inferGraph, inferNode, infoOfConstant } from './infer.ts'
import type { OpSet } from './op-set.ts'
import { Draft, type Patch } from './patch.ts'
import { sortNodes } from './topo.ts'
import { verifyOperators } from './verify-operators.ts'

export interface Rule {
  readonly name: string
  /** Operators of root nodes; '*' for all. */
  readonly ops: readonly string[] | '*'
  /** Fires at most once for a node of one name: for rules that would match what they wrote. */
  readonly once?: boolean
  match(node: Node, view: View): Patch | undefined
}

/** What fired, in order. */
export interface Firing {
  readonly rule: string
  readonly node: string
}

export interface RewriteOptions {
  readonly opSet: OpSet
  /** Most patches; 100 for each node and 1000 more where left out. */
  readonly maxSteps?: number
  readonly trace?: (firing: Firing) => void
  /** Verifies the result. */
  readonly verify?: boolean
}

export interface Rewritten {
  readonly graph: Graph
  /** Patches applied. */
  readonly fired: number
}

/**
 * The graph rewritten until no rule matches; the same graph object when none did.
 * @throws GraphError when it does not settle within `maxSteps`, or a rule writes nonsense
 */
export function rewriteGraph(graph: Graph, rules: readonly Rule[], options: RewriteOptions): Rewritten {
  const byOp = rulesByOp(rules)
  if (graph.nodes.every(({ op }) => byOp(op).length === 0)) return { graph, fired: 0 }
  const view = new View(graph, options.opSet)
  const seen = new Set<string>()
  const most = options.maxSteps ?? 100 * graph.nodes.length + 1000
  let fired = 0
  const offer = (node: Node, rule: Rule): boolean => {
    const key = `${rule.name}\n${node.name}`
    if (rule.once === true && seen.has(key)) return false
    return withContext(`${rule.name} › ${describeNode(node)}`, () => {
      const patch = rule.match(node, view)
      if (patch === undefined) return false
      if (++fired > most)
        throw new GraphError({ where: 'rewriting', expected: `to settle within ${most} patches`, got: 'more' })
      seen.add(key)
      view.apply(patch)
      options.trace?.({ rule: rule.name, node: node.name })
      return true
    })
  }
  for (let before = -1; before !== fired;) {
    before = fired
    for (const { name } of view.sortedNodes()) {
      let node = view.node(name)
      for (const rule of node === undefined ? [] : byOp(node.op)) {
        if (node !== undefined && offer(node, rule)) node = undefined
      }
    }
  }
  if (fired === 0) return { graph, fired }
  const result = view.build()
  if (options.verify === true) verifyOperators(result, options.opSet)
  return { graph: result, fired }
}

function rulesByOp(rules: readonly Rule[]): (op: string) => readonly Rule[] {
  const table = new Map<string, readonly Rule[]>()
  return (op) => {
    const known = table.get(op) ?? rules.filter((rule) => rule.ops === '*' || rule.ops.includes(op))
    table.set(op, known)
    return known
  }
}

/** What a rule sees of the graph being rewritten. */
export class View {
  readonly opset: number
  private readonly draft: Draft
  private readonly opSet: OpSet
  private readonly infos: Map<string, ValueInfo>
  private readonly taken: Set<string>
  private readonly lookup: InfoLookup

  constructor(graph: Graph, opSet: OpSet) {
    this.opset = graph.opset
    this.draft = new Draft(graph)
    this.opSet = opSet
    this.infos = inferGraph(graph, opSet)
    this.taken = new Set(namesIn(graph))
    this.lookup = (name) => this.infos.get(name)
  }

  /** What is known of a value; undefined for '' alone. */
  info(value: string): ValueInfo | undefined {
    return this.infos.get(value)
  }

  dtype(value: string): Dtype | undefined {
    return this.infos.get(value)?.dtype
  }

  /** Dims; undefined where the rank is unknown or the value is left out. */
  dims(value: string | undefined): readonly Dim[] | undefined {
    return (value === undefined ? undefined : this.infos.get(value)?.dims) ?? undefined
  }

  /** The content of a constant whose bytes are at hand. */
  tensor(value: string | undefined): Tensor | undefined {
    return value === undefined ? undefined : this.draft.constant(value)?.tensor
  }

  /** The node that makes the value, where there is one (of one of these operators, where some are given). */
  producer(value: string | undefined, ...ops: readonly string[]): Node | undefined {
    const node = value === undefined ? undefined : this.draft.producer(value)
    return node !== undefined && (ops.length === 0 || ops.includes(node.op)) ? node : undefined
  }

  /** Nodes that read the value. */
  users(value: string): Node[] {
    return this.draft.users(value)
  }

  isOutput(value: string): boolean {
    return this.draft.isOutput(value)
  }

  /** True when nothing but one node reads the value: it may vanish once that node does. */
  isPrivate(value: string): boolean {
    return !this.isOutput(value) && this.users(value).length === 1
  }

  /** The one node that reads the value, unless it is a graph output too. */
  soleUser(value: string): Node | undefined {
    return this.isPrivate(value) ? this.users(value)[0] : undefined
  }

  /** See Draft.canReplace. */
  canReplace(from: string, to: string): boolean {
    return this.draft.canReplace(from, to)
  }

  /** The node's attributes with defaults. */
  attributes(node: Node): Attributes {
    const def = this.opSet.get(node.op)
    return def === undefined ? node.attributes : resolveAttributes(node, def)
  }

  /** True when the operator may give other results for the same inputs. */
  isImpure(node: Node): boolean {
    return this.opSet.get(node.op)?.impure === true
  }

  /** A name nothing in the graph has, for a value or a node: `base`, or 'base~1' and so on where it is taken. */
  fresh(base: string): string {
    const root = base.replace(/~\d+$/, '')
    let name = base
    for (let i = 1; this.taken.has(name); i++) name = `${root}~${i}`
    this.taken.add(name)
    return name
  }

  /** The current form of a node; undefined when it is gone. */
  node(name: string): Node | undefined {
    return this.draft.node(name)
  }

  sortedNodes(): Node[] {
    return sortNodes(this.draft.nodes())
  }

  apply(patch: Patch): void {
    const before = new Map(
      (patch.nodes ?? []).flatMap((node) => node.outputs.map((o) => [o, this.infos.get(o)] as const)),
    )
    const { touched } = this.draft.apply(patch)
    for (const [name, tensor] of Object.entries(patch.constants ?? {})) {
      this.taken.add(name)
      this.infos.set(name, infoOfConstant({ dtype: tensor.type, dims: tensor.dims, tensor }))
    }
    for (const node of sortNodes(touched)) {
      const found = inferNode(node, this.opset, this.opSet, this.lookup)
      node.outputs.forEach((name, i) => {
        if (name === '') return
        this.taken.add(name)
        const old = before.get(name)
        if (old !== undefined) requireSameType(name, old, found[i])
        this.infos.set(name, found[i])
      })
    }
  }

  build(): Graph {
    return this.draft.build()
  }
}

function requireSameType(name: string, old: ValueInfo, now: ValueInfo): void {
  const rank = (info: ValueInfo): string => (info.dims === null ? '' : `, rank ${info.dims.length}`)
  if (old.dtype === now.dtype && (old.dims === null || now.dims === null || old.dims.length === now.dims.length)) return
  throw new GraphError({
    where: `value '${name}'`,
    expected: `${old.dtype}${rank(old)} as before`,
    got: `${now.dtype}${rank(now)}`,
  })
}

/** Every name in a graph and in those inside it: values and nodes. */
export function* namesIn(graph: Graph): Iterable<string> {
  for (const { name } of [...graph.inputs, ...graph.outputs]) yield name
  yield* graph.constants.keys()
  for (const node of graph.nodes) {
    yield node.name
    yield* node.outputs
    for (const inner of subgraphsOf(node)) yield* namesIn(inner)
  }
}
