// SPDX-License-Identifier: Apache-2.0
/** Convolutions and pools become channels last, with Transposes around them. */
import { describe, expect, it } from 'vitest'
import { channelsLast } from '../../src/passes/channels-last.ts'
import { through } from './through.ts'

const plane = 'input x: float32[n, 4, h, w]'
const line = 'input x: float32[n, 4, h]'
const out = 'output y: float32[...]'

describe('channels-last', () => {
  it.each([
    [
      'Conv',
      `${plane} const k: float32[6, 4, 3, 2] = ... const b: float32[6] = ... y = Conv(x, k, b) {pads: [1, 0, 1, 1], strides: [2, 1], dilations: [1, 2]}`,
    ],
    ['depthwise Conv', `${plane} const k: float32[4, 1, 3, 3] = ... y = Conv(x, k) {group: 4, auto_pad: "SAME_UPPER"}`],
    ['grouped Conv', `${plane} const k: float32[6, 2, 3, 3] = ... y = Conv(x, k) {group: 2}`],
    ['MaxPool', `${plane} y = MaxPool(x) {kernel_shape: [2, 3], strides: [2, 2], pads: [0, 1, 1, 1], ceil_mode: 1}`],
    ['AveragePool', `${plane} y = AveragePool(x) {kernel_shape: [3, 3], pads: [1, 1, 1, 1], count_include_pad: 1}`],
  ])('puts Transposes around %s', async (op, text) => {
    const { ops } = await through(channelsLast, `${text} ${out}`)
    expect(ops).toEqual(['Transpose', `whittle.${op.split(' ').at(-1)}`, 'Transpose'])
  })

  it.each([
    [
      'Conv',
      `${line} const k: float32[6, 4, 3] = ... y = Conv(x, k) {pads: [1, 2], strides: [2], dilations: [1], kernel_shape: [3]}`,
    ],
    ['Conv', `${line} const k: float32[4, 1, 2] = ... y = Conv(x, k) {group: 4, auto_pad: "SAME_LOWER"}`],
    ['MaxPool', `${line} y = MaxPool(x) {kernel_shape: [2], strides: [2], pads: [1, 0]}`],
  ])('gives %s of one spatial axis a height of 1', async (op, text) => {
    const { ops, node } = await through(channelsLast, `${text} ${out}`)
    expect(ops).toEqual(['Transpose', 'Unsqueeze', `whittle.${op}`, 'Squeeze', 'Transpose'])
    expect(node(`whittle.${op}`).name).toBe('y')
  })

  it('permutes the weight once, into [outputs, height, width, depth]', async () => {
    const { graph } = await through(
      channelsLast,
      `${plane} const k: float32[4, 4, 3, 2] = ... a = Conv(x, k) {pads: [1, 1, 1, 0]} y = Conv(a, k) ${out}`,
    )
    expect([...graph.constants.values()].map((constant) => constant.dims)).toEqual([[4, 3, 2, 4]])
  })

  it.each([
    ['three spatial axes', 'input x: float32[n, 2, 3, 4, 5] const k: float32[3, 2, 2, 2, 2] = ... y = Conv(x, k)'],
    ['weights that are computed', `${plane} input k: float32[6, 4, 3, 3] y = Conv(x, k)`],
    ['other types', 'input x: float64[n, 4, h, w] y0 = MaxPool(x) {kernel_shape: [2, 2]} y = Cast(y0) {to: 1}'],
    ['MaxPool with indices', `${plane} y, i = MaxPool(x) {kernel_shape: [2, 2]} output i: int64[...]`],
  ])('leaves %s alone', async (_, text) => {
    expect((await through(channelsLast, `${text} ${out}`)).fired).toBe(0)
  })
})
