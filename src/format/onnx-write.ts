// SPDX-License-Identifier: Apache-2.0
/**
 * Records → an ONNX file, the mirror of onnx.ts. Tensors are written as raw_data (strings as string_data, external
 * ones as a reference without their bytes). It trusts its records: what readOnnx gives, or what a test makes.
 */
import { PbfWriter } from 'pbf'
import { dtypes } from '../tensor/dtype.ts'
import {
  type OnnxAttribute,
  type OnnxAttributeKind,
  type OnnxDim,
  type OnnxFunction,
  type OnnxGraph,
  type OnnxInt,
  type OnnxModel,
  type OnnxNode,
  type OnnxOpset,
  type OnnxSparseTensor,
  type OnnxTensor,
  type OnnxType,
  type OnnxValueInfo,
  attributeTypes,
} from './onnx-records.ts'

/** Wire types of protobuf. */
const varint = 0
const fixed32 = 5

type Write<T> = (record: T, pbf: PbfWriter) => void

/** A file's bytes. */
export function writeOnnx(model: OnnxModel): Uint8Array {
  const pbf = new PbfWriter()
  int(pbf, 1, model.irVersion)
  text(pbf, 2, model.producerName)
  text(pbf, 3, model.producerVersion)
  text(pbf, 4, model.domain)
  int(pbf, 5, model.modelVersion)
  text(pbf, 6, model.docString)
  message(pbf, 7, writeGraph, model.graph)
  messages(pbf, 8, writeOpset, model.opsets)
  messages(pbf, 14, writeEntry, model.metadata)
  messages(pbf, 25, writeFunction, model.functions)
  return pbf.finish()
}

/** The bytes of one tensor as a file of its own (a TensorProto, as in the ONNX project's test data). */
export function writeOnnxTensor(tensor: OnnxTensor): Uint8Array {
  const pbf = new PbfWriter()
  writeTensor(tensor, pbf)
  return pbf.finish()
}

/** proto3 leaves default values out. */
function text(pbf: PbfWriter, field: number, value: string): void {
  if (value !== '') pbf.writeStringField(field, value)
}

function texts(pbf: PbfWriter, field: number, values: readonly string[]): void {
  for (const value of values) pbf.writeStringField(field, value)
}

function int(pbf: PbfWriter, field: number, value: OnnxInt): void {
  if (value != 0) writeInt(pbf, field, value)
}

function writeInt(pbf: PbfWriter, field: number, value: OnnxInt): void {
  pbf.writeTag(field, varint)
  writeVarint(pbf, value)
}

/** pbf's varints are doubles; what they cannot hold is written digit by digit. */
function writeVarint(pbf: PbfWriter, value: OnnxInt): void {
  if (typeof value === 'number') return pbf.writeVarint(value)
  pbf.realloc(10)
  let rest = BigInt.asUintN(64, value)
  for (; rest > 0x7fn; rest >>= 7n) pbf.buf[pbf.pos++] = Number(rest & 0x7fn) | 0x80
  pbf.buf[pbf.pos++] = Number(rest)
}

function ints(pbf: PbfWriter, field: number, values: readonly OnnxInt[]): void {
  message<readonly OnnxInt[]>(pbf, field, (list, inner) => list.forEach((value) => writeVarint(inner, value)), values)
}

function message<T>(pbf: PbfWriter, field: number, write: Write<T>, record: T): void {
  pbf.writeMessage(field, write, record)
}

function messages<T>(pbf: PbfWriter, field: number, write: Write<T>, records: readonly T[]): void {
  for (const record of records) message(pbf, field, write, record)
}

const writeEntry: Write<readonly [string, string]> = ([key, value], pbf) => {
  text(pbf, 1, key)
  text(pbf, 2, value)
}

const writeOpset: Write<OnnxOpset> = ({ domain, version }, pbf) => {
  text(pbf, 1, domain)
  int(pbf, 2, version)
}

const writeGraph: Write<OnnxGraph> = (graph, pbf) => {
  messages(pbf, 1, writeNode, graph.nodes)
  text(pbf, 2, graph.name)
  messages(pbf, 5, writeTensor, graph.initializers)
  messages(pbf, 11, writeValueInfo, graph.inputs)
  messages(pbf, 12, writeValueInfo, graph.outputs)
  messages(pbf, 13, writeValueInfo, graph.valueInfos)
  messages(pbf, 15, writeSparse, graph.sparseInitializers)
}

const writeNode: Write<OnnxNode> = (node, pbf) => {
  texts(pbf, 1, node.inputs)
  texts(pbf, 2, node.outputs)
  text(pbf, 3, node.name)
  text(pbf, 4, node.opType)
  messages(pbf, 5, writeAttribute, node.attributes)
  text(pbf, 7, node.domain)
  text(pbf, 8, node.overload)
}

const writeFunction: Write<OnnxFunction> = (called, pbf) => {
  text(pbf, 1, called.name)
  texts(pbf, 4, called.inputs)
  texts(pbf, 5, called.outputs)
  texts(pbf, 6, called.attributes)
  messages(pbf, 7, writeNode, called.nodes)
  messages(pbf, 9, writeOpset, called.opsets)
  text(pbf, 10, called.domain)
  messages(pbf, 11, writeAttribute, called.defaults)
  text(pbf, 13, called.overload)
}

const writeTensor: Write<OnnxTensor> = (tensor, pbf) => {
  if (tensor.dims.length > 0) ints(pbf, 1, tensor.dims)
  int(pbf, 2, dtypes[tensor.dtype].onnx)
  text(pbf, 8, tensor.name)
  const { data, external } = tensor
  if (external !== undefined) {
    const { location, offset, length } = external
    const entries: [string, string][] = [['location', location]]
    if (offset !== 0) entries.push(['offset', String(offset)])
    if (length !== undefined) entries.push(['length', String(length)])
    messages(pbf, 13, writeEntry, entries)
    int(pbf, 14, 1)
  } else if (data instanceof Uint8Array) pbf.writeBytesField(9, data)
  else texts(pbf, 6, data)
}

const writeSparse: Write<OnnxSparseTensor> = ({ values, indices, dims }, pbf) => {
  message(pbf, 1, writeTensor, values)
  message(pbf, 2, writeTensor, indices)
  if (dims.length > 0) ints(pbf, 3, dims)
}

const writeValueInfo: Write<OnnxValueInfo> = ({ name, type }, pbf) => {
  text(pbf, 1, name)
  if (type !== null) message(pbf, 2, writeType, type)
}

const writeType: Write<OnnxType> = (type, pbf) => {
  if (type.kind === 'tensor') message(pbf, 1, writeTensorType, type)
  else if (type.kind === 'sparse') message(pbf, 8, writeTensorType, type)
  else if (type.kind === 'sequence') message(pbf, 4, writeElementType, type.element)
  else if (type.kind === 'optional') message(pbf, 9, writeElementType, type.element)
  else pbf.writeBytesField(type.kind === 'map' ? 5 : 7, new Uint8Array(0))
}

const writeElementType: Write<OnnxType | null> = (type, pbf) => {
  if (type !== null) message(pbf, 1, writeType, type)
}

const writeTensorType: Write<Extract<OnnxType, { kind: 'tensor' | 'sparse' }>> = ({ dtype, dims }, pbf) => {
  if (dtype !== null) int(pbf, 1, dtypes[dtype].onnx)
  if (dims !== null) message<readonly OnnxDim[]>(pbf, 2, (list, inner) => messages(inner, 1, writeDim, list), dims)
}

const writeDim: Write<OnnxDim> = (dim, pbf) => {
  if (typeof dim === 'number') writeInt(pbf, 1, dim)
  else if (dim !== null) text(pbf, 2, dim)
}

const writeFloats: Write<readonly number[]> = (list, pbf) => list.forEach((value) => pbf.writeFloat(value))

/** How a value of each kind is written. Values that may be the default are written all the same: they are set. */
const attributeWriters: {
  [K in OnnxAttributeKind]: (pbf: PbfWriter, value: Extract<OnnxAttribute, { kind: K }>['value']) => void
} = {
  float: (pbf, value) => {
    pbf.writeTag(2, fixed32)
    pbf.writeFloat(value)
  },
  int: (pbf, value) => writeInt(pbf, 3, value),
  string: (pbf, value) => pbf.writeBytesField(4, value),
  tensor: (pbf, value) => message(pbf, 5, writeTensor, value),
  graph: (pbf, value) => message(pbf, 6, writeGraph, value),
  floats: (pbf, value) => message(pbf, 7, writeFloats, value),
  ints: (pbf, value) => ints(pbf, 8, value),
  strings: (pbf, value) => value.forEach((bytes) => pbf.writeBytesField(9, bytes)),
  tensors: (pbf, value) => messages(pbf, 10, writeTensor, value),
  graphs: (pbf, value) => messages(pbf, 11, writeGraph, value),
  type: (pbf, value) => message(pbf, 14, writeType, value),
  types: (pbf, value) => messages(pbf, 15, writeType, value),
  reference: (pbf, value) => text(pbf, 21, value),
  sparse: (pbf, value) => message(pbf, 22, writeSparse, value),
  sparses: (pbf, value) => messages(pbf, 23, writeSparse, value),
}

const writeAttribute: Write<OnnxAttribute> = (attribute, pbf) => {
  text(pbf, 1, attribute.name)
  const write = attributeWriters[attribute.kind] as (pbf: PbfWriter, value: OnnxAttribute['value']) => void
  write(pbf, attribute.value)
  if (attribute.kind !== 'reference') int(pbf, 20, attributeTypes[attribute.kind])
}
