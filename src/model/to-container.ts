// SPDX-License-Identifier: Apache-2.0
/**
 * Graph → records of a .whittle file. Tensors are stored once each (a tensor object shared by several constants has
 * one section), the resident ones first and then by first use: a reader has all it needs to plan before the first
 * large weight arrives. Constants nothing reads are left out.
 */
import { GraphError } from '../base/errors.ts'
import type { ContainerFile } from '../format/container.ts'
import type {
  ContainerAttribute,
  ContainerContent,
  ContainerFloat,
  ContainerGraph,
  ContainerItem,
  ContainerMetadata,
  ContainerValue,
} from '../format/container-records.ts'
import { print } from '../ir/dim.ts'
import { type AttributeValue, type Graph, type GraphValue, type Node, isGraph } from '../ir/graph.ts'
import { readNames } from '../ir/topo.ts'
import { Tensor, bytesOf } from '../tensor/tensor.ts'
import { isResident } from './from-container.ts'

interface Entry {
  readonly tensor: Tensor
  readonly name: string
  /** Held by the host whatever its size: attributes, and constants of subgraphs. */
  isHeld: boolean
}

/**
 * The records of a graph whose constants all have their content.
 * @throws GraphError when one has not
 */
export function toContainer(graph: Graph, metadata: ContainerMetadata = {}): ContainerFile {
  const entries = new Map<Tensor, Entry>()
  const names = new Set<string>()
  collect(graph, true, entries, names)
  const isFirst = ({ tensor, isHeld }: Entry): boolean => isHeld || isResident(tensor)
  const all = [...entries.values()]
  const ordered = [...all.filter(isFirst), ...all.filter((entry) => !isFirst(entry))]
  const positions = new Map(ordered.map(({ tensor }, i) => [tensor, i]))
  const tensors = ordered.map(({ name, tensor: { type, dims, data } }): ContainerContent => ({
    name,
    dtype: type,
    dims,
    data: type === 'string' ? (data as readonly string[]) : bytesOf({ type, data }),
  }))
  return { graph: exportGraph(graph, positions), tensors, metadata }
}

/** Names a graph reads: what its nodes take, inside their subgraphs too, and its outputs. */
function namesRead(graph: Graph): Set<string> {
  return new Set([...graph.outputs.map(({ name }) => name), ...graph.nodes.flatMap(readNames)])
}

/** Tensors by first use: node by node its attributes, then its constants. */
function collect(graph: Graph, isRoot: boolean, entries: Map<Tensor, Entry>, names: Set<string>): void {
  const add = (tensor: Tensor, wanted: string, isHeld: boolean): void => {
    const known = entries.get(tensor)
    if (known !== undefined) {
      known.isHeld ||= isHeld
      return
    }
    let name = wanted
    for (let i = 1; names.has(name); i++) name = `${wanted}#${i}`
    names.add(name)
    entries.set(tensor, { tensor, name, isHeld })
  }
  const addConstant = (name: string): void => {
    const constant = graph.constants.get(name)
    if (constant !== undefined) add(tensorOf(name, constant.tensor), name, !isRoot)
  }
  for (const node of graph.nodes) {
    for (const [key, value] of Object.entries(node.attributes)) {
      for (const item of Array.isArray(value) ? (value as readonly unknown[]) : [value]) {
        if (item instanceof Tensor) add(item, `${node.name}.${key}`, true)
        else if (isGraph(item)) collect(item, false, entries, names)
      }
    }
    for (const name of node.inputs) addConstant(name)
  }
  for (const name of namesRead(graph)) addConstant(name)
}

function tensorOf(name: string, tensor: Tensor | undefined): Tensor {
  if (tensor !== undefined) return tensor
  const todo = 'write the model from its source, not from a loaded session'
  throw new GraphError({ where: `constant '${name}'`, expected: 'its content', got: 'only its type', todo })
}

type Positions = ReadonlyMap<Tensor, number>

function exportGraph(graph: Graph, positions: Positions): ContainerGraph {
  const read = namesRead(graph)
  const constants = [...graph.constants].filter(([name]) => read.has(name))
  return {
    name: graph.name,
    opset: graph.opset,
    inputs: graph.inputs.map(exportValue),
    outputs: graph.outputs.map(exportValue),
    constants: constants.map(([name, { tensor }]) => [name, positions.get(tensorOf(name, tensor)) ?? 0] as const),
    nodes: graph.nodes.map((node) => exportNode(node, positions)),
  }
}

function exportValue({ name, dtype, dims }: GraphValue): ContainerValue {
  return { name, dtype, dims: dims?.map((dim) => (typeof dim === 'number' ? dim : print(dim))) ?? null }
}

function exportNode(node: Node, positions: Positions): ContainerGraph['nodes'][number] {
  const { name, op, inputs, outputs } = node
  const attributes = Object.entries(node.attributes)
  if (attributes.length === 0) return { name, op, inputs, outputs }
  const exported = attributes.map(([key, value]) => [key, exportAttribute(value, positions)] as const)
  return { name, op, inputs, outputs, attributes: Object.fromEntries(exported) }
}

function exportAttribute(value: AttributeValue, positions: Positions): ContainerAttribute {
  if (!Array.isArray(value)) return exportItem(value as number | string | Tensor | Graph, positions)
  return (value as readonly (number | string | Tensor | Graph)[]).map((item) => exportItem(item, positions))
}

function exportItem(item: number | string | Tensor | Graph, positions: Positions): ContainerItem {
  if (typeof item === 'number') return exportNumber(item)
  if (typeof item === 'string') return item
  return item instanceof Tensor ? { tensor: positions.get(item) ?? 0 } : { graph: exportGraph(item, positions) }
}

/** JSON has no NaN, no infinities, and loses the sign of -0. */
function exportNumber(value: number): ContainerFloat {
  if (Number.isNaN(value)) return { float: 'nan' }
  if (!Number.isFinite(value)) return { float: value > 0 ? 'inf' : '-inf' }
  return Object.is(value, -0) ? { float: '-0' } : value
}
