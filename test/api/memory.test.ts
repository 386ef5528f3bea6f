// SPDX-License-Identifier: Apache-2.0
/**
 * What a loaded model takes: its Wasm memory holds the weights, the planned arena, and little else. The promise is the
 * file's size and the arena, a tenth more, and a megabyte.
 */
import { describe, expect, it } from 'vitest'
import { type LoadOptions, Tensor, load } from '../../src/index.ts'
import { productInput, productModel } from '../../bench/models/operators.ts'
import { compress } from '../../src/compress/compress.ts'
import { compressed } from '../models/compressed.ts'
import { dataPath, missingData, ocrModel } from '../models/data.ts'

const mnist = 'models/mnist/opt-mnist.onnx'
const withoutMnist = missingData(mnist)

const realModels: readonly (readonly [name: string, file: () => string, dims: readonly number[], skip: boolean])[] = [
  ['the recogniser', () => ocrModel('ch_PP-OCRv4_rec_infer.onnx'), [1, 3, 48, 320], false],
  ['the MNIST network', () => dataPath(mnist), [1, 1, 28, 28], withoutMnist !== undefined],
]

describe('Wasm memory after load', () => {
  for (const [name, file, dims, skip] of realModels) {
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

  // compressed rows that run dense hold their zeros: here the file says what runs
  it.each(['float32', 'int8', 'int4', 'sparse-90', 'sparse-block-75'])(
    'is at most file + arena + 10 % + 1 MB for one large product (%s)',
    async (recipe) => {
      expect(await excessOf(await made(recipe), { deterministic: true })).toBeLessThanOrEqual(0)
    },
    60_000,
  )

  it('is at most file + arena + 10 % + 1 MB for one large product of an .onnx file', async () => {
    expect(await excessOf(product, {})).toBeLessThanOrEqual(0)
  })
})

const shape = { m: 1, k: 1000, n: 1501 }
const product = productModel('MatMul', shape)
const models = new Map<string, Promise<Uint8Array>>()

/** The product compressed, once for all tests. */
function made(recipe: string): Promise<Uint8Array> {
  const known = models.get(recipe) ?? compress(product, recipe).then(({ model }) => model)
  models.set(recipe, known)
  return known
}

/** Bytes above the promise, after a run. */
async function excessOf(model: Uint8Array, options: LoadOptions): Promise<number> {
  await using session = await load(model, { threads: 1, ...options })
  await session.run({ x: new Tensor('float32', productInput(shape), [1, shape.k]) })
  const { memory } = await session.profile()
  return memory.total - (model.byteLength + memory.arena) * 1.1 - 2 ** 20
}

describe('A large product, whose weights are packed in parts', () => {
  it.each([
    ['float32', 1e-4],
    ['int8', 0.02],
    ['int4', 0.2],
  ] as const)(
    'is what its .onnx file computes (%s), in every column',
    async (recipe, tolerance) => {
      const x = productInput(shape)
      const feeds = { x: new Tensor('float32', x, [1, shape.k]) }
      await using plain = await load(product, { threads: 1 })
      await using other = await load(await made(recipe), { threads: 1 })
      const [y, z] = [(await plain.run(feeds)).y, (await other.run(feeds)).y].map(({ data }) => data as Float32Array)
      const size = Math.sqrt(y.reduce((sum, v) => sum + v * v, 0) / y.length)
      expect(Math.max(...y.map((v, i) => Math.abs(v - z[i])))).toBeLessThan(tolerance * 4 * size)
      expect(y.length).toBe(shape.n)
    },
    60_000,
  )
})
