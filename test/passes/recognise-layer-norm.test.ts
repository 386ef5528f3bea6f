// SPDX-License-Identifier: Apache-2.0
/** Layer normalisation spelled out is found in its forms, and nothing else is taken for it. */
import { describe, expect, it } from 'vitest'
import { recogniseLayerNorm } from '../../src/passes/recognise-layer-norm.ts'
import { through } from './through.ts'

interface Form {
  readonly axes?: string
  readonly squares?: string
  readonly quotient?: string
  readonly more?: string
  readonly affine?: string
}

const text = ({
  axes = '1: int64[1] = -1',
  squares = 'Pow(d, two)',
  quotient = 'q = Sqrt(u) y0 = Div(d, q)',
  more = '',
  affine = 'y1 = Mul(y0, g) y = Add(y1, b)',
}: Form = {}): string => `
  input x: float32[n, t, 8] const axes${axes} const two: float32[] = 2 const eps: float32[] = 0.001 const g: float32[8] = ... const b: float32[8] = ...
  const half: float32[] = -0.5
  m = ReduceMean(x, axes1) d = Sub(x, m) p = ${squares} v = ReduceMean(p, axes1) u = Add(v, eps) ${quotient} ${affine} ${more} output y: float32[...]`

describe('recognise-layer-norm finds', () => {
  it.each<[string, Form]>([
    ['the plain form', {}],
    ['d * d for the square', { squares: 'Mul(d, d)' }],
    ['a reciprocal root', { quotient: 'q = Sqrt(u) r = Reciprocal(q) y0 = Mul(d, r)' }],
    ['a power of -0.5', { quotient: 'q = Pow(u, half) y0 = Mul(q, d)' }],
    ['constants on the left', { affine: 'y1 = Mul(g, y0) y = Add(b, y1)' }],
  ])('%s', async (_, form) => {
    const { ops, node } = await through(recogniseLayerNorm, text(form))
    expect(ops).toEqual(['LayerNormalization'])
    expect(node('LayerNormalization').attributes).toMatchObject({ axis: 2 })
  })

  it('the form without scale and bias, and over several axes of fixed size', async () => {
    const { ops, node } = await through(
      recogniseLayerNorm,
      `input x: float32[n, 3, 4] const a: int64[2] = 1 -1 const two: float32[] = 2 const eps: float32[] = 0.001
      m = ReduceMean(x, a) d = Sub(x, m) p = Mul(d, d) v = ReduceMean(p, a) u = Add(eps, v) q = Sqrt(u) y = Div(d, q) output y: float32[...]`,
    )
    expect(ops).toEqual(['LayerNormalization'])
    expect(node('LayerNormalization').attributes).toMatchObject({ axis: 1 })
  })

  it('a scale and bias of LayerNormalization that were folded away before', async () => {
    const { ops } = await through(
      recogniseLayerNorm,
      `input x: float32[n, 8] const s: float32[8] = ... const b: float32[8] = ... const c: float32[1] = 3
      l = LayerNormalization(x, s, b) m = Mul(l, c) y = Add(m, b) output y: float32[...]`,
    )
    expect(ops).toEqual(['LayerNormalization'])
  })
})

describe('recognise-layer-norm leaves alone', () => {
  it.each<[string, Form]>([
    ['another axis', { axes: '1: int64[1] = 1', affine: 'y = Mul(y0, g)' }],
    ['a variance that is an output', { more: 'output v: float32[...]' }],
    ['the square of something else', { squares: 'Pow(x, two)' }],
    ['a cube', { squares: 'Mul(d, x)' }],
    [
      'a root without epsilon',
      { quotient: 'q = Sqrt(v) y0 = Div(d, q)', more: 'z = Relu(u) output z: float32[...]', squares: 'Abs(d)' },
    ],
    ['a quotient the wrong way', { quotient: 'q = Sqrt(u) y0 = Div(q, d)' }],
  ])('%s', async (_, form) => {
    expect((await through(recogniseLayerNorm, text(form))).fired).toBe(0)
  })

  it('a scale that is not along the normalised axes, or not constant', async () => {
    const norm =
      'input x: float32[n, 8, 8] input v: float32[8] const s: float32[8] = ... const c: float32[8, 1] = ... l = LayerNormalization(x, s)'
    expect((await through(recogniseLayerNorm, `${norm} y = Mul(l, c) output y: float32[...]`)).fired).toBe(0)
    expect((await through(recogniseLayerNorm, `${norm} y = Mul(l, v) output y: float32[...]`)).fired).toBe(0)
    expect(
      (await through(recogniseLayerNorm, `${norm} y = Mul(l, s) output y: float32[...] output l: float32[...]`)).fired,
    ).toBe(0)
  })
})

describe('recognise-layer-norm, where more is read than the result,', () => {
  it.each<[string, Form]>([
    ['a difference that is read elsewhere', { more: 'z = Relu(d) output z: float32[...]' }],
    ['a mean that is read elsewhere', { more: 'z = Relu(m) output z: float32[...]' }],
  ])('normalises the difference: %s', async (_, form) => {
    const { ops } = await through(recogniseLayerNorm, text(form))
    expect(ops).toContain('Sub')
    expect(ops).toContain('RMSNormalization')
  })
})

describe('recognise-layer-norm, without a mean,', () => {
  const rms = (square: string, quotient: string, axis = '-1'): string => `
    input x: float32[n, t, 8] const a: int64[1] = ${axis} const two: float32[] = 2 const one: float32[] = 1 const eps: float32[] = 0.001
    const half: float32[] = -0.5 const g: float32[8] = ...
    p = ${square} v = ReduceMean(p, a) u = Add(v, eps) ${quotient} y = Mul(g, y0) output y: float32[...]`

  it.each([
    ['a root', 'Pow(x, two)', 'q = Sqrt(u) y0 = Div(x, q)'],
    ['one over a root', 'Pow(x, two)', 'q = Sqrt(u) r = Div(one, q) y0 = Mul(x, r)'],
    ['a power', 'Mul(x, x)', 'q = Pow(u, half) y0 = Mul(x, q)'],
  ])('finds RMSNormalization by %s, and draws the scale in', async (_, square, quotient) => {
    const { ops, node } = await through(recogniseLayerNorm, rms(square, quotient))
    expect(ops).toEqual(['RMSNormalization'])
    expect(node('RMSNormalization').attributes).toMatchObject({ axis: 2 })
  })

  it.each([
    ['an axis in between', rms('Mul(x, x)', 'q = Sqrt(u) y0 = Div(x, q)', '1')],
    ['squares of another value', rms('Mul(x, g)', 'q = Sqrt(u) y0 = Div(x, q)')],
    ['two over the root', rms('Mul(x, x)', 'q = Sqrt(u) r = Div(two, q) y0 = Mul(x, r)')],
  ])('leaves %s', async (_, text) => {
    expect((await through(recogniseLayerNorm, text)).fired).toBe(0)
  })
})
