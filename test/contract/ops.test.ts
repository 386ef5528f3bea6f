// SPDX-License-Identifier: Apache-2.0
import { beforeAll, describe, expect, test } from 'vitest'
import { unknownAttributes } from '../../src/ir/attributes.ts'
import { type Evaluator, evaluateGraph } from '../../src/ops/evaluate.ts'
import { moduleOf } from '../../src/ops/table.ts'
import { type Implementation, casesOf, implementationFaults, inferenceFaults, operators, wholeTable } from './op.ts'

describe.each(operators)('%s', (op) => {
  let evaluator: Evaluator
  beforeAll(async () => {
    evaluator = await wholeTable()
  })

  test('has a definition, a reference and samples under its name', async () => {
    const { ops, references, samples } = await moduleOf(op)!()
    expect(ops[op]).toBeDefined()
    expect(references[op]).toBeDefined()
    expect((await casesOf(evaluator, op)).length).toBeGreaterThan(0)
    expect(samples[op]).toBeDefined()
  })

  test('samples use only attributes the definition names, and numbers of inputs it allows', async () => {
    const def = evaluator.ops.get(op)!
    for (const { graph } of await casesOf(evaluator, op)) {
      const [node] = graph.nodes
      expect(unknownAttributes(node, def)).toEqual([])
      expect(node.inputs.length).toBeGreaterThanOrEqual(def.inputs[0])
      expect(node.inputs.length).toBeLessThanOrEqual(def.inputs[1])
      const [least, most] = def.outputs ?? [1, 1]
      expect(node.outputs.length).toBeGreaterThanOrEqual(least)
      expect(node.outputs.length).toBeLessThanOrEqual(most)
    }
  })

  test('inference agrees with what the reference computes, with symbols for dims too', async () => {
    const cases = await casesOf(evaluator, op)
    expect(cases.flatMap((one) => inferenceFaults(evaluator, one)).join('\n')).toBe('')
  })

  test('the reference gives the same whether inputs are constants or not', async () => {
    const run: Implementation = async (graph, feeds) => evaluateGraph(evaluator, graph, feeds)
    const faults = await implementationFaults(run, await casesOf(evaluator, op, 'none'))
    expect(faults.join('\n')).toBe('')
  })
})
