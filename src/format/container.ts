// SPDX-License-Identifier: Apache-2.0
/**
 * .whittle files, whole: records ↔ bytes. `docs/container.md` describes the bytes, container-stream.ts reads them as
 * they arrive. What is written is a function of the records alone: the same model gives the same file.
 */
import { concatBytes, encodeUtf8, equalBytes } from '../base/bytes.ts'
import { crc32 } from '../base/crc.ts'
import { FormatError, InputError } from '../base/errors.ts'
import { dataBytes, dataStart, headerChecksum, readHeader, readPreamble, readStrings } from './container-header.ts'
import {
  type ContainerContent,
  type ContainerGraph,
  type ContainerHeader,
  type ContainerMetadata,
  type ContainerTensor,
  alignUp,
  magic,
  maxHeaderBytes,
  preambleBytes,
  version,
} from './container-records.ts'

export interface ContainerFile {
  readonly graph: ContainerGraph
  /** In the order in which they are stored. */
  readonly tensors: readonly ContainerContent[]
  readonly metadata: ContainerMetadata
}

/** The bytes of a file. @throws InputError when the header would be too long */
export function writeContainer({ graph, tensors, metadata }: ContainerFile): Uint8Array {
  const sections = tensors.map(({ data }) => (data instanceof Uint8Array ? data : stringSection(data)))
  let end = 0
  const directory = tensors.map(({ name, dtype, dims }, i): ContainerTensor => {
    const offset = alignUp(end)
    end = offset + sections[i].byteLength
    return { name, dtype, dims, offset, length: sections[i].byteLength, crc32: crc32(sections[i]) }
  })
  const header = encodeUtf8(JSON.stringify({ graph, tensors: directory, metadata } satisfies ContainerHeader))
  if (header.byteLength > maxHeaderBytes) {
    throw new InputError({
      where: 'container',
      expected: `a header of at most ${maxHeaderBytes} bytes`,
      got: String(header.byteLength),
    })
  }
  const start = dataStart(header.byteLength)
  const bytes = new Uint8Array(start + end)
  const view = new DataView(bytes.buffer)
  bytes.set(magic)
  view.setUint32(8, version, true)
  view.setUint32(12, header.byteLength, true)
  view.setUint32(16, headerChecksum(bytes, header), true)
  bytes.set(header, preambleBytes)
  for (const [i, { offset }] of directory.entries()) bytes.set(sections[i], start + offset)
  return bytes
}

function stringSection(texts: readonly string[]): Uint8Array {
  const parts = texts.flatMap((text) => {
    const bytes = encodeUtf8(text)
    const length = new Uint8Array(4)
    new DataView(length.buffer).setUint32(0, bytes.byteLength, true)
    return [length, bytes]
  })
  return parts.length === 0 ? new Uint8Array(0) : concatBytes(parts)
}

/** A file's records; the data of tensors are views on its bytes. Every checksum is verified. */
export interface ReadContainer extends ContainerFile {
  readonly header: ContainerHeader
}

/**
 * Reads a file that is in memory.
 * @throws FormatError for damaged files, UnsupportedError for files of another version
 */
export function readContainer(bytes: Uint8Array, where = 'whittle'): ReadContainer {
  const header = readHeader(bytes, where)
  const start = dataStart(readPreamble(bytes, where).headerBytes)
  const size = start + dataBytes(header)
  if (bytes.byteLength !== size) throw wrongSize(where, size, bytes.byteLength)
  let end = preambleBytes + readPreamble(bytes, where).headerBytes
  const tensors = header.tensors.map((tensor): ContainerContent => {
    const from = start + tensor.offset
    checkPadding(bytes.subarray(end, from), where)
    end = from + tensor.length
    const section = bytes.subarray(from, from + tensor.length)
    if (crc32(section) !== tensor.crc32) throw wrongChecksum(where, tensor)
    const data = tensor.dtype === 'string' ? readStrings(tensor, section, where) : section
    return { name: tensor.name, dtype: tensor.dtype, dims: tensor.dims, data }
  })
  return { header, graph: header.graph, tensors, metadata: header.metadata }
}

/** True when `bytes`, the start of a file, are a .whittle file's. */
export function isContainer(bytes: Uint8Array): boolean {
  return equalBytes(bytes.subarray(0, magic.length), Uint8Array.from(magic))
}

/** @throws FormatError when the bytes between sections are not zero */
export function checkPadding(bytes: Uint8Array, where: string): void {
  if (bytes.every((byte) => byte === 0)) return
  throw new FormatError({ where, expected: 'zeros between sections', got: 'other bytes', todo: 'get the file again' })
}

/** The error for a file that ends too early or too late. */
export function wrongSize(where: string, wanted: number, found: number): FormatError {
  return new FormatError({ where, expected: `a file of ${wanted} bytes`, got: `${found}`, todo: 'get the file again' })
}

/** The error for a section that was damaged. */
export function wrongChecksum(where: string, { name }: ContainerTensor): FormatError {
  return new FormatError({
    where: `${where}: tensor '${name}'`,
    expected: 'bytes that fit its checksum',
    got: 'others',
    todo: 'get the file again',
  })
}
