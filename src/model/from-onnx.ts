// SPDX-License-Identifier: Apache-2.0
/**
 * ONNX records → graph. Initializers and Constant nodes become constants (of the graph they stand in, subgraphs
 * included), functions are written out, every node is brought to the newest form of its operator (upgrade.ts), and
 * dims become numbers or symbols. Weights stay views on the file's bytes where these lie aligned. An input that has an
 * initializer is a constant: overriding it from outside is not offered.
 */
import { decodeUtf8 } from '../base/bytes.ts'
import { GraphError, UnsupportedError, inContext, withContext } from '../base/errors.ts'
import type {
  OnnxAttribute,
  OnnxDim,
  OnnxGraph,
  OnnxModel,
  OnnxTensor,
  OnnxType,
  OnnxValueInfo,
} from '../format/onnx-records.ts'
import { type Dim, symbol } from '../ir/dim.ts'
import type { AttributeValue, Graph, GraphValue, Node } from '../ir/graph.ts'
import { sortNodes } from '../ir/topo.ts'
import { verifyGraph } from '../ir/verify.ts'
import type { Dtype } from '../tensor/dtype.ts'
import { Tensor } from '../tensor/tensor.ts'
import { type ScopedNode, inlineFunctions, ownOpset } from './inline-functions.ts'
import { toDenseTensor, toTensor } from './onnx-tensors.ts'
import { newestOpset, upgradeNode } from './upgrade.ts'
import { Names, UpgradeScope } from './upgrade-scope.ts'

/** Something of a model that graphs cannot express. */
export interface Unsupported {
  readonly error: UnsupportedError
  /** The operator whose node it is, or is an attribute of. */
  readonly op?: string
  /** The graph's input or output that is no tensor, and what it is instead. */
  readonly value?: { readonly name: string; readonly kind: OnnxType['kind'] }
}

export interface ImportOptions {
  /**
   * Told of each thing that cannot be expressed, instead of the first one being thrown: for looking at a model. In its place
   * stands what comes nearest (the node as it is in the file, a tensor of unknown rank, nothing), so the graph cannot be run.
   */
  readonly onUnsupported?: (what: Unsupported) => void
}

interface Importing extends ImportOptions {
  readonly values: Names
  readonly onlyFloat32: boolean
}

/**
 * The graph of a model.
 * @throws GraphError for contradictions, UnsupportedError for types and operator versions that cannot be expressed,
 * FormatError for functions that call themselves and sparse tensors with bad indices
 */
export function fromOnnx(model: OnnxModel, { onUnsupported }: ImportOptions = {}): Graph {
  const { graph } = inlineFunctions(model)
  let isWhole = true
  const note = (what: Unsupported): void => {
    isWhole = false
    onUnsupported?.(what)
  }
  const importing: Importing = {
    values: new Names(),
    onlyFloat32: !mentionsOtherFloats(graph),
    ...(onUnsupported && { onUnsupported: note }),
  }
  claimNames(graph, importing.values)
  const imported = importGraph(graph, opsetOf(model), null, importing)
  if (isWhole) verifyGraph(imported)
  return imported
}

/** The version of ONNX's own domain that a model was written for; 1 for files of IR versions 1 and 2, which do not say. */
export function opsetOf({ opsets }: OnnxModel): number {
  return ownOpset(opsets) ?? (opsets.length === 0 ? 1 : newestOpset)
}

/** What `body` gives; `instead` where it cannot be expressed and somebody is told of that. @throws what `body` throws otherwise */
function attempt<T>(
  importing: Importing,
  place: string,
  about: Omit<Unsupported, 'error'>,
  body: () => T,
  instead: () => T,
): T {
  try {
    return body()
  } catch (error) {
    if (!(error instanceof UnsupportedError) || importing.onUnsupported === undefined) throw error
    importing.onUnsupported({ error: inContext(place, error) as UnsupportedError, ...about })
    return instead()
  }
}

/** Dim names that exporters write for "unknown": two such dims need not be equal. */
const namelessDims = new Set(['?', 'None', 'unknown'])

function importGraph(graph: OnnxGraph, opset: number, outer: UpgradeScope | null, importing: Importing): Graph {
  const scope = new UpgradeScope(outer, importing.values, importing.onlyFloat32)
  const define = (name: string, tensor: Tensor): void => {
    if (scope.constants.has(name)) {
      throw new GraphError({ where: `initializer '${name}'`, expected: 'one value of this name', got: 'two' })
    }
    scope.constants.set(name, { dtype: tensor.type, dims: tensor.dims, tensor })
  }
  for (const record of graph.initializers)
    define(
      record.name,
      withContext(`initializer '${record.name}'`, () => toTensor(record)),
    )
  for (const record of graph.sparseInitializers) define(record.values.name, toDenseTensor(record))
  const inputs = graph.inputs
    .filter(({ name }) => !scope.constants.has(name))
    .map((info) => importValue(info, importing))
  for (const info of [...graph.valueInfos, ...graph.outputs, ...graph.inputs]) scope.learn(info.name, knownShape(info))
  const nodes: Node[] = []
  for (const [index, record] of graph.nodes.entries()) {
    const where = `${qualified(record)} '${record.name || (record.outputs.find((name) => name !== '') ?? `#${index}`)}'`
    withContext(where, () => {
      if (isConstant(record)) return define(record.outputs[0] ?? '', constantOf(record))
      const nodeOpset = (record as ScopedNode).opset ?? opset
      const node = importNode(record, index, nodeOpset, scope, importing)
      const newest = () => upgradeNode(node, nodeOpset, scope)
      for (const upgraded of attempt(importing, where, { op: node.op }, newest, () => [node])) {
        nodes.push(upgraded)
        scope.learnFrom(upgraded)
      }
    })
  }
  const outputs = graph.outputs
    .map((info) => importValue(info, importing))
    .map((value) => withOwnType(value, scope, inputs))
  const sorted = sortNodes(nodes)
  return {
    name: graph.name,
    opset: Math.max(opset, newestOpset),
    inputs,
    outputs,
    constants: scope.constants,
    nodes: sorted,
  }
}

function importNode(record: ScopedNode, index: number, opset: number, scope: UpgradeScope, importing: Importing): Node {
  const op = qualified(record)
  const attributes: Record<string, AttributeValue> = {}
  for (const attribute of record.attributes) {
    const value = attempt(
      importing,
      op,
      { op },
      () => importAttribute(attribute, (graph) => importGraph(graph, opset, scope, importing)),
      () => undefined,
    )
    if (value !== undefined) attributes[attribute.name] = value
  }
  const name = scope.nodeName(record.name === '' ? `${record.opType}_${index}` : record.name)
  const outputs = countedOutputs.has(op) ? record.outputs : trimmed(record.outputs)
  return { name, op, inputs: trimmed(record.inputs), outputs, attributes }
}

/** Operators to which the number of their outputs means something, be they left out or not. */
const countedOutputs: ReadonlySet<string> = new Set(['Split'])

/** Names without the left-out ones at the end. */
function trimmed(names: readonly string[]): readonly string[] {
  let length = names.length
  while (length > 0 && names[length - 1] === '') length--
  return names.slice(0, length)
}

function qualified({ domain, opType }: { readonly domain: string; readonly opType: string }): string {
  return domain === '' || domain === 'ai.onnx' ? opType : `${domain}.${opType}`
}

const attributeImporters: {
  [K in OnnxAttribute['kind']]?: (
    attribute: Extract<OnnxAttribute, { kind: K }>,
    importSubgraph: (graph: OnnxGraph) => Graph,
  ) => AttributeValue
} = {
  float: (a) => a.value,
  int: (a) => Number(a.value),
  string: (a) => decodeUtf8(a.value, `attribute ${a.name}`),
  tensor: (a) => toTensor(a.value),
  graph: (a, importSubgraph) => importSubgraph(a.value),
  sparse: (a) => toDenseTensor(a.value),
  floats: (a) => a.value,
  ints: (a) => a.value.map(Number),
  strings: (a) => a.value.map((bytes) => decodeUtf8(bytes, `attribute ${a.name}`)),
  tensors: (a) => a.value.map(toTensor),
  graphs: (a, importSubgraph) => a.value.map(importSubgraph),
}

type AttributeImporter = (attribute: OnnxAttribute, importSubgraph: (graph: OnnxGraph) => Graph) => AttributeValue

function importAttribute(attribute: OnnxAttribute, importSubgraph: (graph: OnnxGraph) => Graph): AttributeValue {
  const convert = attributeImporters[attribute.kind] as AttributeImporter | undefined
  if (convert !== undefined) return convert(attribute, importSubgraph)
  const where = `attribute ${attribute.name}`
  throw new UnsupportedError({
    where,
    expected: 'numbers, text, tensors or graphs',
    got: `an attribute of kind ${attribute.kind}`,
  })
}

function isConstant(record: ScopedNode): boolean {
  return qualified(record) === 'Constant'
}

/** The value of a Constant node, whichever of its attributes holds it. */
function constantOf(record: ScopedNode): Tensor {
  const [attribute] = record.attributes.filter(
    (a) => a.name === 'value' || a.name === 'sparse_value' || a.name.startsWith('value_'),
  )
  if (attribute !== undefined) {
    if (attribute.kind === 'tensor') return toTensor(attribute.value)
    if (attribute.kind === 'sparse') return toDenseTensor(attribute.value)
    if (attribute.kind === 'float') return new Tensor('float32', [attribute.value], [])
    if (attribute.kind === 'floats') return new Tensor('float32', attribute.value)
    if (attribute.kind === 'int') return new Tensor('int64', [BigInt(attribute.value)], [])
    if (attribute.kind === 'ints') return new Tensor('int64', attribute.value.map(BigInt))
    if (attribute.kind === 'string') return new Tensor('string', [decodeUtf8(attribute.value, 'value_string')], [])
    if (attribute.kind === 'strings') {
      return new Tensor(
        'string',
        attribute.value.map((bytes) => decodeUtf8(bytes, 'value_strings')),
      )
    }
  }
  throw new GraphError({
    where: 'attributes',
    expected: 'value or one of its kin',
    got: record.attributes.map((a) => a.name).join(' ') || 'none',
  })
}

function importValue({ name, type }: OnnxValueInfo, { onUnsupported }: Importing): GraphValue {
  if (type === null || type.kind === 'tensor') {
    // a missing type is found by inference; float32 of unknown rank stands in until then
    const dims = type?.dims?.map((dim, axis) => importDim(dim, name, axis)) ?? null
    return { name, dtype: type?.dtype ?? 'float32', dims }
  }
  const { kind } = type
  const error = new UnsupportedError({ where: `value '${name}'`, expected: 'a tensor', got: `a ${kind}` })
  if (onUnsupported === undefined) throw error
  onUnsupported({ error, value: { name, kind } })
  return { name, dtype: 'float32', dims: null }
}

function importDim(dim: OnnxDim, value: string, axis: number): Dim {
  if (typeof dim === 'number') return dim
  return symbol(dim === null || namelessDims.has(dim) ? `${value}.dim${axis}` : dim)
}

/** An output that is a constant or an input has its type. */
function withOwnType(value: GraphValue, scope: UpgradeScope, inputs: readonly GraphValue[]): GraphValue {
  const own = scope.constants.get(value.name) ?? inputs.find(({ name }) => name === value.name)
  return own === undefined ? value : { name: value.name, dtype: own.dtype, dims: own.dims }
}

function knownShape({ type }: OnnxValueInfo): readonly (number | null)[] | null {
  if (type?.kind !== 'tensor' || type.dims === null) return null
  return type.dims.map((dim) => (typeof dim === 'number' ? dim : null))
}

/** Calls `visit` for the graph and all graphs inside it. */
function walk(graph: OnnxGraph, visit: (graph: OnnxGraph) => void): void {
  visit(graph)
  for (const { attributes } of graph.nodes) {
    for (const attribute of attributes) {
      if (attribute.kind === 'graph') walk(attribute.value, visit)
      else if (attribute.kind === 'graphs') for (const inner of attribute.value) walk(inner, visit)
    }
  }
}

function claimNames(graph: OnnxGraph, names: Names): void {
  walk(graph, ({ nodes, inputs, initializers, sparseInitializers }) => {
    for (const { name } of [...inputs, ...initializers, ...sparseInitializers.map((s) => s.values)]) names.add(name)
    for (const { outputs } of nodes) for (const name of outputs) names.add(name)
  })
}

const otherFloats = new Set<Dtype>(['float16', 'float64', 'bfloat16'])
/** TensorProto.DataType of float16, float64 and bfloat16: what `to` and `dtype` attributes say. */
const otherFloatCodes = new Set([10, 11, 16])

/** True when a float of another type than float32 may occur anywhere in the model. */
function mentionsOtherFloats(graph: OnnxGraph): boolean {
  let found = false
  const tensor = (record: OnnxTensor): boolean => otherFloats.has(record.dtype)
  const value = (type: OnnxType | null): boolean =>
    type?.kind === 'tensor' && type.dtype !== null && otherFloats.has(type.dtype)
  walk(graph, (g) => {
    found ||= g.initializers.some(tensor) || g.sparseInitializers.some((s) => tensor(s.values))
    found ||= [...g.inputs, ...g.outputs, ...g.valueInfos].some((info) => value(info.type))
    found ||= g.nodes.some(({ attributes }) =>
      attributes.some((a) => (a.kind === 'tensor' && tensor(a.value)) || namesOtherFloat(a)),
    )
  })
  return found
}

function namesOtherFloat(attribute: OnnxAttribute): boolean {
  if (!/^(to|dtype|output_dtype|output_datatype)$/.test(attribute.name)) return false
  // before opset 6 Cast took text: 'DOUBLE', 'FLOAT16'
  return attribute.kind === 'int' ? otherFloatCodes.has(Number(attribute.value)) : attribute.kind === 'string'
}
