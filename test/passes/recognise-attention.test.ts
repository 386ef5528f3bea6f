// SPDX-License-Identifier: Apache-2.0
/** Attention as exporters spell it becomes one node that reads and writes heads where they lie; look-alikes stay. */
import { describe, expect, it } from 'vitest'
import { recogniseAttention } from '../../src/passes/recognise-attention.ts'
import { through } from './through.ts'

const shapes = 'const cut: int64[4] = 0 0 2 3 const flat: int64[3] = 0 0 6'
const sequences = (length: string): string =>
  `${['a', 'b', 'c'].map((name) => `input ${name}: float32[n, ${length}, 6]`).join(' ')} ${shapes}`
const heads = 'qr = Reshape(a, cut) kr = Reshape(b, cut) vr = Reshape(c, cut)'
const turned = 'q = Transpose(qr) {perm: [0, 2, 1, 3]} v = Transpose(vr) {perm: [0, 2, 1, 3]}'
const merged = 'o = Transpose(z) {perm: [0, 2, 1, 3]} y = Reshape(o, flat) output y: float32[n, t, 6]'
const operands = 'input q: float32[n, 2, 4, 3] input k: float32[n, 2, 3, 4] input v: float32[n, 2, 4, 5]'

/** Attention whose `scores` make m of qk. */
const masked = (scores: string): string => `${operands} input mask: float32[n, 1, 1, 4] input closed: bool[4, 4]
  const bias: float32[1, 2, 4, 4] = ... const least: float32[] = -3.4028234663852886e38
  const minus: float32[] = -inf const low: float32[] = -1e9 const half: float32[] = 0.5 const two: float32[1] = 2
  const one: float32[] = 1 const large: float32[] = 10000 const minusTwo: float32[] = -2
  const far: float32[4, 4] = 0 -inf -inf -inf 0 0 -inf -inf -inf -inf -inf -inf 0 0 0 0
  const triangle: float32[4, 4] = 1 0 0 0 1 1 0 0 1 1 1 0 1 1 1 1
  const below: float32[4, 4] = 0 10000 10000 10000 0 0 10000 10000 0 0 0 10000 0 0 0 0
  qk = MatMul(q, k) ${scores} w = Softmax(m) y = MatMul(w, v) output y: float32[n, 2, 4, 5]`

describe('recognise-attention', () => {
  it('takes optimum’s form with a mask: scaled behind the product, keys turned at once', async () => {
    const { ops, node } = await through(
      recogniseAttention,
      `${sequences('t')} input mask: float32[n, 1, 1, t] const root: float32[] = 2 ${heads} ${turned}
      kt = Transpose(kr) {perm: [0, 2, 3, 1]} s = MatMul(q, kt) d = Div(s, root) m = Add(d, mask) w = Softmax(m) z = MatMul(w, v) ${merged}`,
    )
    expect(ops).toEqual(['Reshape', 'Reshape', 'Reshape', 'whittle.Attention', 'Reshape'])
    expect(node('whittle.Attention').attributes).toMatchObject({
      scale: 0.5,
      q_layout: 'bshd',
      k_layout: 'bshd',
      v_layout: 'bshd',
      y_layout: 'bshd',
    })
  })

  it('takes PyTorch’s form: half of the scale on each side, keys turned twice', async () => {
    const { ops } = await through(
      recogniseAttention,
      `${sequences('4')} const half: float32[] = 0.7 const bias: float32[1, 1, 4, 4] = ... ${heads} ${turned}
      k = Transpose(kr) {perm: [0, 2, 1, 3]} kt = Transpose(k) {perm: [0, 1, 3, 2]} qs = Mul(q, half) ks = Mul(kt, half)
      s = MatMul(qs, ks) m = Add(bias, s) w = Softmax(m) {axis: 3} z = MatMul(w, v) ${merged.replace('n, t, 6', 'n, 4, 6')}`,
    )
    expect(ops).toEqual(['Reshape', 'Reshape', 'Reshape', 'whittle.Attention', 'Reshape'])
  })

  it('takes a factor of the queries before they are turned (Keras)', async () => {
    const { ops, node } = await through(
      recogniseAttention,
      `input a: float32[n, t, 2, 3] input k: float32[n, 2, 3, t] input v: float32[n, 2, t, 5] const half: float32[] = 0.5
      b = Mul(a, half) q = Transpose(b) {perm: [0, 2, 1, 3]} s = MatMul(q, k) w = Softmax(s) y = MatMul(w, v) output y: float32[n, 2, t, 5]`,
    )
    expect(ops).toEqual(['whittle.Attention'])
    expect(node('whittle.Attention').attributes).toMatchObject({ scale: 0.5, q_layout: 'bshd' })
  })

  it('takes products of rank 3 without a mask', async () => {
    const { ops } = await through(
      recogniseAttention,
      `input q: float32[n, t, 6] input k: float32[n, t, 6] input v: float32[n, t, 5] kt = Transpose(k) {perm: [0, 2, 1]}
      s = MatMul(q, kt) w = Softmax(s) y = MatMul(w, v) output y: float32[n, t, 5]`,
    )
    expect(ops.filter((op) => !['Unsqueeze', 'Squeeze', 'Transpose'].includes(op))).toEqual(['whittle.Attention'])
  })

  it('takes products of rank 3 whose heads stand behind the sequence (old PyTorch)', async () => {
    const { ops, node } = await through(
      recogniseAttention,
      `input a: float32[t, 4, 3] input b: float32[m, 4, 3] input c: float32[m, 4, 5] input mask: float32[t, m] const half: float32[] = 0.5
      as = Transpose(a) {perm: [1, 0, 2]} q = Mul(as, half) k = Transpose(b) {perm: [1, 2, 0]} v = Transpose(c) {perm: [1, 0, 2]}
      s = MatMul(q, k) u = Add(s, mask) w = Softmax(u) z = MatMul(w, v) y = Transpose(z) {perm: [1, 0, 2]} output y: float32[t, 4, 5]`,
    )
    expect(ops).toEqual(['Unsqueeze', 'Unsqueeze', 'Unsqueeze', 'whittle.Attention', 'Squeeze'])
    expect(node('whittle.Attention').attributes).toMatchObject({ q_layout: 'bshd', v_layout: 'bshd', y_layout: 'bshd' })
  })

  it('takes products of rank 2: one head', async () => {
    const { ops } = await through(
      recogniseAttention,
      `input q: float32[t, 3] input b: float32[m, 3] input v: float32[m, 5] k = Transpose(b) {perm: [1, 0]}
      s = MatMul(q, k) w = Softmax(s) y = MatMul(w, v) output y: float32[t, 5]`,
    )
    expect(ops).toEqual(['Unsqueeze', 'Unsqueeze', 'Unsqueeze', 'whittle.Attention', 'Squeeze'])
  })

  it('keeps a cache of turned keys as it is', async () => {
    const { node } = await through(
      recogniseAttention,
      `input q: float32[n, 2, 1, 3] input past: float32[n, 2, 3, t] input k: float32[n, 2, 3, 1] input v: float32[n, 2, t + 1, 3]
      kt = Concat(past, k) {axis: 3} s = MatMul(q, kt) w = Softmax(s) y = MatMul(w, v) output y: float32[n, 2, 1, 3] output kt: float32[n, 2, 3, t + 1]`,
    )
    expect(node('whittle.Attention').attributes).toMatchObject({ k_layout: 'bhds' })
  })

  it.each([
    ['a position bias and a mask', 's = Add(qk, bias) m = Add(s, mask)', ['Add']],
    ['a factor behind the mask', 's = Add(qk, mask) m = Mul(s, half)', ['Mul']],
    ['a mask and a lower bound (OPT)', 's = Add(qk, far) m = Max(s, least)', ['Max']],
    ['a lower bound without a mask', 'm = Max(least, qk)', []],
    ['a mask that is taken away', 'm = Sub(qk, mask)', ['Mul']],
    ['numbers filled in where a condition is', 'm = Where(closed, least, qk)', ['Where']],
    ['numbers filled in where a condition is not', 'm = Where(closed, qk, minus)', ['Where']],
    ['numbers filled in, then a mask (GPT-2)', 's = Where(closed, qk, least) m = Add(s, mask)', ['Where', 'Add']],
    ['a mask, then numbers filled in', 's = Add(mask, qk) m = Where(closed, least, s)', ['Where']],
    ['what is filled in and then scaled', 's = Where(closed, least, qk) m = Div(s, two)', ['Where']],
    ['a low number that does not swallow scores', 'm = Where(closed, low, qk)', ['Where']],
    [
      'scores times a mask of 0 and 1 (old GPT-2)',
      'c = Cast(closed) {to: 1} s = Mul(qk, c) o = Sub(one, c) p = Mul(o, large) m = Sub(s, p)',
      ['Cast', 'Sub', 'Mul', 'Mul'],
    ],
    ['the same with a mask that is constant', 's = Mul(triangle, qk) m = Sub(s, below)', ['Mul']],
  ])('takes %s', async (_, scores, left) => {
    const { ops } = await through(recogniseAttention, masked(scores))
    expect(ops).toEqual([...left, 'whittle.Attention'])
  })

  it.each([
    ['shares of -inf throughout, as of Softmax', '-inf'],
    ['equal shares where numbers fill a row', '-3e38'],
    ['equal shares where lower numbers fill it', '-1e9'],
  ])('gives %s', async (_, fill) => {
    const { ops } = await through(
      recogniseAttention,
      `${operands} const closed: bool[4, 4] = 1 1 1 1 0 1 1 1 0 0 1 1 0 0 0 1 const fill: float32[] = ${fill}
      qk = MatMul(q, k) m = Where(closed, fill, qk) w = Softmax(m) y = MatMul(w, v) output y: float32[n, 2, 4, 5]`,
    )
    expect(ops).toEqual(['Where', 'whittle.Attention'])
  })

  it('makes zeros of the result where PyTorch makes them of weights that are NaN', async () => {
    const { ops, node } = await through(
      recogniseAttention,
      `${operands} const closed: bool[4, 1] = 1 0 0 1 const minus: float32[] = -inf const zero: float32[] = 0
      qk = MatMul(q, k) b = Where(closed, minus, zero) m = Add(qk, b) p = Softmax(m) i = IsNaN(p) w = Where(i, zero, p)
      z = MatMul(w, v) y = Transpose(z) {perm: [0, 2, 1, 3]} output y: float32[n, 4, 2, 5]`,
    )
    expect(ops).toEqual(['Where', 'whittle.Attention', 'Equal', 'Where'])
    expect(node('whittle.Attention').attributes).toMatchObject({ y_layout: 'bshd' })
  })

  it.each([
    ['a number that is not low filled in', 'm = Where(closed, minusTwo, qk)'],
    ['a low number beside another mask, which it may compete with', 's = Where(closed, qk, low) m = Add(s, mask)'],
    [
      'scores times numbers that need not be 0 or 1',
      's = Mul(qk, mask) o = Sub(one, mask) p = Mul(o, large) m = Sub(s, p)',
    ],
    ['a bound that scores may reach', 's = Add(qk, mask) m = Max(s, minusTwo)'],
    ['scores taken away from something', 'm = Sub(mask, qk)'],
    ['a high number filled in where scores are negated', 's = Where(closed, low, qk) m = Mul(s, minusTwo)'],
  ])('leaves %s', async (_, scores) => {
    expect((await through(recogniseAttention, masked(scores))).fired).toBe(0)
  })

  it('takes a mask cut out of a larger one', async () => {
    const { ops } = await through(
      recogniseAttention,
      `input q: float32[n, 2, t, 3] input k: float32[n, 2, 3, t] input v: float32[n, 2, t, 5] const all: bool[9, 9] = ...
      const zero: int64[1] = 0 const axes: int64[1] = 0 const columns: int64[1] = 1 const least: float32[] = -1e38
      l = Shape(q) {start: 2, end: 3} r = Slice(all, zero, l, axes) c = Slice(r, zero, l, columns)
      s = MatMul(q, k) m = Where(c, s, least) w = Softmax(m) y = MatMul(w, v) output y: float32[n, 2, t, 5]`,
    )
    expect(ops).toEqual(['Shape', 'Slice', 'Slice', 'Where', 'whittle.Attention'])
  })

  it.each([
    ['v', 'input k: float32[3, 6] const v: float32[6, 5] = ...'],
    ['k', 'const k: float32[3, 6] = ... input v: float32[6, 5]'],
  ])('leaves layers around a softmax: %s is a weight', async (_, operands) => {
    const { fired } = await through(
      recogniseAttention,
      `input q: float32[t, 3] ${operands} s = MatMul(q, k) w = Softmax(s) y = MatMul(w, v) output y: float32[t, 5]`,
    )
    expect(fired).toBe(0)
  })

  it('leaves a mask that makes more queries of one', async () => {
    const { fired } = await through(
      recogniseAttention,
      `input q: float32[n, 2, 1, 3] input k: float32[n, 2, 3, 4] input v: float32[n, 2, 4, 5] input bias: float32[4, 4]
      s = MatMul(q, k) m = Add(s, bias) w = Softmax(m) y = MatMul(w, v) output y: float32[n, 2, 4, 5]`,
    )
    expect(fired).toBe(0)
  })

  it.each([
    ['weights that are an output', 's = MatMul(q, k) w = Softmax(s)', 'output w: float32[n, 2, 4, 4]'],
    ['a softmax over the queries', 's = MatMul(q, k) w = Softmax(s) {axis: 2}', ''],
    ['scores that something else reads', 's = MatMul(q, k) w = Softmax(s) e = Exp(s)', 'output e: float32[n, 2, 4, 4]'],
  ])('leaves %s', async (_, scores, output) => {
    const { fired } = await through(
      recogniseAttention,
      `input q: float32[n, 2, 4, 3] input k: float32[n, 2, 3, 4] input v: float32[n, 2, 4, 5]
      ${scores} y = MatMul(w, v) output y: float32[n, 2, 4, 5] ${output}`,
    )
    expect(fired).toBe(0)
  })
})
