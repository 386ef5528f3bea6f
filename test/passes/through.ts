// SPDX-License-Identifier: Apache-2.0
/**
 * Runs passes over a graph given as text and holds what every pass must: the graph verifies before and after, and gives
 * the same outputs by the references for random inputs; each change is told and counted. Constants written as `= ...` get seeded random content (positive
 * where the name begins with `var`), symbols get small sizes.
 */
import { expect } from 'vitest'
import { type Dim, substitute } from '../../src/ir/dim.ts'
import type { Constant, Graph, GraphValue, Node } from '../../src/ir/graph.ts'
import { parseGraph } from '../../src/ir/text-parse.ts'
import { printNode } from '../../src/ir/text.ts'
import { verifyOperators } from '../../src/ir/verify-operators.ts'
import { evaluateGraph, evaluateNode, operatorsOf } from '../../src/ops/evaluate.ts'
import { newestOpset } from '../../src/model/upgrade.ts'
import { loadReferences } from '../../src/ops/references.ts'
import { loadOps } from '../../src/ops/table.ts'
import type { Pass, PassContext } from '../../src/passes/pass.ts'
import { type Dtype, dtypes } from '../../src/tensor/dtype.ts'
import { sizeOf } from '../../src/tensor/shape.ts'
import { Tensor } from '../../src/tensor/tensor.ts'

/** Sizes of symbols in the inputs that outputs are compared with. */
const bindings = new Map<string, Dim>([
  ['n', 2],
  ['m', 2],
  ['h', 6],
  ['w', 5],
  ['t', 4],
])

export interface Outcome {
  readonly graph: Graph
  readonly fired: number
  /** Operators in order. */
  readonly ops: readonly string[]
  /** The first node of an operator. */
  node(op: string): Node
  /** The nodes' text. */
  lines(): string[]
}

/** Park & Miller's generator: numbers in (0, 1). */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => (state = (state * 16807) % 2147483647) / 2147483647
}

function randomTensor(random: () => number, dtype: Dtype, dims: readonly number[], positive = false): Tensor {
  const { kind } = dtypes[dtype]
  const items = Array.from({ length: sizeOf(dims) }, () =>
    kind === 'float'
      ? positive
        ? random() + 0.1
        : 2 * random() - 1
      : kind === 'bool'
        ? random() < 0.5
        : Math.floor(random() * 3),
  )
  return new Tensor(dtype, items as number[], dims)
}

function filled(graph: Graph): Graph {
  const random = randomFrom(7)
  const fill = ([name, constant]: [string, Constant]): [string, Constant] => [
    name,
    constant.tensor === undefined
      ? { ...constant, tensor: randomTensor(random, constant.dtype, constant.dims, name.startsWith('var')) }
      : constant,
  ]
  return { ...graph, constants: new Map([...graph.constants].map(fill)) }
}

function feedsOf(inputs: readonly GraphValue[]): Map<string, Tensor> {
  const random = randomFrom(11)
  const dims = (value: GraphValue): number[] => value.dims!.map((dim) => substitute(dim, bindings) as number)
  return new Map(inputs.map((value) => [value.name, randomTensor(random, value.dtype, dims(value))]))
}

/** The graph of `body`: inputs, constants, nodes, outputs in text form. */
export function graphOf(body: string): Graph {
  return filled(parseGraph(`graph test opset ${newestOpset} {${body}}`))
}

/** Runs the passes and checks the result against the graph before; see the head of this file. */
export async function through(passes: Pass | readonly Pass[], body: string): Promise<Outcome> {
  const list = 'run' in passes ? [passes] : passes
  const before = graphOf(body)
  const names = [...operatorsOf(before), ...list.flatMap((pass) => pass.writes)]
  const [ops, references] = [await loadOps(names), await loadReferences(names)]
  const evaluator = { ops, references }
  const told: string[] = []
  const context: PassContext = {
    opSet: ops,
    trace: ({ pass }) => told.push(pass),
    evaluate: (node, inputs, opset) => evaluateNode(evaluator, node, inputs, opset),
  }
  verifyOperators(before, ops)
  let graph = before
  let fired = 0
  for (const pass of list) {
    const result = pass.run(graph, context)
    graph = result.graph
    fired += result.fired
    verifyOperators(graph, ops)
    expect(told.splice(0)).toEqual(new Array(result.fired).fill(pass.name))
    expect(result.fired > 0 || result.graph === graph).toBe(true)
  }
  const feeds = feedsOf(before.inputs)
  compare(evaluateGraph(evaluator, graph, feeds), evaluateGraph(evaluator, before, feeds))
  const node = (op: string): Node => graph.nodes.find((n) => n.op === op)!
  return { graph, fired, ops: graph.nodes.map((n) => n.op), node, lines: () => graph.nodes.map((n) => printNode(n)) }
}

function compare(got: readonly Tensor[], wanted: readonly Tensor[]): void {
  expect(got.map(({ type, dims }) => ({ type, dims }))).toEqual(wanted.map(({ type, dims }) => ({ type, dims })))
  got.forEach((tensor, i) => {
    const [a, b] = [tensor, wanted[i]].map((t) => Array.from(t.data as ArrayLike<number | bigint>, Number))
    const scale = b.reduce((most, value) => (Number.isFinite(value) ? Math.max(most, Math.abs(value)) : most), 1e-3)
    const worst = a.reduce(
      (most, value, k) => Math.max(most, Object.is(value, b[k]) ? 0 : Math.abs(value - b[k]) / scale),
      0,
    )
    expect(worst, `output ${i}`).toBeLessThan(1e-5)
  })
}
