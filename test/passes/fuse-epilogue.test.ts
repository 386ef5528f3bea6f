// SPDX-License-Identifier: Apache-2.0
/** Epilogues take in what follows, in their order, and nothing that is read elsewhere. */
import { describe, expect, it } from 'vitest'
import { fuseEpilogue } from '../../src/passes/fuse-epilogue.ts'
import { through } from './through.ts'

const gemm = 'input x: float32[n, 4] const k: float32[6, 4] = ... g = whittle.Gemm(x, k)'
const biased = 'input x: float32[n, 4] const k: float32[6, 4] = ... const b: float32[6] = ... g = whittle.Gemm(x, k, b)'
const conv = 'input x: float32[n, h, w, 4] const k: float32[6, 3, 3, 4] = ... g = whittle.Conv(x, k)'
const c = 'const v: float32[6] = ... const s: float32[1] = 0.5 const lo: float32[] = -0.2 const hi: float32[] = 0.3'
const out = 'output y: float32[...]'

describe('fuse-epilogue takes in', () => {
  it.each([
    ['Relu', 'y = Relu(g)', { activation: 'Relu' }],
    ['Clip', 'y = Clip(g, lo, hi)', { activation: 'Clip' }],
    ['Clip with one bound', 'y = Clip(g, lo)', { activation: 'Clip', beta: 3.4028234663852886e38 }],
    ['LeakyRelu', 'y = LeakyRelu(g) {alpha: 0.1}', { activation: 'LeakyRelu', alpha: 0.1 }],
    ['PRelu of one slope', 'y = PRelu(g, s)', { activation: 'LeakyRelu', alpha: 0.5 }],
    ['HardSigmoid', 'y = HardSigmoid(g)', { activation: 'HardSigmoid', alpha: 0.2, beta: 0.5 }],
    ['HardSwish', 'y = HardSwish(g)', { activation: 'HardSwish' }],
    ['Sigmoid', 'y = Sigmoid(g)', { activation: 'Sigmoid' }],
    ['Tanh', 'y = Tanh(g)', { activation: 'Tanh' }],
    ['Silu', 'y = whittle.Silu(g)', { activation: 'Silu' }],
    ['Swish', 'y = Swish(g)', { activation: 'Silu' }],
    ['Gelu', 'y = Gelu(g)', { activation: 'Gelu' }],
    ['Gelu by tanh', 'y = Gelu(g) {approximate: "tanh"}', { activation: 'GeluTanh' }],
    ['a bias', 'y = Add(v, g)', {}],
    ['one number for a bias', 'y = Sub(g, s)', {}],
    ['a number times', 'y = Mul(g, s)', { post_scale: 0.5 }],
    [
      'bias, activation, scale and shift',
      'a = Add(g, v) p = Relu(a) q = Mul(s, p) y = Add(q, s)',
      { activation: 'Relu', post_scale: 0.5, post_shift: 0.5 },
    ],
    [
      'shift, then scale',
      'p = Relu(g) q = Add(p, s) y = Div(q, s)',
      { activation: 'Relu', post_scale: 2, post_shift: 1 },
    ],
  ])('%s', async (_, text, attributes) => {
    for (const layer of [gemm, biased, conv]) {
      const { graph } = await through(fuseEpilogue, `${layer} ${c} ${text} ${out}`)
      expect(graph.nodes).toHaveLength(1)
      expect(graph.nodes[0]).toMatchObject({ name: 'g', outputs: ['y'], attributes })
    }
  })

  it('a residual, a bias behind it, and an activation behind that', async () => {
    for (const sum of ['Add(g, r)', 'Add(r, g)']) {
      const { ops, graph } = await through(
        fuseEpilogue,
        `${biased} ${c} input z: float32[n, 6] q = Relu(z) r = Sin(q) a = ${sum} d = Add(a, v) y = Relu(d) ${out}`,
      )
      expect(ops).toEqual(['Relu', 'Sin', 'whittle.Gemm'])
      expect(graph.nodes[2].inputs[3]).toBe('r')
    }
  })

  it('one of two layers into the other', async () => {
    const { ops } = await through(
      fuseEpilogue,
      `${gemm} const m: float32[6, 4] = ... f = whittle.Gemm(x, m) y = Add(g, f) ${out}`,
    )
    expect(ops).toEqual(['whittle.Gemm', 'whittle.Gemm'])
  })
})

describe('fuse-epilogue', () => {
  it('takes a second residual into the layer that is the first one', async () => {
    const second = 'const m: float32[6, 4] = ... f = whittle.Gemm(x, m) input r: float32[n, 6]'
    const { ops, graph } = await through(
      fuseEpilogue,
      `${gemm} ${second} a = Add(g, f) t = Add(a, r) y = Tanh(t) ${out}`,
    )
    expect(ops).toEqual(['whittle.Gemm', 'whittle.Gemm'])
    expect(graph.nodes[0].inputs[3]).toBe('r')
    expect(graph.nodes[1]).toMatchObject({ outputs: ['y'], attributes: { activation: 'Tanh' } })
  })

  it.each(['whittle.DynamicQuantizeGemm', 'whittle.WeightOnlyGemm'])('keeps the zero points of %s', async (op) => {
    const layer = `input x: float32[n, 32] const w: uint4[6, 32] = ${'151 40 201 '.repeat(32)} const ws: float32[6, 1] = ... const z: uint4[6, 1] = 131 15 121`
    for (const [bias, inputs] of [
      ['', 'x, w, ws, _, _, z'],
      ['const b: float32[6] = ...', 'x, w, ws, b, _, z'],
    ]) {
      const { graph } = await through(
        fuseEpilogue,
        `${layer} ${bias} ${c} input r: float32[n, 6] g = ${op}(${inputs}) {block: 32}
        a = Add(g, v) d = Add(r, a) p = Relu(d) y = Mul(p, s) ${out}`,
      )
      expect(graph.nodes).toHaveLength(1)
      expect(graph.nodes[0].inputs.slice(4)).toEqual(['r', 'z'])
      expect(graph.nodes[0].attributes).toEqual({ block: 32, activation: 'Relu', post_scale: 0.5, post_shift: 0 })
    }
  })
})

describe('fuse-epilogue leaves alone', () => {
  it.each([
    ['a value that is read elsewhere', 'y = Relu(g) z = Neg(g) output z: float32[...]'],
    ['a graph output', 'y = Relu(g) output g: float32[...]'],
    ['a value added to what is made of it', 'a = Sin(g) y = Add(g, a)'],
    ['a residual that would be stretched', 'input r: float32[1, 6] y = Add(g, r)'],
    ['a residual that may have other dims', 'input r: float32[m, 6] y = Add(g, r)'],
    ['a vector that is computed', 'input r: float32[6] y = Add(g, r)'],
    ['a factor for each channel', 'y = Mul(g, v)'],
    ['bounds that are computed', 'input m: float32[] y = Clip(g, m)'],
    ['slopes for each channel', 'y = PRelu(g, v)'],
    ['Swish with another factor', 'y = Swish(g) {alpha: 2}'],
    ['activations it does not know', 'y = Softplus(g)'],
    ['a constant of a higher rank', 'const w: float32[1, 1, 1] = 2 y = Mul(g, w)'],
  ])('%s', async (_, text) => {
    expect((await through(fuseEpilogue, `${gemm} ${c} ${text} ${out}`)).fired).toBe(0)
  })

  it.each([
    ['a second activation', 'p = Relu(g) y = Sigmoid(p)', ['whittle.Gemm', 'Sigmoid']],
    ['a bias behind an activation', 'p = Relu(g) y = Add(p, v)', ['whittle.Gemm', 'Add']],
    ['an activation behind a scale', 'p = Mul(g, s) y = Relu(p)', ['whittle.Gemm', 'Relu']],
    ['a residual behind an activation', 'input r: float32[n, 6] p = Relu(g) y = Add(p, r)', ['whittle.Gemm', 'Add']],
    [
      'a second residual',
      'input r: float32[n, 6] input q: float32[n, 6] p = Add(g, r) y = Add(p, q)',
      ['whittle.Gemm', 'Add'],
    ],
  ])('%s', async (_, text, ops) => {
    expect((await through(fuseEpilogue, `${gemm} ${c} ${text} ${out}`)).ops).toEqual(ops)
  })
})
