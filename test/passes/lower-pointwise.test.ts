// SPDX-License-Identifier: Apache-2.0
/** Convolutions of one tap become matrix products of the pixels, and no others. */
import { describe, expect, it } from 'vitest'
import { lowerPointwise } from '../../src/passes/lower-pointwise.ts'
import { through } from './through.ts'

const image = 'input x: float32[n, h, w, 4] const k: float32[6, 1, 1, 4] = ...'
const out = 'output y: float32[...]'

describe('lower-pointwise lowers', () => {
  it.each([
    ['one tap', `${image} y = whittle.Conv(x, k)`, 2],
    ['strides and pads that say nothing', `${image} y = whittle.Conv(x, k) {strides: [1, 1], pads: [0, 0, 0, 0]}`, 2],
    ['dilations, which one tap does not feel', `${image} y = whittle.Conv(x, k) {dilations: [2, 3]}`, 2],
    ['padding to the same size', `${image} y = whittle.Conv(x, k) {auto_pad: "SAME_UPPER"}`, 2],
    ['a bias', `${image} const b: float32[6] = ... y = whittle.Conv(x, k, b)`, 3],
    ['a residual', `${image} input r: float32[n, h, w, 6] y = whittle.Conv(x, k, _, r)`, 4],
  ])('%s', async (_, text, inputs) => {
    const { ops, node, graph } = await through(lowerPointwise, `${text} ${out}`)
    expect(ops).toEqual(['whittle.Gemm'])
    expect(node('whittle.Gemm').inputs).toHaveLength(inputs)
    expect(node('whittle.Gemm').name).toBe('y')
    expect(graph.constants.get(node('whittle.Gemm').inputs[1])!.dims).toEqual([6, 4])
  })

  it('the epilogue with it, and nothing of the window', async () => {
    const { node } = await through(
      lowerPointwise,
      `${image} y = whittle.Conv(x, k) {kernel_shape: [1, 1], strides: [1, 1], activation: "LeakyRelu", alpha: 0.1, post_scale: 2, post_shift: 1} ${out}`,
    )
    expect(node('whittle.Gemm').attributes).toEqual({
      activation: 'LeakyRelu',
      alpha: expect.closeTo(0.1, 6),
      post_scale: 2,
      post_shift: 1,
    })
  })

  it('two convolutions with one weight, keeping one copy of it', async () => {
    const { ops, graph } = await through(
      lowerPointwise,
      `${image} r = Relu(x) a = whittle.Conv(x, k) b = whittle.Conv(r, k) y = Add(a, b) ${out}`,
    )
    expect(ops).toEqual(['Relu', 'whittle.Gemm', 'whittle.Gemm', 'Add'])
    expect(graph.constants.size).toBe(1)
  })

  it('past a constant that has the name it would take', async () => {
    const { node, graph } = await through(
      lowerPointwise,
      `${image} const "k/rows": float32[6] = ... a = whittle.Conv(x, k) y = Add(a, "k/rows") ${out}`,
    )
    expect(graph.constants.get(node('whittle.Gemm').inputs[1])!.dims).toEqual([6, 4])
  })
})

describe('lower-pointwise leaves alone', () => {
  it.each([
    ['more taps', 'input x: float32[n, h, w, 4] const k: float32[6, 1, 2, 4] = ... y = whittle.Conv(x, k)'],
    ['a stride', `${image} y = whittle.Conv(x, k) {strides: [1, 2]}`],
    ['padding', `${image} y = whittle.Conv(x, k) {pads: [0, 1, 0, 1]}`],
    ['groups', 'input x: float32[n, h, w, 8] const k: float32[6, 1, 1, 4] = ... y = whittle.Conv(x, k) {group: 2}'],
    ['a weight that is computed', 'input x: float32[n, h, w, 4] input k: float32[6, 1, 1, 4] y = whittle.Conv(x, k)'],
  ])('%s', async (_, text) => {
    expect((await through(lowerPointwise, `${text} ${out}`)).fired).toBe(0)
  })
})
