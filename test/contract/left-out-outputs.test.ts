// SPDX-License-Identifier: Apache-2.0
/**
 * Outputs left out: of every sample with several outputs each is called '' in turn, in a container (no importer, no passes)
 * with all inputs fed, and in an ONNX file with constants; the others stay what they are.
 */
import { beforeAll, expect, test } from 'vitest'
import { writeContainer } from '../../src/format/container.ts'
import { writeOnnx } from '../../src/format/onnx-write.ts'
import { load } from '../../src/index.ts'
import { subgraphsOf } from '../../src/ir/graph.ts'
import { toContainer } from '../../src/model/to-container.ts'
import type { Evaluator } from '../../src/ops/evaluate.ts'
import { onnxOfGraph } from '../fuzz/onnx-of-graph.ts'
import { type OpCase, casesOf, operators, outputFaults, wholeTable } from './op.ts'

let evaluator: Evaluator
beforeAll(async () => {
  evaluator = await wholeTable()
})

/** The case with each of its outputs left out in turn. */
function leavingOut({ title, graph, expected, ...test }: OpCase): OpCase[] {
  const [node] = graph.nodes
  if (node.outputs.length === 1) return []
  return node.outputs.map((left, k) => {
    const outputs = node.outputs.map((name) => (name === left ? '' : name))
    return {
      ...test,
      title: `${title} without output ${k}`,
      graph: { ...graph, nodes: [{ ...node, outputs }], outputs: graph.outputs.filter((_, i) => i !== k) },
      expected: expected.filter((_, i) => i !== k),
    }
  })
}

async function faultsOf(test: OpCase, file: Uint8Array): Promise<string[]> {
  try {
    const session = await load(file, { threads: 1 })
    try {
      const outputs = await session.run(Object.fromEntries(test.feeds))
      const list = test.graph.outputs.map(({ name }) => outputs[name])
      return outputFaults(test, list)
    } finally {
      await session.dispose()
    }
  } catch (error) {
    return [`${test.title}: ${String(error)}`]
  }
}

test('whichever output of a node is left out, the others are what they were', async () => {
  const faults: string[] = []
  const tried = new Set<string>()
  for (const op of operators) {
    for (const left of (await casesOf(evaluator, op, 'none')).flatMap(leavingOut)) {
      tried.add(op)
      faults.push(...(await faultsOf(left, writeContainer(toContainer(left.graph)))))
    }
    for (const left of (await casesOf(evaluator, op, 'rest')).flatMap(leavingOut)) {
      const [node] = left.graph.nodes
      if (node.op.startsWith('whittle.') || subgraphsOf(node).length > 0) continue
      faults.push(...(await faultsOf(left, writeOnnx(onnxOfGraph(left.graph, evaluator.ops)))))
    }
  }
  expect(faults.join('\n')).toBe('')
  expect([...tried]).toEqual(expect.arrayContaining(['Attention', 'DynamicQuantizeLinear', 'LSTM', 'Split', 'TopK']))
})
