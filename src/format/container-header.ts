// SPDX-License-Identifier: Apache-2.0
/**
 * Reads the preamble and the header of a .whittle file. The JSON is held against a schema, then against a table of
 * rules the schema cannot express: what comes out can be trusted as far as bytes go. Whether the graph makes sense is
 * the verifier's to say.
 */
import * as v from 'valibot'
import { ByteReader, decodeUtf8, equalBytes } from '../base/bytes.ts'
import { crc32 } from '../base/crc.ts'
import { FormatError, UnsupportedError } from '../base/errors.ts'
import { type Dtype, byteLengthOf, dtypes } from '../tensor/dtype.ts'
import { mostRank } from '../tensor/shape.ts'
import {
  type ContainerGraph,
  type ContainerHeader,
  type ContainerTensor,
  alignUp,
  magic,
  maxHeaderBytes,
  preambleBytes,
  version,
} from './container-records.ts'

export interface Preamble {
  readonly headerBytes: number
  readonly checksum: number
}

/** Reads the first bytes of a file. @throws FormatError for other files, UnsupportedError for other versions */
export function readPreamble(bytes: Uint8Array, where: string): Preamble {
  const reader = new ByteReader(bytes, where)
  const start = reader.view(Math.min(magic.length, reader.left), 'magic')
  if (!equalBytes(start, Uint8Array.from(magic))) {
    throw new FormatError({ where, expected: 'a .whittle file', got: 'other bytes' })
  }
  const found = reader.u32('version')
  if (found !== version) {
    const todo = found > version ? 'use a newer whittle' : 'compress the model again'
    throw new UnsupportedError({ where, expected: `container version ${version}`, got: String(found), todo })
  }
  const headerBytes = reader.u32('header length')
  if (headerBytes > maxHeaderBytes) {
    throw new FormatError({ where, expected: `a header of at most ${maxHeaderBytes} bytes`, got: String(headerBytes) })
  }
  return { headerBytes, checksum: reader.u32('header checksum') }
}

/** Reads the header from the first bytes of a file, preamble included. @throws FormatError, UnsupportedError */
export function readHeader(bytes: Uint8Array, where: string): ContainerHeader {
  const { headerBytes, checksum } = readPreamble(bytes, where)
  const reader = new ByteReader(bytes, where)
  reader.view(preambleBytes, 'preamble')
  const content = reader.view(headerBytes, 'header')
  if (headerChecksum(bytes, content) !== checksum) {
    throw new FormatError({
      where,
      expected: 'a header that fits its checksum',
      got: 'another',
      todo: 'get the file again',
    })
  }
  const header = validate(parseJson(decodeUtf8(content, `${where} header`), where), where)
  for (const check of rules) check(header, where)
  return header
}

/** CRC-32 of a header and of what stands before its checksum. */
export function headerChecksum(preamble: Uint8Array, header: Uint8Array): number {
  return crc32(header, crc32(preamble.subarray(0, preambleBytes - 4)))
}

/** Where the first section starts. */
export function dataStart(headerBytes: number): number {
  return alignUp(preambleBytes + headerBytes)
}

/** Bytes of all sections with the padding between them. */
export function dataBytes({ tensors }: ContainerHeader): number {
  const last = tensors.at(-1)
  return last === undefined ? 0 : last.offset + last.length
}

/** Deepest nesting of the header's JSON: some forty graphs inside each other; who walks it may use the stack. */
const maxNesting = 256

function parseJson(text: string, where: string): unknown {
  checkNesting(text, where)
  try {
    return JSON.parse(text) as unknown
  } catch (cause) {
    throw new FormatError({ where: `${where} header`, expected: 'JSON', got: (cause as Error).message }, { cause })
  }
}

/** @throws FormatError when brackets outside of texts are nested too deep */
function checkNesting(text: string, where: string): void {
  let depth = 0
  let isText = false
  for (let i = 0; i < text.length; i++) {
    const letter = text.charCodeAt(i)
    if (isText) {
      if (letter === backslash) i++
      else if (letter === quote) isText = false
    } else if (letter === quote) isText = true
    else if (letter === 0x5b || letter === 0x7b) depth++
    else if (letter === 0x5d || letter === 0x7d) depth--
    if (depth > maxNesting) {
      throw new FormatError({ where: `${where} header`, expected: `at most ${maxNesting} levels`, got: 'more' })
    }
  }
}

const quote = 0x22
const backslash = 0x5c

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const dtype = v.picklist(Object.keys(dtypes) as Dtype[])
const names = v.array(v.string())

const value = v.strictObject({ name: v.string(), dtype, dims: v.nullable(v.array(v.union([count, v.string()]))) })

const item = v.union([
  v.number(),
  v.string(),
  v.strictObject({ float: v.picklist(['nan', 'inf', '-inf', '-0']) }),
  v.strictObject({ tensor: count }),
  v.strictObject({ graph: v.lazy((): v.GenericSchema<ContainerGraph> => graph) }),
])

const node = v.strictObject({
  name: v.string(),
  op: v.string(),
  inputs: names,
  outputs: names,
  attributes: v.optional(v.record(v.string(), v.union([item, v.array(item)]))),
})

const graph: v.GenericSchema<ContainerGraph> = v.strictObject({
  name: v.string(),
  opset: count,
  inputs: v.array(value),
  outputs: v.array(value),
  constants: v.array(v.strictTuple([v.string(), count])),
  nodes: v.array(node),
})

const tensor = v.strictObject({
  name: v.string(),
  dtype,
  dims: v.array(count),
  offset: count,
  length: count,
  // one that no checksum can be is found when the section's is held against it
  crc32: count,
})

const headerSchema = v.strictObject({ graph, tensors: v.array(tensor), metadata: v.record(v.string(), v.any()) })

function validate(json: unknown, where: string): ContainerHeader {
  const result = v.safeParse(headerSchema, json, { abortEarly: true })
  if (result.success) return result.output
  const [issue] = result.issues
  const place = v.getDotPath(issue) ?? 'the top'
  const expected = issue.expected ?? issue.message
  throw new FormatError({ where: `${where} header at ${place}`, expected, got: issue.received.slice(0, 80) })
}

type Rule = (header: ContainerHeader, where: string) => void

const rules: readonly Rule[] = [
  checkNames,
  checkLengths,
  checkOffsets,
  ({ graph, tensors }, where) => checkGraph(graph, tensors.length, where),
]

function checkNames({ tensors }: ContainerHeader, where: string): void {
  const seen = new Set<string>()
  for (const { name } of tensors) {
    if (seen.has(name)) throw new FormatError({ where, expected: 'tensors of unlike names', got: `'${name}' twice` })
    seen.add(name)
  }
}

function checkLengths({ tensors }: ContainerHeader, where: string): void {
  for (const { name, dtype, dims, length } of tensors) {
    const place = `${where}: tensor '${name}'`
    if (dims.length > mostRank)
      throw new FormatError({ where: place, expected: `a rank of at most ${mostRank}`, got: String(dims.length) })
    // a dim of 0 leaves nothing of the others, which are held to the limit all the same: strides are made of them
    const whole = dims.reduce((product, dim) => product * Math.max(1, dim), 1)
    if (!Number.isSafeInteger(whole)) {
      throw new FormatError({ where: place, expected: 'fewer than 2^53 elements', got: `[${dims.join(', ')}]` })
    }
    const elements = dims.includes(0) ? 0 : whole
    // each text has four bytes of length before it
    const isRight = dtype === 'string' ? length >= elements * 4 : length === byteLengthOf(dtype, elements)
    if (isRight) continue
    const wanted = dtype === 'string' ? elements * 4 : byteLengthOf(dtype, elements)
    throw new FormatError({ where: place, expected: `${wanted} bytes`, got: String(length) })
  }
}

/** Sections lie one after the other in the directory's order, with nothing but padding between. */
function checkOffsets({ tensors }: ContainerHeader, where: string): void {
  let end = 0
  for (const { name, offset, length } of tensors) {
    if (offset !== alignUp(end)) {
      throw new FormatError({
        where: `${where}: tensor '${name}'`,
        expected: `offset ${alignUp(end)}`,
        got: String(offset),
      })
    }
    end = offset + length
  }
  if (!Number.isSafeInteger(end)) throw new FormatError({ where, expected: 'a size below 2^53', got: String(end) })
}

function checkGraph(graph: ContainerGraph, tensors: number, where: string): void {
  const check = (position: number, what: string): void => {
    if (position >= tensors) {
      throw new FormatError({
        where: `${where}: ${what}`,
        expected: `a tensor below ${tensors}`,
        got: String(position),
      })
    }
  }
  const seen = new Set<string>()
  for (const [name, position] of graph.constants) {
    check(position, `constant '${name}'`)
    if (seen.has(name)) throw new FormatError({ where, expected: 'constants of unlike names', got: `'${name}' twice` })
    seen.add(name)
  }
  for (const { name, attributes } of graph.nodes) {
    for (const attribute of Object.values(attributes ?? {}).flat()) {
      if (typeof attribute !== 'object') continue
      if ('tensor' in attribute) check(attribute.tensor, `node '${name}'`)
      if ('graph' in attribute) checkGraph(attribute.graph, tensors, where)
    }
  }
}

/** Text of a string tensor's section: each a length of four bytes and UTF-8. @throws FormatError */
export function readStrings(tensor: ContainerTensor, bytes: Uint8Array, where: string): string[] {
  const reader = new ByteReader(bytes, `${where}: tensor '${tensor.name}'`)
  const elements = tensor.dims.reduce((product, dim) => product * dim, 1)
  const texts = Array.from({ length: elements }, () => reader.utf8(reader.u32('length'), 'text'))
  if (reader.left === 0) return texts
  throw new FormatError({ where: reader.where, expected: 'the end of the section', got: `${reader.left} more bytes` })
}
