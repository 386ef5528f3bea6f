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

  it('takes products of rank 3 without a mask', async () => {
    const { ops } = await through(
      recogniseAttention,
      `input q: float32[n, t, 6] input k: float32[n, t, 6] input v: float32[n, t, 5] kt = Transpose(k) {perm: [0, 2, 1]}
      s = MatMul(q, kt) w = Softmax(s) y = MatMul(w, v) output y: float32[n, t, 5]`,
    )
    expect(ops.filter((op) => !['Unsqueeze', 'Squeeze', 'Transpose'].includes(op))).toEqual(['whittle.Attention'])
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
