// SPDX-License-Identifier: Apache-2.0
/** ONNX Runtime's fused operators become what they are made of. */
import { describe, expect, it } from 'vitest'
import { foldConstants } from '../../src/passes/fold-constants.ts'
import { spellOutFused } from '../../src/passes/spell-out-fused.ts'
import { through } from './through.ts'

const conv = (inputs: string, attributes: string): string =>
  `input x: float32[n, 3, 6, 5] const w: float32[4, 3, 3, 3] = ... const b: float32[4] = ... input z: float32[n, 4, 6, 5]
  y = com.microsoft.FusedConv(${inputs}) {pads: [1, 1, 1, 1], ${attributes}} output y: float32[n, 4, 6, 5]`

const product = (a: string, b: string, attributes: string, y: string): string =>
  `input a: float32[${a}] input b: float32[${b}] y = com.microsoft.FusedMatMul(a, b) {${attributes}} output y: float32[${y}]`

describe('spell-out-fused', () => {
  it.each([
    ['x, w, b', 'activation: "Relu"', ['Conv', 'Relu']],
    ['x, w', 'activation: "LeakyRelu", activation_params: [0.1]', ['Conv', 'LeakyRelu']],
    ['x, w, b, z', 'activation: "Clip", activation_params: [-0.5, 0.5]', ['Conv', 'Add', 'Clip']],
    ['x, w, b', 'activation: "HardSigmoid", activation_params: [0.3, 0.4]', ['Conv', 'HardSigmoid']],
    ['x, w, b, z', 'group: 1', ['Conv', 'Add']],
  ])('FusedConv(%s) with %s', async (inputs, attributes, expected) => {
    expect((await through(spellOutFused, conv(inputs, attributes))).ops).toEqual(expected)
  })

  it.each([
    ['n, 3, 4', 'n, 4, 5', 'alpha: 0.5', ['MatMul', 'Mul']],
    ['n, 4, 3', 'n, 5, 4', 'transA: 1, transB: 1', ['Transpose', 'Transpose', 'MatMul']],
    ['3, n, 4', 'n, 4, 5', 'transBatchA: 1', ['com.microsoft.FusedMatMul']],
  ])('FusedMatMul of [%s] and [%s] with %s', async (a, b, attributes, expected) => {
    expect((await through(spellOutFused, product(a, b, attributes, 'n, 3, 5'))).ops).toEqual(expected)
  })

  it.each([
    ['x, w, b', 'y', 'unidirectional: 1', ''],
    ['x, w, "", mask', 'y', 'qkv_hidden_sizes: [8, 8, 4]', ''],
    ['x, w, b, mask, past', 'y, present', 'scale: 0.3', 'output present: float32[2, n, 2, m + 4, 4]'],
  ])('Attention(%s) to %s with %s: products and MultiHeadAttention', async (inputs, outputs, attributes, more) => {
    const cached = more !== ''
    const columns = attributes.includes('sizes') ? 20 : 24
    const { ops, graph } = await through(
      [spellOutFused, foldConstants],
      `input x: float32[n, 4, 8] input mask: int32[n, ${cached ? 'm + 4' : 4}] input past: float32[2, n, 2, m, 4]
      const w: float32[8, ${columns}] = ... const b: float32[${columns}] = ...
      ${outputs} = com.microsoft.Attention(${inputs}) {num_heads: 2, ${attributes}}
      output y: float32[n, 4, ${columns - 16}] ${more}`,
    )
    const products = inputs.includes('b') ? ['MatMul', 'Add'] : ['MatMul']
    const parts = [...products, ...products, ...products]
    const [before, behind] = cached
      ? [
          ['Split', 'Squeeze', 'Squeeze'],
          ['Unsqueeze', 'Unsqueeze', 'Concat'],
        ]
      : [[], []]
    expect([...ops].sort()).toEqual([...parts, ...before, 'com.microsoft.MultiHeadAttention', ...behind].sort())
    const weights = graph.nodes.filter(({ op }) => op === 'MatMul').map(({ inputs: [, value] }) => value)
    expect(weights.every((name) => graph.constants.has(name))).toBe(true)
  })

  it.each([
    [
      'ids, kinds, w, p, t, g, b',
      'y, counts',
      ['Gather', 'Shape', 'Slice', 'Gather', 'Add', 'Add', 'LayerNormalization'],
      '',
    ],
    [
      'ids, "", w, p, "", g, b, mask, places',
      'y, counts, sum',
      ['Gather', 'Gather', 'Add', 'LayerNormalization', 'Equal', 'Cast', 'ReduceSum'],
      'output counts: int32[n] output sum: float32[n, t, 8]',
    ],
  ])('EmbedLayerNormalization(%s) to %s', async (inputs, outputs, expected, more) => {
    const { ops } = await through(
      spellOutFused,
      `input ids: int32[n, t] input kinds: int32[n, t] input mask: int32[n, t] input places: int32[n, t]
      const w: float32[9, 8] = ... const p: float32[6, 8] = ... const t: float32[3, 8] = ...
      const g: float32[8] = ... const b: float32[8] = ...
      ${outputs} = com.microsoft.EmbedLayerNormalization(${inputs}) output y: float32[n, t, 8] ${more}`,
    )
    expect([...ops].sort()).toEqual([...expected].sort())
  })

  it.each([
    ['LayerNormalization(u, x, g, b)', 'y', ['Add', 'LayerNormalization']],
    ['LayerNormalization(u, x, g, b, c)', 'y, "", "", sum', ['Add', 'Add', 'LayerNormalization']],
    ['LayerNormalization(x, u, g)', 'y', ['Add', 'LayerNormalization']],
    ['SimplifiedLayerNormalization(x, u, g, c)', 'y, "", "", sum', ['Add', 'Add', 'RMSNormalization']],
    ['SimplifiedLayerNormalization(u, x, g)', 'y', ['Add', 'RMSNormalization']],
    ['LayerNormalization(u, x, g, b)', 'y, sum', ['com.microsoft.SkipLayerNormalization']],
  ])('Skip%s to %s', async (node, outputs, expected) => {
    const statistics = outputs === 'y, sum'
    const { ops } = await through(
      spellOutFused,
      `input x: float32[n, t, 8] input z: float32[n, t, 6] const w: float32[6, 8] = ...
      const g: float32[8] = ... const b: float32[8] = ... const c: float32[8] = ...
      u = MatMul(z, w) ${outputs} = com.microsoft.Skip${node} {epsilon: 1e-5} output y: float32[n, t, 8]
      ${outputs === 'y' ? '' : `output sum: float32[n, t, ${statistics ? 1 : 8}]`}`,
    )
    expect(ops).toEqual(['MatMul', ...expected])
  })

  it.each([
    ['BiasGelu(x, b)', ['Add', 'Gelu']],
    ['FastGelu(x, b)', ['Add', 'Gelu']],
    ['FastGelu(x)', ['Gelu']],
    ['Gelu(x)', ['Gelu']],
  ])('%s', async (node, expected) => {
    const body = `input x: float32[n, 8] const b: float32[8] = ... y = com.microsoft.${node} output y: float32[n, 8]`
    expect((await through(spellOutFused, body)).ops).toEqual(expected)
  })
})
