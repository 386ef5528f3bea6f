// SPDX-License-Identifier: Apache-2.0
/**
 * An ONNX file as plain records, one interface per message of the public schema (onnx/onnx.proto3). Absent scalars are
 * '' or 0, absent lists are empty. Weights are views on the file's bytes in ONNX's raw_data layout (little endian,
 * row-major, sub-byte types packed low bits first), whichever field they came in. Nothing here knows of graphs.
 */
import type { Dtype } from '../tensor/dtype.ts'

/** An int64: a number when that is exact, else a bigint. */
export type OnnxInt = number | bigint

/** Where the bytes of a tensor lie outside of the model's file. `length` undefined: as many as the tensor needs. */
export interface OnnxExternal {
  readonly location: string
  readonly offset: number
  readonly length?: number
}

export interface OnnxTensor {
  readonly name: string
  readonly dtype: Dtype
  readonly dims: readonly number[]
  /** Packed bytes, exactly as many as dtype and dims need; strings as text. */
  readonly data: Uint8Array | readonly string[]
  /** Set when the data came from (or is to be written as a reference to) another file. */
  readonly external?: OnnxExternal
}

/** A tensor of `dims` that is 0 but for `values` (rank 1); `indices` is int64, [n] linear or [n, rank]. */
export interface OnnxSparseTensor {
  readonly values: OnnxTensor
  readonly indices: OnnxTensor
  readonly dims: readonly number[]
}

/** A dim: its length, its symbol's name, or null when nothing is said. */
export type OnnxDim = number | string | null

export type OnnxType =
  /** dtype null: not said, or a type whittle has not; dims null: rank not said. */
  | { readonly kind: 'tensor' | 'sparse'; readonly dtype: Dtype | null; readonly dims: readonly OnnxDim[] | null }
  | { readonly kind: 'sequence' | 'optional'; readonly element: OnnxType | null }
  | { readonly kind: 'map' | 'opaque' }

export interface OnnxValueInfo {
  readonly name: string
  readonly type: OnnxType | null
}

/** Value by kind of attribute. Strings are bytes: the schema does not promise text. */
export interface OnnxAttributeValues {
  float: number
  int: OnnxInt
  string: Uint8Array
  tensor: OnnxTensor
  graph: OnnxGraph
  sparse: OnnxSparseTensor
  type: OnnxType
  floats: readonly number[]
  ints: readonly OnnxInt[]
  strings: readonly Uint8Array[]
  tensors: readonly OnnxTensor[]
  graphs: readonly OnnxGraph[]
  sparses: readonly OnnxSparseTensor[]
  types: readonly OnnxType[]
  /** Inside a function: the name of the function's attribute that stands here. */
  reference: string
}

export type OnnxAttributeKind = keyof OnnxAttributeValues

export type OnnxAttribute = {
  [K in OnnxAttributeKind]: { readonly name: string; readonly kind: K; readonly value: OnnxAttributeValues[K] }
}[OnnxAttributeKind]

export interface OnnxNode {
  readonly name: string
  readonly opType: string
  readonly domain: string
  readonly overload: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: readonly OnnxAttribute[]
}

export interface OnnxGraph {
  readonly name: string
  readonly nodes: readonly OnnxNode[]
  readonly inputs: readonly OnnxValueInfo[]
  readonly outputs: readonly OnnxValueInfo[]
  readonly valueInfos: readonly OnnxValueInfo[]
  readonly initializers: readonly OnnxTensor[]
  readonly sparseInitializers: readonly OnnxSparseTensor[]
}

export interface OnnxOpset {
  /** '' is ONNX's own. */
  readonly domain: string
  readonly version: number
}

/** A model-local function: an operator written out in other operators. */
export interface OnnxFunction {
  readonly name: string
  readonly domain: string
  readonly overload: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** Attributes without a default. */
  readonly attributes: readonly string[]
  /** Attributes with one. */
  readonly defaults: readonly OnnxAttribute[]
  readonly nodes: readonly OnnxNode[]
  readonly opsets: readonly OnnxOpset[]
}

export interface OnnxModel {
  readonly irVersion: number
  readonly opsets: readonly OnnxOpset[]
  readonly producerName: string
  readonly producerVersion: string
  readonly domain: string
  readonly modelVersion: number
  readonly docString: string
  readonly graph: OnnxGraph
  readonly functions: readonly OnnxFunction[]
  readonly metadata: readonly (readonly [key: string, value: string])[]
}

/** AttributeProto.AttributeType of each kind; a reference has none of its own. */
export const attributeTypes = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
  strings: 8,
  tensors: 9,
  graphs: 10,
  sparse: 11,
  sparses: 12,
  type: 13,
  types: 14,
} as const satisfies Partial<Record<OnnxAttributeKind, number>>
