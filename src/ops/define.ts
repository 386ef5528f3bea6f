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
import type { Tensor } from '../tensor/tensor.ts'
import type { Lowering } from './lower.ts'

/** Kind of an attribute, with its default where it has one. */
export interface AttributeSpec {
  readonly kind: 'int' | 'float' | 'string' | 'ints' | 'floats' | 'strings' | 'tensor' | 'graph'
  readonly default?: AttributeValue
  readonly required?: boolean
}

/** How near the runtime comes to the reference: exact, or |a - b| <= absolute + relative * |b|. */
export type Numerics = 'exact' | { readonly relative: number; readonly absolute: number }

/** What a definition sees of the node it works on. Attributes hold the defaults already. */
export interface OpContext {
  readonly node: Node
  /** Opset the node was written for. */
  readonly opset: number
  readonly attributes: Attributes
  /** Infers a subgraph with these inputs (control flow only). */
  inferGraph?(graph: Graph, inputs: readonly ValueInfo[]): ValueInfo[]
}

export interface OpDef {
  /** Least and most number of inputs. */
  readonly inputs: readonly [number, number]
  /** Least and most number of outputs; [1, 1] where left out. */
  readonly outputs?: readonly [number, number]
  readonly attributes?: Readonly<Record<string, AttributeSpec>>
  /** Output types from input types. Input null = left out. Throws GraphError naming the node for what can't be. */
  infer(inputs: readonly (ValueInfo | null)[], context: OpContext): ValueInfo[]
  /** Promise held by the contract suite; 'exact' where left out. */
  readonly numerics?: Numerics
  /**
   * Kernel steps for concrete shapes, emitted into `lowering`. Returns false when there are none for these types or
   * shapes: then the reference runs on the host, and the profile says so. Left out: always the reference.
   */
  lower?(lowering: Lowering, context: OpContext): boolean
  /** True when the same inputs may give other outputs (never folded): Dropout in training, Random*. */
  readonly impure?: boolean
}

/** Evaluates a subgraph with the references; given to control flow. */
export interface ReferenceContext {
  readonly opset: number
  evaluate(graph: Graph, inputs: readonly (Tensor | null)[]): Tensor[]
}

/** The oracle: tensors in, tensors out, double precision inside. Input null = left out. */
export type Reference = (inputs: readonly (Tensor | null)[], attributes: Attributes, context: ReferenceContext) => Tensor[]

/** One valid case. */
export interface Sample {
  readonly inputs: readonly (Tensor | null)[]
  readonly attributes?: Attributes
  /** Number of outputs asked for; 1 where left out. */
  readonly outputs?: number
  readonly opset?: number
}

/** Uniform numbers in [0, 1), seeded. */
export type Random = () => number
export type Samples = (random: Random) => Sample[]

/** Identity with types. */
export function defineOps<const T extends Readonly<Record<string, OpDef>>>(ops: T): T {
  return ops
}

/** The operators at hand, looked up by name (with domain, as Node.op). What ir, model, passes and runtime are given. */
export interface OpSet {
  get(op: string): OpDef | undefined
}

export type { AttributeValue, Attributes, Tensor, ValueInfo, ValueType }
