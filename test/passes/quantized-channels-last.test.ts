// SPDX-License-Identifier: Apache-2.0
/** Convolutions and pools of bytes become channels last between Transposes; weights are permuted once. */
import { describe, expect, it } from 'vitest'
import { quantizedChannelsLast } from '../../src/passes/quantized-channels-last.ts'
import { through } from './through.ts'

const scales = `const s: float32[] = 0.5 const z: uint8[] = 1 const zi: int8[] = 0 const t: float32[] = 2`

const qlinear = (more = '', dims = '5, 4', kernel = '3, 3', weight = 'const'): string =>
  `input x: uint8[n, 4, ${dims}] ${weight} k: int8[6, 2, ${kernel}]${weight === 'const' ? ' = ...' : ''} const b: int32[6] = 1 2 3 4 5 6 ${scales}
  y = QLinearConv(x, s, z, k, s, zi, t, z, b) {group: 2${more}}`

describe('quantized-channels-last', () => {
  it('QLinearConv', async () => {
    const { ops, graph, node } = await through(
      quantizedChannelsLast,
      `${qlinear(', pads: [1, 1, 1, 1]')} output y: uint8[n, 6, 5, 4]`,
    )
    expect(ops).toEqual(['Transpose', 'whittle.QLinearConv', 'Transpose'])
    expect(graph.constants.get(node('whittle.QLinearConv').inputs[3])!.dims).toEqual([6, 3, 3, 2])
    expect(graph.constants.has('k')).toBe(false)
  })

  it('QLinearConv over one spatial axis', async () => {
    const { ops, node } = await through(
      quantizedChannelsLast,
      `${qlinear(', pads: [2, 0], strides: [2], dilations: [2], kernel_shape: [3]', '9', '3')} output y: uint8[n, 6, 4]`,
    )
    expect(ops).toEqual(['Transpose', 'Unsqueeze', 'whittle.QLinearConv', 'Squeeze', 'Transpose'])
    expect(node('whittle.QLinearConv').attributes).toMatchObject({
      pads: [0, 2, 0, 0],
      strides: [1, 2],
      dilations: [1, 2],
      kernel_shape: [1, 3],
    })
  })

  it('ConvInteger, weights of two of them permuted once', async () => {
    const { ops, graph } = await through(
      quantizedChannelsLast,
      `input a: uint8[n, 3, 5, 4] input b: uint8[n, 3, 5, 4] const k: int8[2, 3, 3, 3] = ... const z: uint8[] = 1
      y = ConvInteger(a, k, z) u = ConvInteger(b, k, z) {strides: [2, 2]} output y: int32[n, 2, 3, 2] output u: int32[n, 2, 2, 1]`,
    )
    expect(ops.filter((op) => op !== 'Transpose')).toEqual(['whittle.ConvInteger', 'whittle.ConvInteger'])
    expect([...graph.constants.keys()].filter((name) => name.startsWith('k'))).toHaveLength(1)
  })

  it.each(['int8', 'uint8'])('MaxPool of %s as that of the numbers', async (dtype) => {
    const { ops } = await through(
      quantizedChannelsLast,
      `input x: ${dtype}[n, 3, 5, 4] y = MaxPool(x) {kernel_shape: [3, 3], pads: [1, 1, 1, 1], strides: [2, 2]} output y: ${dtype}[n, 3, 3, 2]`,
    )
    expect(ops).toEqual(['Cast', 'MaxPool', 'Cast'])
  })

  it.each([
    ['weights that are no constant', `${qlinear('', '5, 4', '3, 3', 'input')} output y: uint8[n, 6, 3, 2]`],
    ['three spatial axes', `${qlinear('', '5, 4, 3', '3, 3, 3')} output y: uint8[n, 6, 3, 2, 1]`],
    [
      'a MaxPool whose places are asked for',
      'input x: uint8[n, 3, 4, 4] y, at = MaxPool(x) {kernel_shape: [2, 2]} output y: uint8[n, 3, 3, 3] output at: int64[n, 3, 3, 3]',
    ],
    [
      'a MaxPool of floats',
      'input x: float32[n, 3, 4, 4] y = MaxPool(x) {kernel_shape: [2, 2]} output y: float32[n, 3, 3, 3]',
    ],
  ])('leaves %s', async (_, text) => {
    expect((await through(quantizedChannelsLast, text)).fired).toBe(0)
  })
})
