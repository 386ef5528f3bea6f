// SPDX-License-Identifier: Apache-2.0
/** Transposed convolutions from end to end: a decoder of two, whose weights become int8 as those of convolutions do. */
import { beforeAll, describe, expect, test } from 'vitest'
import { randomNormal, seededRandom } from '../../src/base/rng.ts'
import { type Compressed, compress } from '../../src/compress/compress.ts'
import { writeOnnx } from '../../src/format/onnx-write.ts'
import { type Session, load } from '../../src/index.ts'
import { Tensor } from '../../src/tensor/tensor.ts'
import { model, node, tensorRecord, valueInfo } from '../support/onnx.ts'

const random = seededRandom(3)
const normal = (length: number, scale = 1): number[] => Array.from({ length }, () => scale * randomNormal(random))

const file = writeOnnx(
  model({
    inputs: [valueInfo('x', 'float32', ['n', 64, 'h', 'w'])],
    outputs: [valueInfo('y', 'float32', null)],
    initializers: [
      tensorRecord('even', 'float32', normal(64 * 64 * 4 * 4, 0.06), [64, 64, 4, 4]),
      tensorRecord('odd', 'float32', normal(64 * 24 * 3 * 3, 0.08), [64, 24, 3, 3]),
      tensorRecord('b', 'float32', normal(64), [64]),
    ],
    nodes: [
      node('ConvTranspose', ['x', 'even', 'b'], ['h'], { strides: [2, 2], pads: [1, 1, 1, 1] }, { name: 'first' }),
      node('Relu', ['h'], ['r']),
      node('ConvTranspose', ['r', 'odd'], ['y'], { strides: [2, 2], pads: [1, 1, 1, 1], output_padding: [1, 1] }),
    ],
  }),
)
const x = new Tensor('float32', normal(2 * 64 * 7 * 9), [2, 64, 7, 9])

async function withSession<T>(bytes: Uint8Array, use: (session: Session) => Promise<T>): Promise<T> {
  await using session = await load(bytes, { threads: 1 })
  return await use(session)
}

const outputOf = (bytes: Uint8Array): Promise<Tensor> => withSession(bytes, async (s) => (await s.run({ x })).y)

describe('transposed convolutions in int8', () => {
  let plain: Compressed
  let small: Compressed
  beforeAll(async () => {
    plain = await compress(file, { weights: 'float32', disablePasses: ['lower-conv-transpose'] })
    small = await compress(file, 'int8')
  })

  test('hold a byte for each weight, one scale for each channel and place', () => {
    const { layers } = small.report
    expect(layers.map(({ to, kept }) => kept ?? to)).toEqual(layers.map(() => 'int8'))
    expect(layers[0]).toMatchObject({ node: 'first', dims: [4 * 64, 2, 2, 64] })
    const weights = 64 * 64 * 16 + 64 * 24 * 9
    expect(small.report.weightsAfter.int8).toBe(weights)
    expect(small.report.weightsAfter.float32).toBe(4 * (4 * 64 + 4 * 24 + 4 * 64))
    expect(small.model.byteLength).toBeLessThan(0.3 * file.byteLength)
  })

  test('give what float32 gives within 2 % of the largest, whatever the size of the image', async () => {
    const [got, wanted] = [await outputOf(small.model), await outputOf(plain.model)]
    expect(got.dims).toEqual([2, 24, 28, 36])
    const [a, b] = [got.data as Float32Array, wanted.data as Float32Array]
    const largest = b.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
    expect(a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0)).toBeLessThan(0.02 * largest)
  })

  test('run on kernels alone', async () => {
    const profile = await withSession(small.model, async (session) => {
      await session.run({ x })
      return session.profile()
    })
    expect(profile.hostSteps).toEqual([])
    expect(new Set(profile.steps.map(({ op }) => op))).toContain('whittle.DynamicQuantizeConv')
  })

  test('in float32 give the operator’s own numbers within 1e-5', async () => {
    const [got, wanted] = [await outputOf((await compress(file, 'float32')).model), await outputOf(plain.model)]
    const [a, b] = [got.data as Float32Array, wanted.data as Float32Array]
    const largest = b.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
    expect(a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0)).toBeLessThan(1e-5 * largest)
  })

  test('take calibration data', async () => {
    const { report } = await compress(file, 'int8', { calibration: [{ x }] })
    expect(report.layers.every(({ to }) => to === 'int8')).toBe(true)
  })

  test('of stride 1 keep their dilation, in int8 within 2 % of the largest', async () => {
    const dilated = writeOnnx(
      model({
        inputs: [valueInfo('x', 'float32', ['n', 64, 'h', 'w'])],
        outputs: [valueInfo('y', 'float32', null)],
        initializers: [tensorRecord('w', 'float32', normal(64 * 24 * 3 * 3, 0.08), [64, 24, 3, 3])],
        nodes: [node('ConvTranspose', ['x', 'w'], ['y'], { dilations: [2, 2], pads: [2, 2, 2, 2] })],
      }),
    )
    const { model: file8, report } = await compress(dilated, 'int8')
    expect(report.layers).toMatchObject([{ to: 'int8', dims: [24, 3, 3, 64] }])
    const own = await compress(dilated, { weights: 'float32', disablePasses: ['lower-conv-transpose'] })
    const [got, wanted] = [await outputOf(file8), await outputOf(own.model)]
    expect(got.dims).toEqual([2, 24, 7, 9])
    const [a, b] = [got.data as Float32Array, wanted.data as Float32Array]
    const largest = b.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
    expect(a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0)).toBeLessThan(0.02 * largest)
  })
})
