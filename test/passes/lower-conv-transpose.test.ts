// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import { fuseEpilogue } from '../../src/passes/fuse-epilogue.ts'
import { lowerConvTranspose } from '../../src/passes/lower-conv-transpose.ts'
import { sinkTransposes } from '../../src/passes/sink-transposes.ts'
import { through } from './through.ts'

const plane = 'input x: float32[n, 4, h, w]'
const out = 'output y: float32[...]'
const text = (kernel: string, attributes: string): string =>
  `${plane} const k: float32[${kernel}] = ... const b: float32[3] = ... y = ConvTranspose(x, k, b) {${attributes}} ${out}`

describe('lower-conv-transpose', () => {
  it.each([
    ['a kernel as large as its stride', '4, 3, 2, 2', 'strides: [2, 2]', [12, 1, 1, 4]],
    ['a kernel of twice its stride', '4, 3, 4, 4', 'strides: [2, 2], pads: [1, 1, 1, 1]', [12, 2, 2, 4]],
    ['more places in one direction', '4, 3, 3, 4', 'strides: [3, 2], pads: [1, 0, 0, 2]', [18, 1, 2, 4]],
    ['cropped at one side', '4, 3, 2, 2', 'strides: [2, 2], pads: [0, 1, 1, 0]', [12, 1, 1, 4]],
    ['more rows by output_padding', '4, 3, 4, 2', 'strides: [2, 2], output_padding: [1, 1]', [12, 2, 1, 4]],
    ['pads beyond a stride', '4, 3, 6, 6', 'strides: [2, 2], pads: [3, 4, 2, 3]', [12, 3, 3, 4]],
    ['pads that leave little', '4, 3, 2, 2', 'strides: [2, 2], pads: [3, 2, 4, 5]', [12, 1, 1, 4]],
    ['negative pads', '4, 3, 2, 2', 'strides: [2, 2], pads: [-1, -2, -3, 0]', [12, 1, 1, 4]],
    ['SAME_UPPER', '4, 3, 4, 4', 'strides: [2, 2], auto_pad: "SAME_UPPER"', [12, 2, 2, 4]],
    ['SAME_LOWER', '4, 3, 3, 6', 'strides: [3, 3], auto_pad: "SAME_LOWER"', [27, 1, 2, 4]],
  ])('is one convolution and its places side by side with %s', async (_, kernel, attributes, weight) => {
    const { ops, node, graph } = await through(lowerConvTranspose, text(kernel, attributes))
    expect(ops).toEqual(['Transpose', 'whittle.Conv', 'whittle.DepthToSpace', 'Transpose'])
    expect(node('whittle.Conv').name).toBe('y')
    expect(graph.constants.get(node('whittle.Conv').inputs[1])!.dims).toEqual(weight)
  })

  it('is a convolution alone with a stride of 1', async () => {
    const { ops } = await through(lowerConvTranspose, text('4, 3, 3, 3', 'pads: [1, 0, 2, 1]'))
    expect(ops).toEqual(['Transpose', 'whittle.Conv', 'Transpose'])
  })

  it.each([
    ['none cut off', '4, 3, 3, 3', 'dilations: [2, 3]', [2, 3], [3, 3, 3, 4]],
    ['pads', '4, 3, 3, 2', 'dilations: [2, 4], pads: [2, 1, 3, 4]', [2, 4], [3, 3, 2, 4]],
    ['pads beyond the kernel', '4, 3, 2, 3', 'dilations: [2, 1], pads: [3, 0, 1, 1]', [2, 1], [3, 2, 3, 4]],
    ['negative pads', '4, 3, 3, 1', 'dilations: [2, 5], pads: [-1, 0, -2, 0]', [2, 1], [3, 3, 1, 4]],
    ['SAME_UPPER', '4, 3, 3, 4', 'dilations: [2, 2], auto_pad: "SAME_UPPER"', [2, 2], [3, 3, 4, 4]],
    ['a stride along the other axis', '4, 3, 3, 4', 'dilations: [3, 1], strides: [1, 2]', [3, 1], [6, 3, 2, 4]],
  ])('keeps a dilation, and multiplies no zeros for it: %s', async (_, kernel, attributes, dilations, weight) => {
    const { node, graph } = await through(lowerConvTranspose, text(kernel, attributes))
    const conv = node('whittle.Conv')
    expect(conv.attributes.dilations).toEqual(dilations)
    expect(graph.constants.get(conv.inputs[1])!.dims).toEqual(weight)
  })

  it.each([
    ['other numbers of taps', '4, 3, 3, 3', 'strides: [2, 2], pads: [1, 1, 1, 1], output_padding: [1, 1]', 4],
    ['five taps', '4, 3, 5, 5', 'strides: [2, 2], pads: [2, 2, 2, 2], output_padding: [1, 1]', 4],
    ['five taps, nothing cut off', '4, 3, 5, 2', 'strides: [3, 1]', 3],
    ['SAME_UPPER', '4, 3, 3, 3', 'strides: [2, 2], auto_pad: "SAME_UPPER"', 4],
  ])(
    'is a convolution for each place with %s, without zeros among its weights',
    async (_, kernel, attributes, count) => {
      const { graph, ops } = await through(lowerConvTranspose, text(kernel, attributes))
      const convolutions = graph.nodes.filter(({ op }) => op === 'whittle.Conv')
      expect(convolutions).toHaveLength(count)
      expect(ops.filter((op) => op === 'whittle.DepthToSpace')).toHaveLength(1)
      const size = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1)
      const weights = convolutions.map(({ inputs }) => size(graph.constants.get(inputs[1])!.dims))
      expect(weights.reduce((a, b) => a + b)).toBe(size(kernel.split(',').map(Number)))
    },
  )

  it.each([
    ['groups', '4, 3, 2, 3', 'group: 2, strides: [2, 2], pads: [0, 1, 1, 0]', 'float32[6]'],
    ['a group for each channel', '4, 1, 4, 4', 'group: 4, strides: [2, 2], pads: [1, 1, 1, 1]', 'float32[4]'],
  ])('is a convolution for each place with %s', async (_, kernel, attributes, bias) => {
    const body = text(kernel, attributes).replace('float32[3]', bias)
    const { graph } = await through(lowerConvTranspose, body)
    expect(graph.nodes.filter(({ op }) => op === 'whittle.Conv')).toHaveLength(4)
  })

  it('of one spatial axis has a height of 1', async () => {
    const { ops } = await through(
      lowerConvTranspose,
      `input x: float32[n, 4, w] const k: float32[4, 3, 4] = ... y = ConvTranspose(x, k) {strides: [2], pads: [1, 1]} ${out}`,
    )
    expect(ops).toEqual(['Transpose', 'Unsqueeze', 'whittle.Conv', 'whittle.DepthToSpace', 'Squeeze', 'Transpose'])
  })

  it('takes a bias that is computed where it need not be repeated', async () => {
    const body = (kernel: string): string =>
      `${plane} input b: float32[3] const k: float32[4, 3, ${kernel}] = ... y = ConvTranspose(x, k, b) {strides: [2, 2]} ${out}`
    expect((await through(lowerConvTranspose, body('3, 3'))).fired).toBe(1)
    expect((await through(lowerConvTranspose, body('2, 2'))).fired).toBe(0)
  })

  it('makes the weights of two nodes once', async () => {
    const { graph } = await through(
      lowerConvTranspose,
      `${plane} const k: float32[4, 4, 2, 2] = ... a = ConvTranspose(x, k) {strides: [2, 2]} y = ConvTranspose(a, k) {strides: [2, 2]} ${out}`,
    )
    expect([...graph.constants.values()].map(({ dims }) => dims)).toEqual([[16, 1, 1, 4]])
  })

  it.each([
    ['a shape that is asked for', text('4, 3, 3, 3', 'strides: [2, 2], output_shape: [13, 12]')],
    ['dilations along axes of another stride', text('4, 3, 3, 3', 'dilations: [2, 1], strides: [2, 1]')],
    ['a kernel smaller than its stride', text('4, 3, 2, 2', 'strides: [3, 2]')],
    ['very many places', text('4, 3, 9, 9', 'strides: [5, 5]')],
    ['weights that are computed', `${plane} input k: float32[4, 3, 2, 2] y = ConvTranspose(x, k) ${out}`],
    [
      'three spatial axes',
      `input x: float32[n, 4, 2, 3, 2] const k: float32[4, 3, 2, 2, 2] = ... y = ConvTranspose(x, k) ${out}`,
    ],
  ])('leaves %s alone', async (_, body) => {
    expect((await through(lowerConvTranspose, body)).fired).toBe(0)
  })

  it('takes a shape that is asked for where the dims are known', async () => {
    const body = text('4, 3, 3, 3', 'strides: [2, 2], output_shape: [15, 12]').replace('n, 4, h, w', '2, 4, 6, 5')
    expect((await through(lowerConvTranspose, body)).fired).toBe(1)
  })

  it('lets what follows into the convolutions', async () => {
    const passes = [lowerConvTranspose, sinkTransposes, fuseEpilogue]
    for (const kernel of ['4, 3, 4, 4', '4, 3, 3, 3']) {
      const body = text(kernel, 'strides: [2, 2], pads: [1, 1, 1, 1]').replace('y =', 'c =')
      const { graph } = await through(
        passes,
        body.replace(out, `const s: float32[] = ... t = Tanh(c) m = Mul(t, s) y = Add(m, s) ${out}`),
      )
      const ops = new Set(graph.nodes.map(({ op }) => op))
      expect(ops).toEqual(new Set(['Transpose', 'whittle.Conv', 'whittle.DepthToSpace']))
      for (const { op, attributes } of graph.nodes)
        if (op === 'whittle.Conv') expect(attributes).toMatchObject({ activation: 'Tanh' })
    }
  })
})
