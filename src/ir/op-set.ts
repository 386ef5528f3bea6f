// SPDX-License-Identifier: Apache-2.0
/**
 * What the graph's own tools (inference, verifier, passes, runtime) know of operators: definitions, looked up by name
 * in an OpSet. The definitions themselves live one floor up, in `ops/`; whoever works on graphs is handed an OpSet
 * and never imports it.
 */
import type { AttributeValue, Attributes, Graph, Node, ValueInfo } from './graph.ts'
import type { Lowering } from './lowering.ts'

/** Kind of an attribute, with its default where it has one. */
export interface AttributeSpec {
  readonly kind: 'int' | 'float' | 'string' | 'ints' | 'floats' | 'strings' | 'tensor' | 'graph'
  readonly default?: AttributeValue
  readonly required?: boolean
}

/** How near the runtime comes to the reference: exact, or |a - b| <= absolute + relative * |b| + ofLargest * max |b|. */
export type Numerics =
  | 'exact'
  | {
      readonly relative: number
      readonly absolute: number
      /** Times the output's largest magnitude. */
      readonly ofLargest?: number
    }

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
  /** True when its lowering has forms to choose from by measuring (HostTraits.forms). */
  readonly measured?: boolean
  /** True when the same inputs may give other outputs (never folded): Dropout in training, Random*. */
  readonly impure?: boolean
}

/** The operators at hand, looked up by name (with domain, as Node.op). What ir, model, passes and runtime are given. */
export interface OpSet {
  get(op: string): OpDef | undefined
  /** Names of the operators at hand, for messages that name the nearest one. */
  keys?(): Iterable<string>
}
