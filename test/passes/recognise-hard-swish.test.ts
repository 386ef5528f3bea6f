// SPDX-License-Identifier: Apache-2.0
/** Hard swish and hard sigmoid spelled out are found in their forms, and nothing else is taken for them. */
import { describe, expect, it } from 'vitest'
import { recogniseHardSwish } from '../../src/passes/recognise-hard-swish.ts'
import { through } from './through.ts'

const head = `input x: float32[n, 5] const zero: float32[] = 0 const one: float32[] = 1 const three: float32[] = 3 const six: float32[] = 6 const sixth: float32[] = 0.16666667
  const half: float32[] = 0.5`
const clip = 'a = Add(x, three) c = Clip(a, zero, six)'
const end = 'output y: float32[...]'

describe('recognise-hard-swish finds', () => {
  it.each([
    ['(x * c) / 6', `${clip} p = Mul(x, c) y = Div(p, six)`, 'HardSwish'],
    ['x * (c / 6)', `${clip} p = Div(c, six) y = Mul(x, p)`, 'HardSwish'],
    ['(c / 6) * x, by multiplication', `${clip} p = Mul(sixth, c) y = Mul(p, x)`, 'HardSwish'],
    ['(x / 6) * c', `${clip} p = Div(x, six) y = Mul(c, p)`, 'HardSwish'],
    ['3 + x', 'a = Add(three, x) c = Clip(a, zero, six) p = Mul(x, c) y = Div(p, six)', 'HardSwish'],
    ['x * HardSigmoid(x)', 's = HardSigmoid(x) {alpha: 0.16666667, beta: 0.5} y = Mul(s, x)', 'HardSwish'],
    [
      'x * clip(x / 6 + 0.5, 0, 1)',
      'd = Mul(x, sixth) a = Add(d, half) c = Clip(a, zero, one) y = Mul(x, c)',
      'HardSwish',
    ],
    ['c / 6 alone', `${clip} y = Div(c, six)`, 'HardSigmoid'],
    ['clip(x / 6 + 0.5, 0, 1) alone', 'd = Div(x, six) a = Add(d, half) y = Clip(a, zero, one)', 'HardSigmoid'],
  ])('%s', async (_, text, op) => {
    expect((await through(recogniseHardSwish, `${head} ${text} ${end}`)).ops).toEqual([op])
  })

  it('the gate of another value as a hard sigmoid', async () => {
    const { ops } = await through(
      recogniseHardSwish,
      `${head} input z: float32[n, 5] ${clip} p = Div(c, six) y = Mul(z, p) ${end}`,
    )
    expect(ops).toEqual(['HardSigmoid', 'Mul'])
  })
})

describe('recognise-hard-swish leaves alone', () => {
  it.each([
    ['another upper bound', 'a = Add(x, three) c = Clip(a, zero, three) p = Mul(x, c) y = Div(p, six)'],
    ['another lower bound', 'a = Add(x, three) c = Clip(a, one, six) p = Mul(x, c) y = Div(p, six)'],
    ['no lower bound', 'a = Add(x, three) c = Clip(a, _, six) p = Mul(x, c) y = Div(p, six)'],
    ['another offset', 'a = Add(x, half) c = Clip(a, zero, six) p = Mul(x, c) y = Div(p, six)'],
    ['another divisor', `${clip} p = Mul(x, c) y = Div(p, three)`],
    ['a clip that is read elsewhere', `${clip} p = Mul(x, c) y = Div(p, six) output c: float32[...]`],
    ['a sum that is read elsewhere', `${clip} p = Mul(x, c) y = Div(p, six) z = Relu(a) output z: float32[...]`],
    [
      'bounds that are not constant',
      'input m: float32[] a = Add(x, three) c = Clip(a, zero, m) p = Mul(x, c) y = Div(p, six)',
    ],
    ['another slope', 's = HardSigmoid(x) {alpha: 0.2, beta: 0.5} y = Mul(s, x)'],
  ])('%s', async (_, text) => {
    expect((await through(recogniseHardSwish, `${head} ${text} ${end}`)).fired).toBe(0)
  })
})
