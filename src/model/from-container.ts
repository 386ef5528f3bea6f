// SPDX-License-Identifier: Apache-2.0
/**
 * Records of a .whittle file → graph. Whole files give a graph whose constants are views on the file's bytes. Streams
 * give a graph as soon as the resident tensors are there (whatever the host needs to infer shapes and to run
 * references: attributes, constants of subgraphs, small constants); the large weights follow as pieces.
 */
import { concatBytes } from '../base/bytes.ts'
import { FormatError, withContext } from '../base/errors.ts'
import { readContainer } from '../format/container.ts'
import { readStrings } from '../format/container-header.ts'
import type {
  ContainerAttribute,
  ContainerGraph,
  ContainerHeader,
  ContainerItem,
  ContainerMetadata,
  ContainerTensor,
  ContainerValue,
} from '../format/container-records.ts'
import { type ContainerPiece, type StreamOptions, streamContainer } from '../format/container-stream.ts'
import { parse } from '../ir/dim.ts'
import type { AttributeValue, Attributes, Constant, Graph, GraphValue } from '../ir/graph.ts'
import { verifyGraph } from '../ir/verify.ts'
import { type Dtype, byteLengthOf } from '../tensor/dtype.ts'
import { sizeOf } from '../tensor/shape.ts'
import { Tensor, tensorFromBytes } from '../tensor/tensor.ts'

/**
 * Largest constant of the main graph that is always kept on the host: the content inference follows
 * (ir/infer.ts `maxContent` elements of int64).
 */
const residentBytes = 8192

/** True for a tensor that stays on the host for its size or type alone. */
export function isResident({ type, dims }: { readonly type: Dtype; readonly dims: readonly number[] }): boolean {
  return type === 'string' || byteLengthOf(type, sizeOf(dims)) <= residentBytes
}

export interface LoadedContainer {
  readonly graph: Graph
  readonly metadata: ContainerMetadata
}

/** A piece of a large weight. */
export interface WeightPiece {
  /** Names of the constants of the main graph that have this content. */
  readonly constants: readonly string[]
  readonly dtype: Dtype
  readonly dims: readonly number[]
  /** Bytes of the whole weight. */
  readonly length: number
  /** Where in the weight the piece starts. */
  readonly offset: number
  /** Valid until the next piece is asked for. */
  readonly bytes: Uint8Array
}

export interface StreamedContainer extends LoadedContainer {
  /** Constants without a tensor, in the order in which `weights` gives them. */
  readonly weights: AsyncIterable<WeightPiece>
}

/**
 * The graph in a file's bytes.
 * @throws FormatError for damaged files, UnsupportedError for another version, GraphError for dims that are none
 */
export function fromContainer(bytes: Uint8Array, where = 'whittle'): LoadedContainer {
  const file = readContainer(bytes, where)
  const tensors = file.tensors.map(({ dtype, dims, data }) =>
    data instanceof Uint8Array ? tensorFromBytes(dtype, data, dims) : new Tensor(dtype, data, dims),
  )
  return { graph: importHeader(file.header, (position) => tensors[position], where), metadata: file.metadata }
}

/**
 * The graph at the start of a stream, and the rest of it. The weights must be taken to their end (or `return`ed from):
 * only then is the file known to be whole. @throws as fromContainer; SourceError and AbortError of the stream
 */
export async function streamModel(
  chunks: AsyncIterable<Uint8Array>,
  options: StreamOptions = {},
): Promise<StreamedContainer> {
  const where = options.where ?? 'whittle'
  const pieces = streamContainer(chunks, options)
  const first = await pieces.next()
  if (first.done === true || first.value.kind !== 'header')
    throw new FormatError({ where, expected: 'a header', got: 'none' })
  const { header } = first.value
  const streamed = streamedConstants(header)
  const residents = new Map<number, Tensor>()
  const held: ContainerPiece[] = []
  // resident tensors come first; a file in another order has its early weights held until the last resident is there
  let missing = header.tensors.filter((_, i) => !streamed.has(i)).length
  while (missing > 0) {
    const next = await pieces.next()
    if (next.done === true) break
    const piece = next.value
    if (piece.kind !== 'data') continue
    if (streamed.has(piece.index)) {
      held.push({ ...piece, bytes: piece.bytes.slice() })
      continue
    }
    const tensor = await collectTensor(piece, pieces, where)
    residents.set(piece.index, tensor)
    missing--
  }
  const graph = importHeader(header, (position) => residents.get(position), where)
  return { graph, metadata: header.metadata, weights: weightPieces(held, pieces, streamed) }
}

/** Positions of tensors that only large constants of the main graph use, and the names of those. */
function streamedConstants({ graph, tensors }: ContainerHeader): Map<number, string[]> {
  const held = new Set(heldPositions(graph, false))
  const streamed = new Map<number, string[]>()
  for (const [name, position] of graph.constants) {
    const { dtype: type, dims } = tensors[position]
    if (held.has(position) || isResident({ type, dims })) continue
    const names = streamed.get(position)
    if (names === undefined) streamed.set(position, [name])
    else names.push(name)
  }
  return streamed
}

/** Positions of attributes and of constants of subgraphs. */
function heldPositions(graph: ContainerGraph, isInner: boolean): number[] {
  const constants = isInner ? graph.constants.map(([, position]) => position) : []
  const items = graph.nodes.flatMap(({ attributes }) => Object.values(attributes ?? {}).flat() as ContainerItem[])
  const inner = items.flatMap((item) => {
    if (typeof item !== 'object') return []
    return 'tensor' in item ? [item.tensor] : 'graph' in item ? heldPositions(item.graph, true) : []
  })
  return [...constants, ...inner]
}

async function collectTensor(
  first: Extract<ContainerPiece, { kind: 'data' }>,
  pieces: AsyncGenerator<ContainerPiece>,
  where: string,
): Promise<Tensor> {
  const { tensor } = first
  const parts = [first.bytes.slice()]
  for (let length = first.bytes.byteLength; length < tensor.length;) {
    const next = await pieces.next()
    if (next.done === true || next.value.kind !== 'data') break
    parts.push(next.value.bytes.slice())
    length += next.value.bytes.byteLength
  }
  return tensorOf(tensor, concatBytes(parts), where)
}

function tensorOf(tensor: ContainerTensor, bytes: Uint8Array, where: string): Tensor {
  const { dtype, dims } = tensor
  return dtype === 'string'
    ? new Tensor(dtype, readStrings(tensor, bytes, where), dims)
    : tensorFromBytes(dtype, bytes, dims)
}

async function* weightPieces(
  held: readonly ContainerPiece[],
  pieces: AsyncGenerator<ContainerPiece>,
  streamed: ReadonlyMap<number, readonly string[]>,
): AsyncGenerator<WeightPiece> {
  try {
    for (const piece of held) yield* toWeight(piece, streamed)
    for (let next = await pieces.next(); next.done !== true; next = await pieces.next())
      yield* toWeight(next.value, streamed)
  } finally {
    await pieces.return(undefined)
  }
}

function* toWeight(piece: ContainerPiece, streamed: ReadonlyMap<number, readonly string[]>): Generator<WeightPiece> {
  if (piece.kind !== 'data') return
  const { dtype, dims, length } = piece.tensor
  yield { constants: streamed.get(piece.index) ?? [], dtype, dims, length, offset: piece.offset, bytes: piece.bytes }
}

type TensorAt = (position: number) => Tensor | undefined

function importHeader({ graph, tensors }: ContainerHeader, tensorAt: TensorAt, where: string): Graph {
  return withContext(where, () => {
    const imported = importGraph(graph, tensors, tensorAt)
    verifyGraph(imported)
    return imported
  })
}

function importGraph(graph: ContainerGraph, directory: readonly ContainerTensor[], tensorAt: TensorAt): Graph {
  const constants = graph.constants.map(([name, position]): [string, Constant] => {
    const { dtype, dims } = directory[position]
    const tensor = tensorAt(position)
    return [name, tensor === undefined ? { dtype, dims } : { dtype, dims, tensor }]
  })
  const importSubgraph = (inner: ContainerGraph): Graph => importGraph(inner, directory, tensorAt)
  return {
    name: graph.name,
    opset: graph.opset,
    inputs: graph.inputs.map(importValue),
    outputs: graph.outputs.map(importValue),
    constants: new Map(constants),
    nodes: graph.nodes.map(({ name, op, inputs, outputs, attributes }) => ({
      name,
      op,
      inputs,
      outputs,
      attributes: importAttributes(attributes ?? {}, tensorAt, importSubgraph),
    })),
  }
}

function importValue({ name, dtype, dims }: ContainerValue): GraphValue {
  return { name, dtype, dims: dims?.map((dim) => (typeof dim === 'number' ? dim : parse(dim))) ?? null }
}

function importAttributes(
  attributes: Readonly<Record<string, ContainerAttribute>>,
  tensorAt: TensorAt,
  importSubgraph: (graph: ContainerGraph) => Graph,
): Attributes {
  const importItem = (item: ContainerItem): number | string | Tensor | Graph => {
    if (typeof item !== 'object') return item
    if ('float' in item) return floats[item.float]
    if ('graph' in item) return importSubgraph(item.graph)
    const tensor = tensorAt(item.tensor)
    if (tensor !== undefined) return tensor
    throw new FormatError({ where: 'attribute', expected: 'its tensor', got: 'none' })
  }
  const imported = Object.entries(attributes).map(([name, value]) => [
    name,
    Array.isArray(value) ? value.map(importItem) : importItem(value as ContainerItem),
  ])
  return Object.fromEntries(imported) as Record<string, AttributeValue>
}

const floats = { nan: NaN, inf: Infinity, '-inf': -Infinity, '-0': -0 }
