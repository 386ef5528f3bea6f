// SPDX-License-Identifier: Apache-2.0
/**
 * What an operator is. An op file exports three records keyed by operator name, so that the build can ship one
 * without the others (see ARCHITECTURE.md, "Facets"):
 *
 *     export const ops = defineOps({ Conv: { inputs, attributes, infer, lower, … } })
 *     export const references = { Conv: (inputs, attributes) => … }   // plain TypeScript, double precision: the oracle
 *     export const samples = { Conv: (random) => … }                   // valid cases for the contract suite; never shipped
 */
import type { AttributeValue, Attributes, Graph, Node, ValueInfo, ValueType } from '../ir/graph.ts'
import type { AttributeSpec, Numerics, OpContext, OpDef, OpSet } from '../ir/op-set.ts'
import type { Tensor } from '../tensor/tensor.ts'

/** Evaluates a subgraph with the references; given to control flow. */
export interface ReferenceContext {
  readonly opset: number
  /** Number of outputs the node asks for. */
  readonly outputs: number
  evaluate(graph: Graph, inputs: readonly (Tensor | null)[]): Tensor[]
}

/** The oracle: tensors in, tensors out, double precision inside. Input null = left out. */
export type Reference = (
  inputs: readonly (Tensor | null)[],
  attributes: Attributes,
  context: ReferenceContext,
) => Tensor[]

/** One valid case. */
export interface Sample {
  readonly inputs: readonly (Tensor | null)[]
  readonly attributes?: Attributes
  /** Number of outputs asked for; 1 where left out. */
  readonly outputs?: number
  readonly opset?: number
  /** What it promises, where that is not what the operator does. */
  readonly numerics?: Numerics
}

/** Uniform numbers in [0, 1), seeded. */
export type Random = () => number
export type Samples = (random: Random) => Sample[]

/** Identity with types. */
export function defineOps<const T extends Readonly<Record<string, OpDef>>>(ops: T): T {
  return ops
}

export type {
  AttributeSpec,
  AttributeValue,
  Attributes,
  Node,
  Numerics,
  OpContext,
  OpDef,
  OpSet,
  Tensor,
  ValueInfo,
  ValueType,
}
