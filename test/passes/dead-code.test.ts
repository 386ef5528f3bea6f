// SPDX-License-Identifier: Apache-2.0
/** What nothing reads goes; what something reads, from a subgraph too, stays. */
import { describe, expect, it } from 'vitest'
import { deadCode } from '../../src/passes/dead-code.ts'
import { tinyOps } from '../ir/tiny-ops.ts'
import { graphOf, through } from './through.ts'

describe('dead-code', () => {
  it('removes nodes and constants nothing reads', async () => {
    const { ops, fired, graph } = await through(
      deadCode,
      `input x: float32[2] input unused: float32[2] const c: float32[1] = 1 const d: float32[1] = 2
      a = Add(x, c) b = Neg(a) y = Relu(x) output y: float32[2]`,
    )
    expect([ops, fired, graph.inputs.length, graph.constants.size]).toEqual([['Relu'], 4, 2, 0])
  })

  it('says what went', () => {
    const told: string[] = []
    const graph = graphOf(
      'input x: float32[2] const c: float32[1] = 1 a = Relu(x) @a b = Add(x, c) @b output a: float32[2]',
    )
    deadCode.run(graph, { opSet: tinyOps, trace: ({ pass, rule, node }) => told.push(`${pass} ${rule} ${node}`) })
    expect(told).toEqual(['dead-code dead-node b', 'dead-code dead-constant c'])
  })

  it('keeps what a subgraph reads, a constant that is an output, and a node of which one output is read', async () => {
    const { fired } = await through(
      deadCode,
      `input p: bool[] input x: float32[4] const c: float32[1] = 1 const d: float32[1] = 2 const s: int64[2] = 2 2
      a = Relu(x) u, v = Split(x, s) z = Neg(v)
      y = If(p) { then_branch: graph t opset 21 { r = Add(a, c) output r: float32[4] }, else_branch: graph e opset 21 { q = Neg(x) output q: float32[4] } }
      output y: float32[4] output d: float32[1] output z: float32[2]`,
    )
    expect(fired).toBe(0)
  })
})
