// SPDX-License-Identifier: Apache-2.0
/**
 * The graph: plain data. Values are named by strings; a name is defined once in a graph, by an input, a constant or
 * one node's output. Nodes stand in topological order. '' as a node input or output means "left out", as in ONNX.
 * Subgraphs (If, Loop, Scan bodies) are graphs held in attributes; they may read the names of the graphs around them.
 */
import type { Dtype } from '../tensor/dtype.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Dim } from './dim.ts'

/** What is known of a value before it is computed. */
export interface ValueType {
  readonly dtype: Dtype
  /** null: not even the rank is known. */
  readonly dims: readonly Dim[] | null
}

/** A ValueType, and where known the content too. */
export interface ValueInfo extends ValueType {
  /** Elements of a small integer tensor (at most 1024 elements) in row-major order, possibly symbolic: what shape arithmetic needs. */
  readonly content?: readonly Dim[]
  /** The whole tensor, for constants whose bytes are at hand. */
  readonly tensor?: Tensor
}

type Attribute = number | string | Tensor | Graph

export type AttributeValue = Attribute | readonly number[] | readonly string[] | readonly Tensor[] | readonly Graph[]

export type Attributes = Readonly<Record<string, AttributeValue>>

export interface Node {
  /** Unique within its graph; shown in errors and profiles. */
  readonly name: string
  /** Operator, with its domain in front unless it is ONNX's own: 'Conv', 'com.microsoft.MatMulNBits', 'whittle.Conv'. */
  readonly op: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: Attributes
}

export interface GraphValue extends ValueType {
  readonly name: string
}

/**
 * A weight or other constant. `tensor` is a view on the model's bytes where they are at hand; a model streamed into
 * Wasm memory has constants of which only the type is known here.
 */
export interface Constant {
  readonly dtype: Dtype
  readonly dims: readonly number[]
  readonly tensor?: Tensor
}

export interface Graph {
  readonly name: string
  /** Opset version of ONNX's own domain the nodes were written for. */
  readonly opset: number
  readonly inputs: readonly GraphValue[]
  readonly outputs: readonly GraphValue[]
  readonly constants: ReadonlyMap<string, Constant>
  readonly nodes: readonly Node[]
}

/** True for attribute values that are graphs. */
export function isGraph(value: unknown): value is Graph {
  return typeof value === 'object' && value !== null && 'nodes' in value && 'constants' in value
}

/** Graphs in a node's attributes. */
export function subgraphsOf(node: Node): Graph[] {
  const graphs: Graph[] = []
  for (const value of Object.values(node.attributes)) {
    if (typeof value !== 'object') continue
    for (const item of Array.isArray(value) ? (value as readonly unknown[]) : [value])
      if (isGraph(item)) graphs.push(item)
  }
  return graphs
}
