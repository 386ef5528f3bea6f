// SPDX-License-Identifier: Apache-2.0
/** Equal computations are done once. */
import { describe, expect, it } from 'vitest'
import { commonSubexpressions } from '../../src/passes/common-subexpressions.ts'
import { tinyOps } from '../ir/tiny-ops.ts'
import { graphOf, through } from './through.ts'

describe('common-subexpressions', () => {
  it('merges equal nodes and equal small constants, chains of them too', async () => {
    const { ops, fired } = await through(
      commonSubexpressions,
      `input x: float32[2] const a: float32[1] = 3 const b: float32[1] = 3
      p = Add(x, a) q = Add(x, b) r = Relu(p) s = Relu(q) y = Mul(r, s) output y: float32[2]`,
    )
    expect([ops, fired]).toEqual([['Add', 'Relu', 'Mul'], 3])
  })

  it('says what gave way', () => {
    const told: string[] = []
    const graph = graphOf(
      'input x: float32[2] const a: float32[1] = 3 const b: float32[1] = 3 p = Add(x, a) @p q = Add(x, b) @q y = Add(p, q) output y: float32[2]',
    )
    commonSubexpressions.run(graph, { opSet: tinyOps, trace: ({ rule, node }) => told.push(`${rule} ${node}`) })
    expect(told).toEqual(['equal-constant b', 'equal-node q'])
  })

  it('looks at attributes, whatever their order', async () => {
    const node = (attributes: string) =>
      `input x: float32[2, 2] p = HardSigmoid(x) {alpha: 0.3, beta: 0.1} q = HardSigmoid(x) {${attributes}} y = Add(p, q) output y: float32[2, 2]`
    expect((await through(commonSubexpressions, node('beta: 0.1, alpha: 0.3'))).ops).toEqual(['HardSigmoid', 'Add'])
    expect((await through(commonSubexpressions, node('alpha: 0.3'))).fired).toBe(0)
  })

  it('merges several outputs at once, and an output of the graph by its name', async () => {
    const { ops, graph } = await through(
      commonSubexpressions,
      `input x: float32[4] const s: int64[2] = 2 2
      a, b = Split(x, s) c, d = Split(x, s) e = Add(a, d) output e: float32[2] output c: float32[2]`,
    )
    expect(ops).toEqual(['Split', 'Add'])
    expect(graph.outputs.map((output) => output.name)).toEqual(['e', 'c'])
  })

  it.each([
    [
      'two outputs of the graph',
      'input x: float32[2] a = Relu(x) b = Relu(x) output a: float32[2] output b: float32[2]',
    ],
    [
      'constants of other types or dims',
      'input x: float32[2] const a: float32[1] = 0 const b: float32[1, 1] = 0 const c: int32[1] = 0 p = Add(x, a) q = Add(x, b) y = Mul(p, q) output y: float32[...] output c: int32[1]',
    ],
    [
      '-0 and 0',
      'input x: float32[2] const a: float32[1] = 0 const b: float32[1] = -0 p = Add(x, a) q = Add(x, b) y = Mul(p, q) output y: float32[2]',
    ],
    [
      'other operand orders',
      'input x: float32[2] input z: float32[2] p = Sub(x, z) q = Sub(z, x) y = Mul(p, q) output y: float32[2]',
    ],
  ])('leaves %s alone', async (_, text) => {
    expect((await through(commonSubexpressions, text)).fired).toBe(0)
  })

  it('leaves impure operators alone', () => {
    const graph = graphOf('input x: float32[2] a = Random(x) b = Random(x) y = Add(a, b) output y: float32[2]')
    expect(commonSubexpressions.run(graph, { opSet: tinyOps }).fired).toBe(0)
  })
})
