// SPDX-License-Identifier: Apache-2.0
/** An If whose condition is known gives way to the branch taken. */
import { describe, expect, it } from 'vitest'
import { inlineConstantIf } from '../../src/passes/inline-constant-if.ts'
import { removeNoOps } from '../../src/passes/remove-no-ops.ts'
import { through } from './through.ts'

const text = (condition: string): string => `input x: float32[2] ${condition} a = Relu(x)
  y, z = If(p) {
    then_branch: graph t opset 28 { const c: float32[1] = 2 m = Mul(a, c) n = Neg(m) output n: float32[2] output a: float32[2] },
    else_branch: graph e opset 28 { const d: float32[1] = 3 o = Add(x, d) output o: float32[2] output o: float32[2] }
  }
  output y: float32[2] output z: float32[2]`

describe('inline-constant-if', () => {
  it('puts the branch taken in the place of the If', async () => {
    const taken = await through(inlineConstantIf, text('const p: bool[] = 1'))
    expect(taken.ops).toEqual(['Relu', 'Mul', 'Neg', 'Identity', 'Identity'])
    const other = await through(
      [inlineConstantIf, removeNoOps],
      text('const p: bool[1] = 0').replace('bool[1]', 'bool[]'),
    )
    expect(other.ops).toContain('Add')
    expect(other.ops).not.toContain('If')
  })

  it('renames what an inner subgraph reads', async () => {
    const inner =
      'If(q) { then_branch: graph tt opset 28 { u = Neg(m) output u: float32[2] }, else_branch: graph ee opset 28 { v = Relu(m) output v: float32[2] } }'
    const { ops } = await through(
      inlineConstantIf,
      `input x: float32[2] input q: bool[] const p: bool[] = 1
      y = If(p) { then_branch: graph t opset 28 { m = Neg(x) r = ${inner} output r: float32[2] }, else_branch: graph e opset 28 { output x: float32[2] } } output y: float32[2]`,
    )
    expect(ops).toEqual(['Neg', 'If', 'Identity'])
  })

  it('leaves an If alone whose condition is computed', async () => {
    expect((await through(inlineConstantIf, text('input p: bool[]'))).fired).toBe(0)
  })
})
