// SPDX-License-Identifier: Apache-2.0
/**
 * Rewriting by patches. A patch names new nodes, new constants and values to be replaced by other values. A new node
 * that makes a value which exists takes it over: the old producer goes, and its name is free again. Whatever nothing
 * reads any more goes too, so a patch never lists removals. Graphs are not mutated: a Draft is a working copy with
 * producers and users at hand, which applies many patches in a row, each in time that depends on the patch alone, and
 * is built into a new graph at the end.
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
  /** By a number that stays when a node takes another form. */
  private readonly live = new Map<number, Node>()
  private readonly numbers = new Map<string, number>()
  private readonly producers = new Map<string, number>()
  private readonly readers = new Map<string, Set<number>>()
  private next = 0
  private readonly added = new Map<string, Constant>()
  private readonly outputs: ReadonlySet<string>
  private readonly inputs: ReadonlySet<string>

  constructor(graph: Graph) {
    this.graph = graph
    this.outputs = new Set(graph.outputs.map((output) => output.name))
    this.inputs = new Set(graph.inputs.map((input) => input.name))
    for (const node of graph.nodes) this.name(this.insert(node))
  }

  /** The nodes as they are now, in no promised order. */
  nodes(): Node[] {
    return [...this.live.values()]
  }

  /** The node of this name as it is now. */
  node(name: string): Node | undefined {
    return this.live.get(this.numbers.get(name) ?? -1)
  }

  constant(name: string): Constant | undefined {
    return this.added.get(name) ?? this.graph.constants.get(name)
  }

  producer(value: string): Node | undefined {
    return this.live.get(this.producers.get(value) ?? -1)
  }

  /** Nodes that read the value, by input or from inside a subgraph. */
  users(value: string): Node[] {
    return Array.from(this.readers.get(value) ?? [], (number) => this.live.get(number)!)
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
    const touched = new Set<number>()
    for (const [name, tensor] of Object.entries(patch.constants ?? {})) {
      if (this.constant(name) !== undefined || this.producers.has(name)) throw clash(name)
      this.added.set(name, { dtype: tensor.type, dims: tensor.dims, tensor })
    }
    const loose = this.takeOver(patch.nodes ?? [])
    const added = (patch.nodes ?? []).map((node) => this.insert(node))
    for (const number of added) touched.add(number)
    for (const [from, to] of Object.entries(patch.replace ?? {})) {
      loose.push(from, ...this.replace(from, to, touched))
    }
    this.sweep(loose)
    for (const number of added) this.name(number)
    return { touched: [...touched].flatMap((number) => this.live.get(number) ?? []) }
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
    const before = this.live.size
    this.sweep(this.nodes().flatMap((node) => node.outputs))
    return before - this.live.size
  }

  private insert(node: Node): number {
    const number = this.next++
    this.link(number, node)
    return number
  }

  /** Gives a new node its name, which may have been that of a node now gone. */
  private name(number: number): void {
    const node = this.live.get(number)
    if (node === undefined) return
    if (this.numbers.has(node.name)) throw clash(node.name)
    this.numbers.set(node.name, number)
  }

  private link(number: number, node: Node): void {
    this.live.set(number, node)
    for (const output of node.outputs) {
      if (output === '') continue
      if (this.producers.has(output) || this.inputs.has(output)) throw clash(output)
      this.producers.set(output, number)
    }
    for (const name of readNames(node)) {
      const readers = this.readers.get(name)
      if (readers === undefined) this.readers.set(name, new Set([number]))
      else readers.add(number)
    }
  }

  private unlink(number: number, node: Node): string[] {
    for (const output of node.outputs) this.producers.delete(output)
    const names = readNames(node)
    for (const name of names) {
      const readers = this.readers.get(name)
      readers?.delete(number)
      if (readers?.size === 0) this.readers.delete(name)
    }
    return names
  }

  /** Takes the producer of a value out; returns what it read. */
  private remove(value: string): string[] {
    const number = this.producers.get(value)!
    const node = this.live.get(number)!
    this.live.delete(number)
    if (this.numbers.get(node.name) === number) this.numbers.delete(node.name)
    return this.unlink(number, node)
  }

  /** Puts another form of a node, of the same name, in its place. */
  private exchange(number: number, node: Node, touched: Set<number>): void {
    this.unlink(number, this.live.get(number)!)
    this.link(number, node)
    touched.add(number)
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
        throw new GraphError({
          where: describeNode(old),
          expected: `a patch that makes '${left}' too, which is read`,
          got: `'${value}' alone`,
        })
      }
      loose.push(...this.remove(value))
    }
    return loose
  }

  private isRead(value: string): boolean {
    return this.isOutput(value) || this.readers.has(value)
  }

  /** Returns what the old producer read, where it is gone. */
  private replace(from: string, to: string, touched: Set<number>): string[] {
    if (from === to) throw new GraphError({ where: 'patch', expected: 'two values', got: `'${from}' for itself` })
    if (!this.isOutput(from)) {
      this.rename(from, to, touched)
      return []
    }
    if (!this.canReplace(from, to)) {
      throw new GraphError({
        where: 'patch',
        expected: `a value that can take the name of output '${from}'`,
        got: `'${to}'`,
      })
    }
    const loose = this.dropOutput(from, touched)
    const number = this.producers.get(to)!
    const producer = this.live.get(number)!
    this.exchange(number, { ...producer, outputs: producer.outputs.map((o) => (o === to ? from : o)) }, touched)
    this.rename(to, from, touched)
    return loose
  }

  private rename(from: string, to: string, touched: Set<number>): void {
    for (const number of [...(this.readers.get(from) ?? [])]) {
      this.exchange(number, renameReads(this.live.get(number)!, from, to), touched)
    }
  }

  /** Leaves one output of a node out; the node goes when it has no other. */
  private dropOutput(value: string, touched: Set<number>): string[] {
    const number = this.producers.get(value)
    if (number === undefined) return []
    const node = this.live.get(number)!
    const outputs = node.outputs.map((o) => (o === value ? '' : o))
    if (outputs.every((o) => o === '')) return this.remove(value)
    this.exchange(number, { ...node, outputs }, touched)
    return []
  }

  private sweep(values: readonly string[]): void {
    const stack = [...values]
    while (stack.length > 0) {
      const value = stack.pop()!
      const node = this.producer(value)
      if (node !== undefined && !node.outputs.some((output) => this.isRead(output))) stack.push(...this.remove(value))
    }
  }
}

/** The node with `from` read as `to`, in its inputs and in the graphs it holds. */
export function renameReads(node: Node, from: string, to: string): Node {
  const rename = (name: string): string => (name === from ? to : name)
  const attributes: Record<string, AttributeValue> = {}
  for (const [key, value] of Object.entries(node.attributes)) {
    if (isGraph(value)) attributes[key] = renameInGraph(value, from, to)
    else if (Array.isArray(value) && isGraph(value[0]))
      attributes[key] = (value as Graph[]).map((g) => renameInGraph(g, from, to))
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
