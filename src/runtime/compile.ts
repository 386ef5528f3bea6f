// SPDX-License-Identifier: Apache-2.0
/**
 * A graph and what inference found for concrete input shapes become a Program: plain data, without addresses.
 *
 * Nodes whose outputs inference already knows (shape arithmetic) disappear, the others lower themselves to steps or,
 * where there are no kernels, run their reference on the host. At the first node whose output shape only its data
 * tells, the program ends: `rest` is the remaining graph, to be compiled when the values it starts from are there.
 */
import { GraphError } from '../base/errors.ts'
import { resolveAttributes } from '../ir/attributes.ts'
import { areKnown } from '../ir/dim.ts'
import { type Graph, type Node, type ValueInfo, subgraphsOf } from '../ir/graph.ts'
import type { FormChoice, HostTraits, Ref, StepSpec } from '../ir/lowering.ts'
import type { OpSet } from '../ir/op-set.ts'
import { readNames } from '../ir/topo.ts'
import { type Dtype, byteLengthOf, dtypes } from '../tensor/dtype.ts'
import { sizeOf } from '../tensor/shape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { type Tick, planArena } from './arena.ts'
import { type LoweredNode, type WeightRequest, knownTensor, lowerNode, refIds } from './lowering.ts'
import type { MemoryPlan } from './memory.ts'
import { SharedSteps } from './share-steps.ts'

/** A run of Wasm steps [from, to), or one node on the host. */
export type Segment =
  | { readonly kind: 'stretch'; readonly from: number; readonly to: number }
  | { readonly kind: 'host'; readonly call: HostCall }

/** A node run by its reference. */
export interface HostCall {
  readonly node: Node
  /** Values it reads, captures of its subgraphs included. */
  readonly reads: readonly string[]
  /** Those of its outputs that Wasm steps read. */
  readonly arenaWrites: readonly string[]
  readonly reason: string
}

/** A value of the program with its concrete type. */
export interface Slot {
  readonly name: string
  readonly dtype: Dtype
  readonly dims: readonly number[]
}

export interface Program {
  readonly segments: readonly Segment[]
  readonly steps: readonly StepSpec[]
  /** The node each step belongs to. */
  readonly owners: readonly Node[]
  /** The forms of nodes that have several. */
  readonly choices: ReadonlyMap<Node, FormChoice>
  /** Inputs that Wasm steps read. */
  readonly arenaInputs: readonly string[]
  /** What is to be handed out: the graph's outputs, or what `rest` starts from. Their types are in `types`. */
  readonly results: readonly string[]
  /** Concrete types of the values that lie in the arena. */
  readonly types: ReadonlyMap<string, Slot>
  /** Values whose content inference knew. */
  readonly known: ReadonlyMap<string, Tensor>
  readonly aliases: ReadonlyMap<string, Ref>
  readonly arena: MemoryPlan
  readonly weights: ReadonlyMap<string, WeightRequest>
  readonly tables: ReadonlyMap<string, Uint8Array>
  /** Bytes of the buffers steps refer to, by id: values, scratch, weights and tables. */
  readonly sizes: ReadonlyMap<string, number>
  readonly rest?: Rest
}

/** What is left when a shape depends on data. */
export interface Rest {
  /** Its inputs are the values it starts from; their declared types are not to be relied on. */
  readonly graph: Graph
  /** What inference knew of those inputs beyond their type. */
  readonly infos: ReadonlyMap<string, ValueInfo>
}

export interface CompileRequest {
  readonly graph: Graph
  /** What is to come behind the graph, and its outputs: `graph` is the part of a larger one that leads up to it. */
  readonly behind?: Pick<Graph, 'nodes' | 'outputs'>
  /** Inference's findings, one for each value of the graph. */
  readonly infos: ReadonlyMap<string, ValueInfo>
  readonly ops: OpSet
  readonly host: HostTraits
  intern(bytes: Uint8Array): string
}

/** Compiles. @throws GraphError for a graph that contradicts itself, UnsupportedError from inference's callees */
export function compile(request: CompileRequest): Program {
  const { graph, infos, behind } = request
  const known = new Map<string, Tensor>()
  for (const [name, info] of infos) {
    const tensor = graph.constants.has(name) ? undefined : knownTensor(info)
    if (tensor) known.set(name, tensor)
  }
  const nodes = neededNodes(graph, known)
  const stop = nodes.findIndex((node) => !isResolved(node, infos)) + 1 || nodes.length
  const builder = new ProgramBuilder(request, known)
  for (const [i, node] of nodes.slice(0, stop).entries()) builder.add(node, i)
  if (stop === nodes.length && !behind) return builder.finish(undefined)
  const whole = { ...graph, outputs: behind?.outputs ?? graph.outputs }
  return builder.finish(restOf(whole, [...nodes.slice(stop), ...(behind?.nodes ?? [])], infos))
}

/** Nodes that results depend on, without those whose outputs are known already. */
function neededNodes(graph: Graph, known: ReadonlyMap<string, Tensor>): Node[] {
  const needed = new Set(graph.outputs.map(({ name }) => name).filter((name) => !known.has(name)))
  const kept: Node[] = []
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some((name) => needed.has(name))) continue
    kept.push(node)
    for (const name of readNames(node)) if (!known.has(name)) needed.add(name)
  }
  return kept.reverse()
}

function isResolved(node: Node, infos: ReadonlyMap<string, ValueInfo>): boolean {
  return node.outputs.every((name) => {
    const dims = infos.get(name)?.dims
    return name === '' || (dims !== undefined && dims !== null && areKnown(dims))
  })
}

function restOf(graph: Graph, nodes: readonly Node[], infos: ReadonlyMap<string, ValueInfo>): Rest {
  const made = new Set([...nodes.flatMap((node) => node.outputs), ...graph.constants.keys()])
  const names = new Set(
    [...nodes.flatMap(readNames), ...graph.outputs.map(({ name }) => name)].filter((name) => !made.has(name)),
  )
  const inputs = [...names].map((name) => {
    const info = infos.get(name)
    if (!info) throw new GraphError({ where: `value '${name}'`, expected: 'a node or an input that makes it' })
    return { name, dtype: info.dtype, dims: info.dims }
  })
  return {
    graph: { ...graph, inputs, nodes },
    infos: new Map([...names].map((name) => [name, infos.get(name)!])),
  }
}

class ProgramBuilder {
  readonly #request: CompileRequest
  readonly #known: ReadonlyMap<string, Tensor>
  readonly #steps: StepSpec[] = []
  readonly #owners: Node[] = []
  readonly #choices = new Map<Node, FormChoice>()
  readonly #segments: (Segment | { kind: 'host'; call: Omit<HostCall, 'arenaWrites'> })[] = []
  readonly #scratches = new Map<string, number>()
  readonly #weights = new Map<string, WeightRequest>()
  readonly #tables = new Map<string, Uint8Array>()
  readonly #aliases = new Map<string, Ref>()
  readonly #shared = new SharedSteps((id) => this.#scratches.has(id))
  /** Names of values by their id. */
  readonly #names: ReadonlyMap<string, string>

  constructor(request: CompileRequest, known: ReadonlyMap<string, Tensor>) {
    this.#request = request
    this.#known = known
    this.#names = new Map([...request.infos.keys()].map((name) => [refIds.value(name), name]))
  }

  add(node: Node, index: number): void {
    const lowered = this.#lower(node, index)
    if (typeof lowered === 'string') {
      this.#segments.push({ kind: 'host', call: { node, reads: readNames(node), reason: lowered } })
      return
    }
    const from = this.#steps.length
    if (lowered.choice) this.#choices.set(node, lowered.choice)
    for (const [id, bytes] of lowered.scratches) this.#scratches.set(id, bytes)
    for (const step of lowered.steps) {
      const twin = this.#shared.twinOf(step, this.#aliases)
      for (const [id, place] of twin ?? []) {
        this.#aliases.set(id, place)
        this.#scratches.delete(id)
      }
      if (twin) continue
      this.#steps.push(step)
      this.#owners.push(node)
    }
    for (const [id, request] of lowered.weights) this.#weights.set(id, request)
    for (const [id, bytes] of lowered.tables) this.#tables.set(id, bytes)
    for (const [id, ref] of lowered.aliases) this.#aliases.set(id, ref)
    const last = this.#segments.at(-1)
    if (last?.kind === 'stretch') this.#segments[this.#segments.length - 1] = { ...last, to: this.#steps.length }
    else if (this.#steps.length > from) this.#segments.push({ kind: 'stretch', from, to: this.#steps.length })
  }

  finish(rest: Rest | undefined): Program {
    const { graph, infos } = this.#request
    const results = [...new Set((rest ? rest.graph.inputs : graph.outputs).map(({ name }) => name))].filter(
      (name) => !this.#known.has(name) || !rest,
    )
    const inArena = this.#arenaValues()
    const segments = this.#segments.map((segment): Segment => {
      if (segment.kind === 'stretch') return segment
      const arenaWrites = segment.call.node.outputs.filter((name) => inArena.has(name))
      return { kind: 'host', call: { ...segment.call, arenaWrites } }
    })
    const arenaInputs = graph.inputs.map(({ name }) => name).filter((name) => inArena.has(name))
    const types = new Map<string, Slot>()
    for (const [name, { dtype, dims }] of infos) if (dims && areKnown(dims)) types.set(name, { name, dtype, dims })
    return {
      segments,
      steps: this.#steps,
      owners: this.#owners,
      choices: this.#choices,
      arenaInputs,
      results,
      types,
      known: this.#known,
      aliases: this.#aliases,
      arena: this.#plan(segments, arenaInputs, results),
      sizes: this.#sizes(),
      weights: this.#weights,
      tables: this.#tables,
      ...(rest ? { rest } : {}),
    }
  }

  /** What the node becomes, or the reason why it runs on the host. */
  #lower(node: Node, index: number): LoweredNode | string {
    const { ops, infos, graph, host, intern } = this.#request
    const def = ops.get(node.op)
    if (!def) throw new GraphError({ where: `node "${node.name}"`, expected: 'an operator of the set', got: node.op })
    if (!isResolved(node, infos)) return 'its output shape is known only from data'
    const names = [...node.inputs, ...node.outputs].filter((name) => name !== '')
    if (names.some((name) => dtypes[infos.get(name)!.dtype].bits < 8 && !graph.constants.has(name)))
      return 'its type has no kernels'
    if (subgraphsOf(node).length > 0) return 'control flow'
    const context = { node, opset: graph.opset, attributes: resolveAttributes(node, def) }
    const sources = { host, constants: graph.constants, intern, info: (name: string) => infos.get(name) }
    return lowerNode(def, context, index, sources) ?? 'no kernels for its types and shapes'
  }

  /** Values that steps or aliases refer to and that are neither constants nor known. */
  #arenaValues(): Set<string> {
    const values = new Set<string>()
    const note = ({ id }: Ref): void => {
      const name = this.#names.get(id)
      if (name !== undefined) values.add(name)
    }
    for (const step of this.#steps) for (const value of Object.values(step.args)) if (isRef(value)) note(value)
    for (const ref of this.#aliases.values()) note(ref)
    return values
  }

  #sizes(): Map<string, number> {
    const { graph } = this.#request
    const sizes = new Map(this.#scratches)
    for (const [id, bytes] of this.#tables) sizes.set(id, bytes.byteLength)
    for (const [id, { constant, layout }] of this.#weights) {
      const { dtype, dims } = graph.constants.get(constant)!
      sizes.set(id, layout?.bytes ?? byteLengthOf(dtype, sizeOf(dims)))
    }
    for (const [id, name] of this.#names) {
      const bytes = this.#bytesOfValue(name)
      if (bytes !== undefined) sizes.set(id, bytes)
    }
    return sizes
  }

  /** Bytes of a value with known dims that is no constant. */
  #bytesOfValue(name: string): number | undefined {
    const info = this.#request.infos.get(name)
    if (!info?.dims || !areKnown(info.dims) || this.#request.graph.constants.has(name)) return undefined
    return byteLengthOf(info.dtype, sizeOf(info.dims))
  }

  #plan(segments: readonly Segment[], inputs: readonly string[], results: readonly string[]): MemoryPlan {
    const { graph } = this.#request
    const atHand = new Set(segments.flatMap((segment) => (segment.kind === 'host' ? segment.call.node.outputs : [])))
    for (const name of [...graph.inputs.map((input) => input.name), ...graph.constants.keys(), ...this.#known.keys()])
      atHand.add(name)
    const lies = (name: string): boolean => !atHand.has(name)
    const ids = (names: readonly string[]): string[] => names.map((name) => refIds.value(name))
    const ticks = segments.flatMap((segment): Tick[] => {
      if (segment.kind === 'stretch') return this.#steps.slice(segment.from, segment.to).map((step) => ({ step }))
      const { reads, arenaWrites } = segment.call
      return [{ touches: ids([...reads.filter(lies), ...arenaWrites]) }]
    })
    return planArena({
      ticks,
      inputs: ids(inputs),
      outputs: ids(results.filter(lies)),
      aliases: this.#aliases,
      bytesOf: (id) => {
        const scratch = this.#scratches.get(id)
        if (scratch !== undefined) return scratch
        const name = this.#names.get(id)
        return name === undefined ? undefined : this.#bytesOfValue(name)
      },
    })
  }
}

function isRef(value: unknown): value is Ref {
  return typeof value === 'object' && value !== null
}
