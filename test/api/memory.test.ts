// SPDX-License-Identifier: Apache-2.0
/**
 * What a loaded model takes: its Wasm memory holds the weights, the planned arena, and little else. The promise is the
 * file's size and the arena, a tenth more, and a megabyte.
 */
import { describe, expect, it } from 'vitest'
import { Tensor, load } from '../../src/index.ts'
import { compressed } from '../models/compressed.ts'
import { dataPath, missingData, ocrModel } from '../models/data.ts'

const mnist = 'models/mnist/opt-mnist.onnx'
const withoutMnist = missingData(mnist)

const models: readonly (readonly [name: string, file: () => string, dims: readonly number[], skip: boolean])[] = [
  ['the recogniser', () => ocrModel('ch_PP-OCRv4_rec_infer.onnx'), [1, 3, 48, 320], false],
  ['the MNIST network', () => dataPath(mnist), [1, 1, 28, 28], withoutMnist !== undefined],
]

describe('Wasm memory after load', () => {
  for (const [name, file, dims, skip] of models) {
    it.skipIf(skip).each(['float32', 'int8', 'int4'])(
      `is at most file + arena + 10 % + 1 MB for ${name} (%s)`,
      async (recipe) => {
        const model = await compressed(file(), recipe)
        await using session = await load(model, { threads: 1 })
        const size = dims.reduce((product, dim) => product * dim, 1)
        await session.run({ [session.inputs[0].name]: new Tensor('float32', new Float32Array(size), dims) })
        const { memory } = await session.profile()
        expect(memory.total).toBeLessThanOrEqual((model.byteLength + memory.arena) * 1.1 + 2 ** 20)
      },
      120_000,
    )
  }
})
