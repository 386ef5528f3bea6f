// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest'
import { randomNormal, seededRandom } from '../../src/base/rng.ts'
import { compress } from '../../src/compress/compress.ts'
import { writeOnnx } from '../../src/format/onnx-write.ts'
import { fromContainer } from '../../src/model/from-container.ts'
import { model, node, tensorRecord, valueInfo } from '../support/onnx.ts'

const random = seededRandom(31)

/** One 3x3 convolution; the higher the power of its weights, the more of them are outliers. */
function convolution(channels: number, group: number, attributes: object, power = 1): Uint8Array {
  const dims = [channels, channels / group, 3, 3]
  const weights = Array.from({ length: channels * dims[1] * 9 }, () => randomNormal(random) ** power)
  return writeOnnx(
    model({
      inputs: [valueInfo('x', 'float32', [1, channels, 12, 12])],
      outputs: [valueInfo('y', 'float32', null)],
      initializers: [tensorRecord('w', 'float32', weights, dims)],
      nodes: [node('Conv', ['x', 'w'], ['y'], { group, ...attributes })],
    }),
  )
}

describe('codes of a convolution', () => {
  test.each([
    ['one group', 32, 1, {}, true],
    ['groups of many channels', 32, 2, {}, true],
    ['groups of few channels with gaps between taps', 128, 32, { dilations: [2, 2] }, true],
    ['groups of few channels, which are summed in float32', 128, 32, {}, false],
    ['depthwise', 512, 512, { strides: [2, 2] }, false],
  ])('are narrow only where bytes are multiplied: %s', async (_, channels, group, attributes, narrow) => {
    const file = convolution(channels, group, attributes)
    const [small, wide] = [await compress(file, 'int8'), await compress(file, { weights: 'int8', narrow: false })]
    const layer = fromContainer(small.model).graph.nodes.find(({ op }) => op === 'whittle.DynamicQuantizeConv')
    expect(layer?.attributes.narrow).toBe(narrow ? 1 : undefined)
    const [got, most] = [small, wide].map(({ report }) => report.layers[0].weightSnr!)
    if (narrow) expect(got).toBeLessThan(most)
    else expect(got).toBe(most)
  })

  test('are not narrow where they are coarse anyway', async () => {
    const file = convolution(32, 1, {}, 3)
    const [some, all] = [await compress(file, 'int8'), await compress(file, { weights: 'int8', narrow: false })]
    const layer = fromContainer(some.model).graph.nodes.find(({ op }) => op === 'whittle.DynamicQuantizeConv')
    expect(layer?.attributes.narrow).toBeUndefined()
    const [got, most] = [some, all].map(({ report }) => report.layers[0].weightSnr!)
    expect(most).toBeLessThan(36)
    expect(got).toBe(most)
  })
})

test('codes of products whose inputs stay in float32 are not narrow', async () => {
  const dims = [64, 64, 1, 1]
  const weights = Array.from({ length: 64 * 64 }, () => randomNormal(random))
  const file = writeOnnx(
    model({
      inputs: [valueInfo('x', 'float32', [1, 64, 12, 12])],
      outputs: [valueInfo('y', 'float32', null)],
      initializers: [tensorRecord('w', 'float32', weights, dims)],
      nodes: [node('GlobalAveragePool', ['x'], ['mean']), node('Conv', ['mean', 'w'], ['y'])],
    }),
  )
  const [some, all] = [await compress(file, 'int8'), await compress(file, { weights: 'int8', narrow: false })]
  expect(some.report.layers[0]).toMatchObject({ weightOnly: true })
  expect(some.report.layers[0].weightSnr).toBe(all.report.layers[0].weightSnr)
})
