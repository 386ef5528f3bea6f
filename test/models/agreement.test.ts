// SPDX-License-Identifier: Apache-2.0
/**
 * The real models in float32 against ONNX Runtime's results: largest error over the largest absolute value at most
 * 1e-3, and next to nothing left to JavaScript.
 */
import { readFileSync } from 'node:fs'
import * as ort from 'onnxruntime-web'
import { beforeAll, describe, expect, it } from 'vitest'
import { seededRandom } from '../../src/base/rng.ts'
import { Tensor, load } from '../../src/index.ts'
import { dataPath, missingData, ocrModel } from './data.ts'

const missing = missingData('models/vad')

/** Largest error over the largest absolute value. */
function worst(actual: ArrayLike<number>, expected: ArrayLike<number>, floor = 0): number {
  let most = floor
  let error = 0
  for (let i = 0; i < expected.length; i++) {
    most = Math.max(most, Math.abs(expected[i]))
    error = Math.max(error, Math.abs(actual[i] - expected[i]))
  }
  return error / most
}

/** One of the models' sixteen-bit speech stand-ins: noise whose loudness rises and falls. */
function sound(length: number): Float32Array {
  const random = seededRandom(7)
  return Float32Array.from({ length }, (_, i) => (random() - 0.5) * Math.sin(i / 900) * 0.3)
}

describe.skipIf(missing !== undefined)('Silero voice activity', () => {
  const path = dataPath('models/vad/silero_vad_op18_ifless.onnx')
  const frame = 512
  const past = 64

  it.each([16000, 8000])('agrees with ONNX Runtime over frames at %i Hz, state fed back', async (rate) => {
    ort.env.wasm.numThreads = 1
    ort.env.logLevel = 'error'
    const size = rate === 16000 ? frame + past : (frame + past) / 2
    const wave = sound(frame * 12)
    const reference = await ort.InferenceSession.create(new Uint8Array(readFileSync(path)))
    await using session = await load(path, { threads: 1, profile: true })
    let own = new Tensor('float32', new Float32Array(256), [2, 1, 128])
    let theirs = new ort.Tensor('float32', new Float32Array(256), [2, 1, 128])
    for (let at = 0; at + size <= wave.length; at += frame) {
      const input = wave.slice(at, at + size)
      const sr = BigInt64Array.of(BigInt(rate))
      const outputs = await session.run({
        input: new Tensor('float32', input, [1, size]),
        sr: new Tensor('int64', sr, []),
        state: own,
      })
      const expected = await reference.run({
        input: new ort.Tensor('float32', input, [1, size]),
        sr: new ort.Tensor('int64', sr, []),
        state: theirs,
      })
      expect(worst(outputs.output.data as Float32Array, expected.output.data as Float32Array)).toBeLessThan(1e-3)
      expect(worst(outputs.stateN.data as Float32Array, expected.stateN.data as Float32Array)).toBeLessThan(1e-3)
      own = outputs.stateN as Tensor
      theirs = expected.stateN as typeof theirs
    }
    expect((await session.profile()).hostSteps.map(({ op }) => op)).toEqual([])
    await reference.release()
  })
})

describe.skipIf(missing !== undefined)('Universal Sentence Encoder Lite', () => {
  it('agrees with the reference embeddings, every step in Wasm', async () => {
    await using session = await load(dataPath('models/use-lite/use-lite.onnx'), { threads: 1, profile: true })
    const pairs = JSON.parse(readFileSync(dataPath('models/use-lite/stsb-dev.json'), 'utf8')) as {
      a: number[]
      b: number[]
    }[]
    const bytes = readFileSync(dataPath('models/use-lite/reference-embeddings-first16pairs.npy'))
    const header = 10 + bytes.readUInt16LE(8)
    const expected = new Float32Array(bytes.buffer.slice(bytes.byteOffset + header, bytes.byteOffset + bytes.length))
    const sentences = pairs.slice(0, 16).flatMap(({ a, b }) => [a, b])
    for (const [i, ids] of sentences.entries()) {
      const long = (values: number[]) => new Tensor('int64', BigInt64Array.from(values, BigInt), [1, values.length])
      const { embedding } = await session.run({ input_ids: long(ids), attention_mask: long(ids.map(() => 1)) })
      const row = expected.subarray(i * 512, (i + 1) * 512)
      expect(worst(embedding.data as Float32Array, row)).toBeLessThan(1e-3)
    }
    expect((await session.profile()).hostSteps).toEqual([])
  }, 60_000)
})

describe('PP-OCR detector and angle classifier', () => {
  beforeAll(() => {
    ort.env.wasm.numThreads = 1
    ort.env.logLevel = 'error'
  })

  it.each([
    ['ch_PP-OCRv4_det_infer.onnx', [1, 3, 64, 96]],
    ['ch_PP-OCRv4_det_infer.onnx', [1, 3, 32, 160]],
    ['ch_ppocr_mobile_v2.0_cls_infer.onnx', [1, 3, 48, 192]],
  ])('%s agrees with ONNX Runtime on an image of %j, every step in Wasm', async (name, dims) => {
    const file = new Uint8Array(readFileSync(ocrModel(name)))
    // dark strokes on a light page
    const [, , height, width] = dims
    const data = Float32Array.from({ length: 3 * height * width }, (_, i) => {
      const [y, x] = [Math.floor(i / width) % height, i % width]
      return y % 16 > 4 && y % 16 < 12 && x % 7 < 3 ? -1.5 : 1.8
    })
    const reference = await ort.InferenceSession.create(file)
    const expected = await reference.run({ x: new ort.Tensor('float32', data, dims) })
    await using session = await load(file, { threads: 1, profile: true })
    const outputs = await session.run({ x: new Tensor('float32', data, dims) })
    const [output] = session.outputs
    // probabilities: of 1
    expect(
      worst(outputs[output.name].data as Float32Array, expected[output.name].data as Float32Array, 1),
    ).toBeLessThan(1e-3)
    expect((await session.profile()).hostSteps).toEqual([])
    await reference.release()
  })
})
