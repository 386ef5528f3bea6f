// SPDX-License-Identifier: Apache-2.0
/** A graph with Selects is cut where conditions become known, and loses what only the other value needs. */
import { describe, expect, it } from 'vitest'
import { parseGraph } from '../../src/ir/text-parse.ts'
import { cutAtConditions, steeringInputs, withoutUntaken } from '../../src/runtime/branches.ts'

const graph = parseGraph(`graph g opset 28 {
  input x: float32[4] input p: bool[] input q: bool[]
  r = And(p, q)
  a = Neg(x) b = Abs(x) c = Exp(a)
  s = whittle.Select(q, a, b)
  y = whittle.Select(r, s, c)
  output y: float32[4]
}`)

const opsOf = ({ nodes }: { readonly nodes: readonly { readonly op: string }[] }): string[] => nodes.map(({ op }) => op)

describe('branches', () => {
  it('cuts behind the conditions of Selects that run in any case', () => {
    const cut = cutAtConditions(graph)!
    expect(opsOf(cut.lead)).toEqual(['And'])
    expect(cut.conditions).toEqual(['r'])
    expect(cut.lead.outputs.map(({ name }) => name)).toEqual(['r'])
    expect(opsOf({ nodes: cut.tail })).not.toContain('And')
  })

  it('drops what only the value not taken needs, nested Selects included', () => {
    const known = new Map([['r', { dtype: 'bool' as const, dims: [], content: [0] }]])
    expect(opsOf(withoutUntaken(graph, known))).toEqual(['And', 'Neg', 'Exp', 'whittle.Select'])
  })

  it.each([
    ['no elements', 'bool', [0]],
    ['two elements', 'bool', [2]],
    ['numbers', 'float32', []],
  ] as const)('refuses a condition of %s, which would never be known', (_, dtype, dims) => {
    expect(() => withoutUntaken(graph, new Map([['r', { dtype, dims }]]))).toThrow(/one bool/)
  })

  it('finds the inputs that steer: all that conditions depend on, where those are words', () => {
    expect([...steeringInputs(graph)]).toEqual(['p', 'q'])
    const data = parseGraph(`graph g opset 28 {
      input x: float32[] const c: float32[] = 1
      p = Less(x, c) a = Neg(x) y = whittle.Select(p, a, x) output y: float32[]
    }`)
    expect([...steeringInputs(data)]).toEqual([])
  })

  it('leaves a graph whose conditions are all known uncut', () => {
    const known = new Map([['r', { dtype: 'bool' as const, dims: [], content: [0] }]])
    expect(cutAtConditions(withoutUntaken(graph, known))).toBeUndefined()
  })
})
