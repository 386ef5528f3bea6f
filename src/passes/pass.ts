// SPDX-License-Identifier: Apache-2.0
/**
 * What a pass is: a function from graph to graph that keeps what the graph computes. Passes know operators only through
 * the OpSet and the evaluator they are handed. Most are a list of rewrite rules; `rulesPass` makes one of those.
 */
import type { Graph, Node } from '../ir/graph.ts'
import type { OpSet } from '../ir/op-set.ts'
import { type Firing, type Rule, rewriteGraph } from '../ir/rewrite.ts'
import type { Tensor } from '../tensor/tensor.ts'

/** Computes a node from the contents of its inputs (null: left out), as the operators' references do. */
export type Evaluate = (node: Node, inputs: readonly (Tensor | null)[], opset: number) => readonly Tensor[]

export interface PassContext {
  /** Must have the operators of the graph and those the passes write (`operatorsWritten` of pipeline.ts). */
  readonly opSet: OpSet
  /** Left out: nothing is computed ahead. */
  readonly evaluate?: Evaluate
  /** Called for every change a pass counts; `rule` says which kind, `node` what at: a node, or a constant. */
  readonly trace?: (firing: Firing & { readonly pass: string }) => void
}

export interface PassResult {
  readonly graph: Graph
  /** How often the pass changed something. */
  readonly fired: number
}

export interface Pass {
  /** As the file: a verb and a noun. */
  readonly name: string
  /** Passes that must stand before this one in a pipeline, where they are in it. */
  readonly needs: readonly string[]
  /** Operators the pass may write that need not be in the graph before. */
  readonly writes: readonly string[]
  run(graph: Graph, context: PassContext): PassResult
}

/** A pass that applies rules until none fires. */
export function rulesPass(
  name: string,
  rules: readonly Rule[] | ((context: PassContext) => readonly Rule[]),
  { needs = [], writes = [] }: Partial<Pick<Pass, 'needs' | 'writes'>> = {},
): Pass {
  return {
    name,
    needs,
    writes,
    run(graph, context) {
      const list = typeof rules === 'function' ? rules(context) : rules
      const trace = context.trace && ((firing: Firing) => context.trace!({ ...firing, pass: name }))
      return rewriteGraph(graph, list, { opSet: context.opSet, trace })
    },
  }
}
