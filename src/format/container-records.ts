// SPDX-License-Identifier: Apache-2.0
/**
 * A .whittle file as plain records. `docs/container.md` describes the bytes. The header is JSON: a graph whose weights
 * are positions in a directory of tensors, that directory, and metadata. What JSON cannot say (NaN, infinities, -0) is
 * wrapped; symbolic dims are text.
 */
import type { Dtype } from '../tensor/dtype.ts'

/** 'WHITTLE' and a zero byte. */
export const magic: readonly number[] = [0x57, 0x48, 0x49, 0x54, 0x54, 0x4c, 0x45, 0]
/** The version that is written, and the only one that is read. */
export const version = 1
/** Bytes before the header: magic, version, header length, checksum. */
export const preambleBytes = 20
/** Sections start at multiples of this: a cache line, and more than any SIMD load wants. */
export const alignment = 64
/** Longest header: far above real models, bounds what a corrupted length can ask for. */
export const maxHeaderBytes = 2 ** 26

export type ContainerFloat = number | { readonly float: 'nan' | 'inf' | '-inf' | '-0' }

export type ContainerItem =
  | ContainerFloat
  | string
  /** Position in the tensor directory. */
  | { readonly tensor: number }
  | { readonly graph: ContainerGraph }

export type ContainerAttribute = ContainerItem | readonly ContainerItem[]

export interface ContainerNode {
  readonly name: string
  readonly op: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** Left out where there are none. */
  readonly attributes?: Readonly<Record<string, ContainerAttribute>>
}

export interface ContainerValue {
  readonly name: string
  readonly dtype: Dtype
  /** Numbers, or the text of a symbolic dim; null where the rank is unknown. */
  readonly dims: readonly (number | string)[] | null
}

export interface ContainerGraph {
  readonly name: string
  readonly opset: number
  readonly inputs: readonly ContainerValue[]
  readonly outputs: readonly ContainerValue[]
  /** Name of a value, position in the tensor directory. */
  readonly constants: readonly (readonly [name: string, tensor: number])[]
  readonly nodes: readonly ContainerNode[]
}

/** An entry of the tensor directory. */
export interface ContainerTensor {
  /** Unique in the file; for messages and tools. */
  readonly name: string
  readonly dtype: Dtype
  readonly dims: readonly number[]
  /** Where its section starts, counted from the start of the first section. */
  readonly offset: number
  /** Bytes of its section. */
  readonly length: number
  /** CRC-32 of its section. */
  readonly crc32: number
}

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** Free: producer, source, recipe, report. */
export type ContainerMetadata = Readonly<Record<string, Json>>

export interface ContainerHeader {
  readonly graph: ContainerGraph
  readonly tensors: readonly ContainerTensor[]
  readonly metadata: ContainerMetadata
}

/** A tensor with its content: packed little-endian bytes, or text. */
export interface ContainerContent {
  readonly name: string
  readonly dtype: Dtype
  readonly dims: readonly number[]
  readonly data: Uint8Array | readonly string[]
}

/** `at` rounded up to the next section boundary. */
export function alignUp(at: number): number {
  return Math.ceil(at / alignment) * alignment
}

/** Kinds of model files. */
export type ModelFormat = 'whittle' | 'onnx'

/** Bytes at the start of a file that tell any kind. */
export const tellingBytes = 8

/** True where a file begins as a `.whittle` file does. */
export function isContainer(start: Uint8Array): boolean {
  return start.length >= magic.length && magic.every((byte, i) => start[i] === byte)
}
