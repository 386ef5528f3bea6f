// SPDX-License-Identifier: Apache-2.0
/**
 * Rewriting by patches. A patch names new nodes, new constants and values to be replaced by other values. A new node
 * that makes a value which exists takes it over: the old producer goes. Whatever nothing reads any more goes too, so a
 * patch never lists removals. Graphs are not mutated: a Draft is a working copy with producers and users at hand, which
 * applies many patches in a row, each in time that depends on the patch alone, and is built into a new graph at the end.
 */
import { GraphError } from '../base/errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { describeNode } from './attributes.ts'
import { type AttributeValue, type Constant, type Graph, type Node, isGraph } from './graph.ts'
import { readNames, sortNodes } from './topo.ts'

export interface Patch {
  readonly nodes?: readonly Node[]
  readonly constants?: Readonly<Record<string, Tensor>>
  /** Old value to the value its readers are to read instead. See `Draft.canReplace`. */
  readonly replace?: Readonly<Record<string, string>>
}

/** What a patch did to the draft. */
export interface Applied {
  /** Nodes that are new or changed. */
  readonly touched: readonly Node[]
}

/** The graph with one patch applied. @throws GraphError when the patch does not fit */
export function applyPatch(graph: Graph, patch: Patch): Graph {
  const draft = new Draft(graph)
  draft.apply(patch)
  return draft.build()
}

/** A graph being rewritten. */
export class Draft {
  readonly graph: Graph
  private readonly nodesByName = new Map<string, Node>()
  private readonly producers = new Map<string, string>()
  private readonly readers = new Map<string, Set<string>>()
  private readonly added = new Map<string, Constant>()
  private readonly outputs: ReadonlySet<string>
  private readonly inputs: ReadonlySet<string>

  constructor(graph: Graph) {
    this.graph = graph
    this.outputs = new Set(graph.outputs.map((output) => output.name))
    this.inputs = new Set(graph.inputs.map((input) => input.name))
    for (const node of graph.nodes) this.insert(node)
  }

  /** The nodes as they are now, in no promised order. */
  nodes(): Node[] {
    return [...this.nodesByName.values()]
  }

  /** The node of this name as it is now. */
  node(name: string): Node | undefined {
    return this.nodesByName.get(name)
  }

  constant(name: string): Constant | undefined {
    return this.added.get(name) ?? this.graph.constants.get(name)
  }

  producer(value: string): Node | undefined {
    return this.nodesByName.get(this.producers.get(value) ?? '')
  }

  /** Nodes that read the value, by input or from inside a subgraph. */
  users(value: string): Node[] {
    return Array.from(this.readers.get(value) ?? [], (name) => this.nodesByName.get(name)!)
  }

  isOutput(value: string): boolean {
    return this.outputs.has(value)
  }

  /** False where only a copy could keep the graph's output name: `from` is an output, `to` no node's or an output too. */
  canReplace(from: string, to: string): boolean {
    return !this.isOutput(from) || (this.producers.has(to) && !this.isOutput(to))
  }

  /** @throws GraphError when new nodes take over some outputs of a node whose others are still read, or names clash */
  apply(patch: Patch): Applied {
    const touched = new Set<string>()
    for (const [name, tensor] of Object.entries(patch.constants ?? {})) {
      if (this.constant(name) !== undefined || this.producers.has(name)) throw clash(name)
      this.added.set(name, { dtype: tensor.type, dims: tensor.dims, tensor })
    }
    const loose = this.takeOver(patch.nodes ?? [])
    for (const node of patch.nodes ?? []) {
      this.insert(node)
      touched.add(node.name)
    }
    for (const [from, to] of Object.entries(patch.replace ?? {})) {
      loose.push(from, ...this.replace(from, to, touched))
    }
    this.sweep(loose)
    return { touched: [...touched].flatMap((name) => this.nodesByName.get(name) ?? []) }
  }

  /** The graph as it is now: nodes sorted, constants that nothing reads left out. */
  build(): Graph {
    const nodes = sortNodes(this.nodes())
    const constants = new Map<string, Constant>()
    for (const source of [this.graph.constants, this.added]) {
      for (const [name, constant] of source) {
        if (this.isOutput(name) || this.readers.has(name)) constants.set(name, constant)
      }
    }
    return { ...this.graph, nodes, constants }
  }

  /** Removes the nodes whose outputs nothing reads; returns how many. */
  removeDead(): number {
    const before = this.nodesByName.size
    this.sweep(this.nodes().flatMap((node) => node.outputs))
    return before - this.nodesByName.size
  }

  private insert(node: Node): void {
    if (this.nodesByName.has(node.name)) throw clash(node.name)
    this.link(node)
  }

  private link(node: Node): void {
    this.nodesByName.set(node.name, node)
    for (const output of node.outputs) {
      if (output === '') continue
      if (this.producers.has(output) || this.inputs.has(output)) throw clash(output)
      this.producers.set(output, node.name)
    }
    for (const name of readNames(node)) {
      const readers = this.readers.get(name)
      if (readers === undefined) this.readers.set(name, new Set([node.name]))
      else readers.add(node.name)
    }
  }

  /** Takes a node out; returns what it read. */
  private remove(node: Node): string[] {
    this.nodesByName.delete(node.name)
    return this.unlink(node)
  }

  private unlink(node: Node): string[] {
    for (const output of node.outputs) this.producers.delete(output)
    const names = readNames(node)
    for (const name of names) {
      const readers = this.readers.get(name)
      readers?.delete(node.name)
      if (readers?.size === 0) this.readers.delete(name)
    }
    return names
  }

  /** Puts another form of a node, of the same name, in its place. */
  private exchange(old: Node, node: Node, touched: Set<string>): void {
    this.unlink(old)
    this.link(node)
    touched.add(node.name)
  }

  /** Removes the producers of values that `nodes` make; returns what those read. */
  private takeOver(nodes: readonly Node[]): string[] {
    const made = new Set(nodes.flatMap((node) => node.outputs))
    const loose: string[] = []
    for (const value of made) {
      const old = value === '' ? undefined : this.producer(value)
      if (old === undefined) continue
      const left = old.outputs.find((output) => output !== '' && !made.has(output) && this.isRead(output))
      if (left !== undefined) {
        throw new GraphError({ where: describeNode(old), expected: `a patch that makes '${left}' too, which is read`, got: `'${value}' alone` })
      }
      loose.push(...this.remove(old))
    }
    return loose
  }

  private isRead(value: string): boolean {
    return this.isOutput(value) || this.readers.has(value)
  }

  /** Returns what the old producer read, where it is gone. */
  private replace(from: string, to: string, touched: Set<string>): string[] {
    if (from === to) throw new GraphError({ where: `patch`, expected: 'two values', got: `'${from}' for itself` })
    if (!this.isOutput(from)) {
      for (const user of this.users(from)) this.exchange(user, renameReads(user, from, to), touched)
      return []
    }
    if (!this.canReplace(from, to)) {
      throw new GraphError({ where: `patch`, expected: `a value that can take the name of output '${from}'`, got: `'${to}'` })
    }
    const old = this.producer(from)
    const loose = old === undefined ? [] : this.dropOutput(old, from, touched)
    const producer = this.producer(to)!
    this.exchange(producer, { ...producer, outputs: producer.outputs.map((o) => (o === to ? from : o)) }, touched)
    for (const user of this.users(to)) this.exchange(user, renameReads(user, to, from), touched)
    return loose
  }

  /** Leaves one output of a node out; the node goes when it has no other. */
  private dropOutput(node: Node, output: string, touched: Set<string>): string[] {
    const outputs = node.outputs.map((o) => (o === output ? '' : o))
    if (outputs.every((o) => o === '')) return this.remove(node)
    this.exchange(node, { ...node, outputs }, touched)
    return []
  }

  private sweep(values: readonly string[]): void {
    const stack = [...values]
    while (stack.length > 0) {
      const node = this.producer(stack.pop()!)
      if (node !== undefined && !node.outputs.some((output) => this.isRead(output))) stack.push(...this.remove(node))
    }
  }
}

/** The node with `from` read as `to`, in its inputs and in the graphs it holds. */
export function renameReads(node: Node, from: string, to: string): Node {
  const rename = (name: string): string => (name === from ? to : name)
  const attributes: Record<string, AttributeValue> = {}
  for (const [key, value] of Object.entries(node.attributes)) {
    if (isGraph(value)) attributes[key] = renameInGraph(value, from, to)
    else if (Array.isArray(value) && isGraph(value[0])) attributes[key] = (value as Graph[]).map((g) => renameInGraph(g, from, to))
    else attributes[key] = value
  }
  return { ...node, inputs: node.inputs.map(rename), attributes }
}

function renameInGraph(graph: Graph, from: string, to: string): Graph {
  return {
    ...graph,
    nodes: graph.nodes.map((node) => renameReads(node, from, to)),
    outputs: graph.outputs.map((output) => (output.name === from ? { ...output, name: to } : output)),
  }
}

function clash(name: string): GraphError {
  return new GraphError({ where: 'patch', expected: 'a name that is free', got: `'${name}'` })
}
