// SPDX-License-Identifier: Apache-2.0
/** GELU spelled out is found in its forms, and nothing else is taken for it. */
import { describe, expect, it } from 'vitest'
import { recogniseGelu } from '../../src/passes/recognise-gelu.ts'
import { through } from './through.ts'

const head = `input x: float32[n, 5] const one: float32[] = 1 const half: float32[] = 0.5 const two: float32[] = 2 const three: float32[] = 3
  const root: float32[] = 1.4142135 const inv: float32[] = 0.70710677 const k: float32[] = 0.7978846 const c: float32[] = 0.044715`
const erf = 'd = Div(x, root) e = Erf(d) s = Add(e, one)'
const end = 'output y: float32[...]'

describe('recognise-gelu finds', () => {
  it.each([
    ['x * s * 0.5', `${erf} p = Mul(x, s) y = Mul(p, half)`, {}],
    ['(0.5 * x) * s', `${erf} p = Mul(half, x) y = Mul(p, s)`, {}],
    ['x * (s / 2)', `${erf} p = Div(s, two) y = Mul(x, p)`, {}],
    [
      'an argument by multiplication, sums the other way',
      'd = Mul(inv, x) e = Erf(d) s = Add(one, e) p = Mul(s, x) y = Mul(half, p)',
      {},
    ],
    [
      'the tanh form with Pow',
      'q = Pow(x, three) r = Mul(c, q) t = Add(x, r) u = Mul(k, t) e = Tanh(u) s = Add(one, e) p = Mul(x, s) y = Mul(half, p)',
      { approximate: 'tanh' },
    ],
    [
      'the tanh form with products',
      'a = Mul(x, x) q = Mul(a, x) r = Mul(q, c) t = Add(r, x) u = Mul(t, k) e = Tanh(u) s = Add(e, one) p = Mul(x, half) y = Mul(s, p)',
      { approximate: 'tanh' },
    ],
    [
      'the tanh form with x factored out',
      'a = Mul(x, x) r = Mul(a, c) t = Add(r, one) v = Mul(x, t) u = Mul(v, k) e = Tanh(u) s = Add(e, one) p = Mul(x, s) y = Mul(p, half)',
      { approximate: 'tanh' },
    ],
  ])('%s', async (_, text, attributes) => {
    const { ops, node } = await through(recogniseGelu, `${head} ${text} ${end}`)
    expect(ops).toEqual(['Gelu'])
    expect(node('Gelu').attributes).toEqual(attributes)
  })

  it('the gelu in a product with a gate', async () => {
    const { ops } = await through(
      recogniseGelu,
      `${head} input g: float32[n, 5] ${erf} p = Mul(x, s) q = Mul(p, half) y = Mul(q, g) ${end}`,
    )
    expect(ops).toEqual(['Gelu', 'Mul'])
  })
})

describe('recognise-gelu leaves alone', () => {
  it.each([
    [
      'another argument',
      `input z: float32[n, 5] d = Div(z, root) e = Erf(d) s = Add(e, one) p = Mul(x, s) y = Mul(p, half) ${end}`,
    ],
    ['another constant inside', `d = Div(x, two) e = Erf(d) s = Add(e, one) p = Mul(x, s) y = Mul(p, half) ${end}`],
    ['another factor', `${erf} p = Mul(x, s) y = Mul(p, two) ${end}`],
    ['another summand', `d = Div(x, root) e = Erf(d) s = Add(e, two) p = Mul(x, s) y = Mul(p, half) ${end}`],
    ['a sum that is read elsewhere', `${erf} p = Mul(x, s) y = Mul(p, half) z = Relu(s) ${end} output z: float32[...]`],
    ['a product that is an output', `${erf} p = Mul(x, s) y = Mul(p, half) ${end} output p: float32[...]`],
    [
      'another cubic',
      `q = Pow(x, three) r = Mul(half, q) t = Add(x, r) u = Mul(k, t) e = Tanh(u) s = Add(one, e) p = Mul(x, s) y = Mul(half, p) ${end}`,
    ],
    [
      'a square for the cube',
      `q = Pow(x, two) r = Mul(c, q) t = Add(x, r) u = Mul(k, t) e = Tanh(u) s = Add(one, e) p = Mul(x, s) y = Mul(half, p) ${end}`,
    ],
  ])('%s', async (_, text) => {
    expect((await through(recogniseGelu, `${head} ${text}`)).fired).toBe(0)
  })
})
