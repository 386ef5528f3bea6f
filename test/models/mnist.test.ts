// SPDX-License-Identifier: Apache-2.0
/** The MNIST CNN on the 10,000 test images: accuracy in float32 and int8, and not one step in JavaScript. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { compress } from '../../src/compress.ts'
import { type Session, Tensor, load } from '../../src/index.ts'
import { dataPath, missingData, readGzip } from './data.ts'

const missing = missingData('models/mnist')

/** Header bytes of the IDX files (yann.lecun.com/exdb/mnist). */
const IMAGES_HEADER = 16
const LABELS_HEADER = 8
const PIXELS = 28 * 28

async function correct(session: Session, images: Uint8Array, labels: Uint8Array): Promise<number> {
  let hits = 0
  const [input] = session.inputs
  const [output] = session.outputs
  for (let i = 0; i < labels.length; i++) {
    const data = Float32Array.from(images.subarray(i * PIXELS, (i + 1) * PIXELS))
    const { [output.name]: logits } = await session.run({ [input.name]: new Tensor('float32', data, [1, 1, 28, 28]) })
    const scores = logits.data as Float32Array
    if (scores.indexOf(Math.max(...scores)) === labels[i]) hits++
  }
  return hits
}

describe.skipIf(missing !== undefined)('MNIST CNN', () => {
  const path = dataPath('models/mnist/opt-mnist.onnx')
  const read = () => {
    const images = readGzip('models/mnist/t10k-images-idx3-ubyte.gz').subarray(IMAGES_HEADER)
    return { images, labels: readGzip('models/mnist/t10k-labels-idx1-ubyte.gz').subarray(LABELS_HEADER) }
  }

  it('scores 98.91 % +- 0.05 in float32, with every step in Wasm', async () => {
    const { images, labels } = read()
    await using session = await load(path, { threads: 1, profile: true })
    expect(Math.abs((await correct(session, images, labels)) - 9891)).toBeLessThanOrEqual(5)
    expect((await session.profile()).hostSteps).toEqual([])
  }, 120_000)

  it('loses at most 0.1 point in int8, with every step in Wasm', async () => {
    const { images, labels } = read()
    const { model } = await compress(new Uint8Array(readFileSync(path)), 'int8')
    await using session = await load(model, { threads: 1, profile: true })
    expect(await correct(session, images, labels)).toBeGreaterThanOrEqual(9891 - 10)
    expect((await session.profile()).hostSteps).toEqual([])
  }, 120_000)
})
