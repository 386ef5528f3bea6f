// SPDX-License-Identifier: Apache-2.0
/** An If whose condition is computed becomes both branches and a Select for each output. */
import { describe, expect, it } from 'vitest'
import { inlineConstantIf } from '../../src/passes/inline-constant-if.ts'
import { inlineIf } from '../../src/passes/inline-if.ts'
import { through } from './through.ts'

const text = (condition: string): string => `input x: float32[2] ${condition} a = Relu(x)
  y, z = If(p) {
    then_branch: graph t opset 28 { const c: float32[1] = 2 m = Mul(a, c) n = Neg(m) output n: float32[2] output a: float32[2] },
    else_branch: graph e opset 28 { const d: float32[1] = 3 o = Add(x, d) output o: float32[2] output o: float32[2] }
  }
  output y: float32[2] output z: float32[2]`

describe('inline-if', () => {
  it('puts both branches around Selects, which keep what the graph computes', async () => {
    const { ops } = await through(inlineIf, text('input p: bool[]'))
    expect(ops).toEqual(['Relu', 'Mul', 'Neg', 'Add', 'whittle.Select', 'whittle.Select'])
  })

  it('leaves a Select to inline-constant-if where the condition turns out to be constant', async () => {
    const { ops } = await through([inlineIf, inlineConstantIf], text('const p: bool[] = 0'))
    expect(ops).not.toContain('If')
    expect(ops).not.toContain('whittle.Select')
  })
})
