// SPDX-License-Identifier: Apache-2.0
/** x * sigmoid(x) is found, with a factor inside too. */
import { describe, expect, it } from 'vitest'
import { recogniseSilu } from '../../src/passes/recognise-silu.ts'
import { through } from './through.ts'

const head = 'input x: float32[n, 5] input z: float32[n, 5] const one: float32[] = 1 const c: float32[1] = 1.5'
const end = 'output y: float32[...]'

describe('recognise-silu', () => {
  it.each([
    ['x * sigmoid(x)', 's = Sigmoid(x) y = Mul(x, s)', 'whittle.Silu', {}],
    ['sigmoid(x) * x', 's = Sigmoid(x) y = Mul(s, x)', 'whittle.Silu', {}],
    ['x * sigmoid(1 * x)', 'o = Mul(x, one) s = Sigmoid(o) y = Mul(x, s)', 'whittle.Silu', {}],
    ['x * sigmoid(1.5 * x)', 'o = Mul(c, x) s = Sigmoid(o) y = Mul(x, s)', 'Swish', { alpha: 1.5 }],
  ])('finds %s', async (_, text, op, attributes) => {
    const { ops, node } = await through(recogniseSilu, `${head} ${text} ${end}`)
    expect(ops).toEqual([op])
    expect(node(op).attributes).toEqual(attributes)
  })

  it.each([
    ['the sigmoid of something else', 's = Sigmoid(z) y = Mul(x, s)'],
    ['a sigmoid that is read elsewhere', 's = Sigmoid(x) y = Mul(x, s) q = Mul(z, s) output q: float32[...]'],
    ['a sigmoid that is an output', 's = Sigmoid(x) y = Mul(x, s) output s: float32[...]'],
    ['a sigmoid squared', 's = Sigmoid(x) y = Mul(s, s)'],
  ])('leaves %s alone', async (_, text) => {
    expect((await through(recogniseSilu, `${head} ${text} ${end}`)).fired).toBe(0)
  })
})
