// SPDX-License-Identifier: Apache-2.0
/**
 * ONNX files → records (onnx-records.ts), after the public schema onnx/onnx.proto3: one table of field readers per
 * message. Time and memory are linear in the file's size; anything out of order is a FormatError with its offset.
 * Weights stay views on the file's bytes, so those must not change as long as the records are in use.
 */
import { SourceError } from '../base/errors.ts'
import { dtypeOfOnnx } from '../tensor/dtype.ts'
import { type ResolveExternal, fillExternals } from './onnx-external.ts'
import {
  type OnnxAttribute,
  type OnnxAttributeKind,
  type OnnxAttributeValues,
  type OnnxDim,
  type OnnxFunction,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  type OnnxOpset,
  type OnnxSparseTensor,
  type OnnxTensor,
  type OnnxType,
  type OnnxValueInfo,
  attributeTypes,
} from './onnx-records.ts'
import { entryFields, readTensor } from './onnx-tensor.ts'
import { type Fields, Wire } from './onnx-wire.ts'

/** A record under construction: every list can be appended to. */
type Draft<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] }

/** A wire and the tensors whose data is elsewhere. */
interface Reading {
  readonly externals: Draft<OnnxTensor>[]
}

export interface ReadOnnxOptions {
  /** Starts every message; 'onnx' where left out. */
  readonly where?: string
  /** Fetches a file beside the model, for external data. */
  readonly resolve?: ResolveExternal
}

/**
 * Reads a model and the external data it names.
 * @throws FormatError for bytes that are no ONNX model, UnsupportedError for complex or segmented tensors, SourceError
 * when external data is named and cannot be had
 */
export async function readOnnx(bytes: Uint8Array, options: ReadOnnxOptions = {}): Promise<OnnxModel> {
  const where = options.where ?? 'onnx'
  const reading: Reading = { externals: [] }
  const model = readModel(new Wire(bytes, where), reading)
  await fillExternals(reading.externals, options.resolve, where)
  return model
}

/** As readOnnx, at once, for models that hold all of their data. @throws SourceError when one does not */
export function parseOnnx(bytes: Uint8Array, where = 'onnx'): OnnxModel {
  const reading: Reading = { externals: [] }
  const model = readModel(new Wire(bytes, where), reading)
  const [first] = reading.externals
  if (first === undefined) return model
  throw new SourceError({
    where: `${where}: tensor '${first.name}'`,
    expected: 'all data inside the file',
    got: `external data in '${first.external?.location ?? ''}'`,
    todo: 'load the model by path or URL, so that the file beside it can be found',
  })
}

function readModel(wire: Wire, reading: Reading): OnnxModel {
  const model: Draft<OnnxModel> & { seen: boolean } = {
    irVersion: 0,
    opsets: [],
    producerName: '',
    producerVersion: '',
    domain: '',
    modelVersion: 0,
    docString: '',
    graph: emptyGraph(),
    functions: [],
    metadata: [],
    seen: false,
  }
  const { seen, ...record } = wire.fields<typeof model>(
    {
      1: (w, m) => (m.irVersion = w.integer('ir_version')),
      2: (w, m) => (m.producerName = w.string()),
      3: (w, m) => (m.producerVersion = w.string()),
      4: (w, m) => (m.domain = w.string()),
      5: (w, m) => (m.modelVersion = Number(w.int64())),
      6: (w, m) => (m.docString = w.string()),
      7: (w, m) => {
        if (m.seen) throw w.error('one graph', 'a second')
        m.graph = readGraph(w, reading)
        m.seen = true
      },
      8: (w, m) => m.opsets.push(readOpset(w)),
      14: (w, m) => m.metadata.push(w.message<[string, string]>(entryFields, ['', ''])),
      25: (w, m) => m.functions.push(readFunction(w, reading)),
    },
    model,
  )
  if (!seen) throw wire.error('a graph in the model', 'none')
  return record
}

function readOpset(wire: Wire): OnnxOpset {
  return wire.message<Draft<OnnxOpset>>(opsetFields, { domain: '', version: 0 })
}

const opsetFields: Fields<Draft<OnnxOpset>> = {
  1: (wire, opset) => (opset.domain = wire.string()),
  2: (wire, opset) => (opset.version = wire.integer('an opset version', 0)),
}

function emptyGraph(): Draft<OnnxGraph> {
  return { name: '', nodes: [], inputs: [], outputs: [], valueInfos: [], initializers: [], sparseInitializers: [] }
}

function readGraph(wire: Wire, reading: Reading): OnnxGraph {
  return wire.message<Draft<OnnxGraph>>(
    {
      1: (w, g) => g.nodes.push(readNode(w, reading)),
      2: (w, g) => (g.name = w.string()),
      5: (w, g) => g.initializers.push(readTensor(w, reading.externals)),
      11: (w, g) => g.inputs.push(readValueInfo(w)),
      12: (w, g) => g.outputs.push(readValueInfo(w)),
      13: (w, g) => g.valueInfos.push(readValueInfo(w)),
      15: (w, g) => g.sparseInitializers.push(readSparse(w, reading)),
    },
    emptyGraph(),
  )
}

function readNode(wire: Wire, reading: Reading): OnnxNode {
  return wire.message<Draft<OnnxNode>>(
    {
      1: (w, n) => n.inputs.push(w.string()),
      2: (w, n) => n.outputs.push(w.string()),
      3: (w, n) => (n.name = w.string()),
      4: (w, n) => (n.opType = w.string()),
      5: (w, n) => n.attributes.push(readAttribute(w, reading)),
      7: (w, n) => (n.domain = w.string()),
      8: (w, n) => (n.overload = w.string()),
    },
    { name: '', opType: '', domain: '', overload: '', inputs: [], outputs: [], attributes: [] },
  )
}

function readFunction(wire: Wire, reading: Reading): OnnxFunction {
  return wire.message<Draft<OnnxFunction>>(
    {
      1: (w, f) => (f.name = w.string()),
      4: (w, f) => f.inputs.push(w.string()),
      5: (w, f) => f.outputs.push(w.string()),
      6: (w, f) => f.attributes.push(w.string()),
      7: (w, f) => f.nodes.push(readNode(w, reading)),
      9: (w, f) => f.opsets.push(readOpset(w)),
      10: (w, f) => (f.domain = w.string()),
      11: (w, f) => f.defaults.push(readAttribute(w, reading)),
      13: (w, f) => (f.overload = w.string()),
    },
    {
      name: '',
      domain: '',
      overload: '',
      inputs: [],
      outputs: [],
      attributes: [],
      defaults: [],
      nodes: [],
      opsets: [],
    },
  )
}

function readSparse(wire: Wire, reading: Reading): OnnxSparseTensor {
  const offset = wire.offset
  const draft: { values?: OnnxTensor; indices?: OnnxTensor; dims: number[] } = { dims: [] }
  wire.message<typeof draft>(
    {
      1: (w, s) => (s.values = readTensor(w, reading.externals)),
      2: (w, s) => (s.indices = readTensor(w, reading.externals)),
      3: (w, s) => w.integers(s.dims, 'a dim', 0, Number.MAX_SAFE_INTEGER),
    },
    draft,
  )
  const { values, indices, dims } = draft
  if (values === undefined || indices === undefined) {
    throw wire.error('values and indices', `a sparse tensor without them at byte ${offset}`)
  }
  return { values, indices, dims }
}

function readValueInfo(wire: Wire): OnnxValueInfo {
  return wire.message<Draft<OnnxValueInfo>>(
    { 1: (w, v) => (v.name = w.string()), 2: (w, v) => (v.type = readType(w)) },
    { name: '', type: null },
  )
}

function readType(wire: Wire): OnnxType | null {
  return wire.message<{ type: OnnxType | null }>(typeFields, { type: null }).type
}

const typeFields: Fields<{ type: OnnxType | null }> = {
  1: (wire, box) => (box.type = readTensorType(wire, 'tensor')),
  4: (wire, box) => (box.type = { kind: 'sequence', element: readElementType(wire) }),
  5: (wire, box) => {
    wire.span()
    box.type = { kind: 'map' }
  },
  7: (wire, box) => {
    wire.span()
    box.type = { kind: 'opaque' }
  },
  8: (wire, box) => (box.type = readTensorType(wire, 'sparse')),
  9: (wire, box) => (box.type = { kind: 'optional', element: readElementType(wire) }),
}

function readElementType(wire: Wire): OnnxType | null {
  return wire.message<{ type: OnnxType | null }>({ 1: (w, box) => (box.type = readType(w)) }, { type: null }).type
}

function readTensorType(wire: Wire, kind: 'tensor' | 'sparse'): OnnxType {
  const draft: { code: number; dims: OnnxDim[] | null } = { code: 0, dims: null }
  wire.message<typeof draft>(
    {
      1: (w, t) => (t.code = w.integer('an element type')),
      2: (w, t) => (t.dims = w.message<OnnxDim[]>(shapeFields, [])),
    },
    draft,
  )
  return { kind, dtype: dtypeOfOnnx(draft.code) ?? null, dims: draft.dims }
}

const shapeFields: Fields<OnnxDim[]> = {
  1: (wire, dims) => dims.push(wire.message<{ dim: OnnxDim }>(dimFields, { dim: null }).dim),
}

/** Some exporters write "unknown" as -1 or as an empty name. */
const dimFields: Fields<{ dim: OnnxDim }> = {
  1: (wire, box) => {
    const value = wire.integer('a dim')
    box.dim = value < 0 ? null : value
  },
  2: (wire, box) => {
    const name = wire.string()
    box.dim = name === '' ? null : name
  },
}

interface AttributeDraft {
  name: string
  type: number
  reference: string
  readonly found: { -readonly [K in OnnxAttributeKind]?: OnnxAttributeValues[K] }
  readonly floats: number[]
  readonly ints: (number | bigint)[]
  readonly strings: Uint8Array[]
  readonly tensors: OnnxTensor[]
  readonly graphs: OnnxGraph[]
  readonly sparses: OnnxSparseTensor[]
  readonly types: OnnxType[]
}

const kindOfType = new Map<number, OnnxAttributeKind>(
  Object.entries(attributeTypes).map(([kind, type]) => [type, kind as OnnxAttributeKind]),
)

function readAttribute(wire: Wire, reading: Reading): OnnxAttribute {
  const draft: AttributeDraft = {
    name: '',
    type: 0,
    reference: '',
    found: {},
    floats: [],
    ints: [],
    strings: [],
    tensors: [],
    graphs: [],
    sparses: [],
    types: [],
  }
  wire.message<AttributeDraft>(
    {
      1: (w, a) => (a.name = w.string()),
      2: (w, a) => (a.found.float = w.float()),
      3: (w, a) => (a.found.int = w.int64()),
      4: (w, a) => (a.found.string = w.span()),
      5: (w, a) => (a.found.tensor = readTensor(w, reading.externals)),
      6: (w, a) => (a.found.graph = readGraph(w, reading)),
      7: (w, a) => w.floats(a.floats),
      8: (w, a) => w.int64s(a.ints),
      9: (w, a) => a.strings.push(w.span()),
      10: (w, a) => a.tensors.push(readTensor(w, reading.externals)),
      11: (w, a) => a.graphs.push(readGraph(w, reading)),
      14: (w, a) => (a.found.type = readType(w) ?? { kind: 'opaque' }),
      15: (w, a) => a.types.push(readType(w) ?? { kind: 'opaque' }),
      20: (w, a) => (a.type = w.integer('an attribute type')),
      21: (w, a) => (a.reference = w.string()),
      22: (w, a) => (a.found.sparse = readSparse(w, reading)),
      23: (w, a) => a.sparses.push(readSparse(w, reading)),
    },
    draft,
  )
  return finishAttribute(draft, wire)
}

function finishAttribute(draft: AttributeDraft, wire: Wire): OnnxAttribute {
  const { name, found, floats, ints, strings, tensors, graphs, sparses, types } = draft
  if (draft.reference !== '') return { name, kind: 'reference', value: draft.reference }
  const lists = { floats, ints, strings, tensors, graphs, sparses, types }
  // files of IR version 1 and 2 may leave the type out: then the field that is there tells it
  const field =
    draft.type === 0
      ? (Object.keys(found)[0] ?? Object.entries(lists).find(([, list]) => list.length > 0)?.[0])
      : undefined
  const kind = kindOfType.get(draft.type) ?? (field as OnnxAttributeKind | undefined)
  if (kind === undefined) throw wire.error(`a known type and a value of attribute '${name}'`, `type ${draft.type}`)
  const absent = { float: 0, int: 0, string: new Uint8Array(0) }
  const value = { ...absent, ...found, ...lists }[kind as keyof typeof lists]
  if (value === undefined) throw wire.error(`a ${kind} in attribute '${name}'`, 'none')
  return { name, kind, value } as OnnxAttribute
}
