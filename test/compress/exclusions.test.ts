// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest'
import { randomNormal, seededRandom } from '../../src/base/rng.ts'
import { compress } from '../../src/compress/compress.ts'
import { writeOnnx } from '../../src/format/onnx-write.ts'
import { model, node, tensorRecord, valueInfo } from '../support/onnx.ts'

const random = seededRandom(17)
const weight = (name: string, dims: number[]) =>
  tensorRecord(
    name,
    'float32',
    Array.from({ length: dims.reduce((a, b) => a * b) }, () => randomNormal(random)),
    dims,
  )

/** Two convolutions, one's name the beginning of the other's, and two products of the flattened image. */
const file = writeOnnx(
  model({
    inputs: [valueInfo('x', 'float32', [1, 16, 4, 4])],
    outputs: [valueInfo('y', 'float32', null)],
    initializers: [
      weight('conv2d_1.w_0', [16, 16, 3, 3]),
      weight('conv2d_1.w_01', [16, 16, 3, 3]),
      weight('fc.weight', [64, 256]),
      weight('last', [64, 64]),
    ],
    nodes: [
      node('Conv', ['x', 'conv2d_1.w_0'], ['a'], { pads: [1, 1, 1, 1] }, { name: 'first' }),
      node('Conv', ['a', 'conv2d_1.w_01'], ['b'], { pads: [1, 1, 1, 1] }, { name: '/second' }),
      node('Flatten', ['b'], ['c']),
      node('Gemm', ['c', 'fc.weight'], ['d'], { transB: 1 }, { name: 'third' }),
      node('MatMul', ['d', 'last'], ['y'], {}, { name: 'fourth' }),
    ],
  }),
)

/** Layers that stay as they are with these exclusions. */
async function keptBy(...exclude: string[]): Promise<string[]> {
  const { report } = await compress(file, { weights: 'int8', keepShallow: false, exclude })
  return report.layers.flatMap(({ node: name, kept }) => (kept === 'excluded by the recipe' ? [name] : []))
}

describe('an exclusion', () => {
  test.each([
    ['a Conv', 'conv2d_1.w_0', 'first'],
    ['a Gemm behind a flattened image', 'fc.weight', 'third'],
    ['a MatMul', 'last', 'fourth'],
  ])('may name the weight of %s as the .onnx file does', async (_, name, layer) => {
    expect(await keptBy(name)).toEqual([layer])
  })

  test('may name a layer, or its weight as the report does', async () => {
    expect(await keptBy('/second', 'last/rows')).toEqual(['/second', 'fourth'])
  })

  test.each(['conv2d_1', 'fc', 'last/', 'last/columns', ''])(
    'that is no whole name is an error: "%s"',
    async (name) => {
      await expect(keptBy(name)).rejects.toThrow(/^recipe\.exclude\.0: expected the name of a layer or of its weight/)
    },
  )
})
