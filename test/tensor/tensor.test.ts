// SPDX-License-Identifier: Apache-2.0
/** Tensors: what they accept, what they refuse, and that those of onnxruntime and ours stand in for each other. */
import { createRequire } from 'node:module'
import * as ort from 'onnxruntime-web'
import { beforeAll, describe, expect, it } from 'vitest'
import { readFileSync } from 'node:fs'
import { InputError } from '../../src/base/errors.ts'
import { load } from '../../src/index.ts'
import { Tensor } from '../../src/tensor/tensor.ts'
import { dataPath, missingData } from '../models/data.ts'

describe('a tensor', () => {
  it('keeps an array of its type without copying', () => {
    const data = Float32Array.of(1, 2)
    expect(new Tensor('float32', data, [2]).data).toBe(data)
  })
  it('converts numbers, bigints and booleans', () => {
    expect(new Tensor('int64', [1, 2n as unknown as number], [2]).data).toEqual(BigInt64Array.of(1n, 2n))
    expect(new Tensor('bool', [true, false], [2]).data).toEqual(Uint8Array.of(1, 0))
    expect(new Tensor('float32', [0.1], [1]).data).toEqual(Float32Array.of(0.1))
  })
  it('counts packed types by logical elements', () => {
    expect(new Tensor('int4', Uint8Array.of(1, 2), [3]).size).toBe(3)
  })
  it.each([
    ['an unknown type', () => new Tensor('float31' as 'float32', [1], [1])],
    ['no data', () => new Tensor('float32', null as never, [1])],
    ['no dims', () => new Tensor('float32', [1], null as never)],
    ['a negative dim', () => new Tensor('float32', [1], [-1])],
    ['a length that dims deny', () => new Tensor('float32', [1, 2], [3])],
    ['a fraction as an integer', () => new Tensor('int64', [1.5], [1])],
    ['a number out of range', () => new Tensor('uint8', [300], [1])],
    ['an array of another type', () => new Tensor('float32', Int32Array.of(1), [1])],
  ])('refuses %s', (_, make) => {
    expect(make).toThrow(InputError)
  })
})

const missing = missingData('models/mnist')

describe.skipIf(missing !== undefined)('between whittle and onnxruntime-web', () => {
  const path = dataPath('models/mnist/opt-mnist.onnx')
  const data = Float32Array.from({ length: 784 }, (_, i) => i % 251)
  beforeAll(() => {
    ort.env.wasm.numThreads = 1
    ort.env.wasm.wasmPaths = createRequire(import.meta.url)
      .resolve('onnxruntime-web')
      .replace(/[^/]+$/, '')
  })

  it('tensors of either run in the other', async () => {
    const theirs = await ort.InferenceSession.create(readFileSync(path), { executionProviders: ['wasm'] })
    const ours = await load(path, { threads: 1 })
    const [input] = ours.inputs
    const [output] = ours.outputs
    const a = await theirs.run({ [input.name]: new Tensor('float32', data, [1, 1, 28, 28]) as unknown as ort.Tensor })
    const b = await ours.run({ [input.name]: new ort.Tensor('float32', data, [1, 1, 28, 28]) as unknown as Tensor })
    const expected = a[output.name].data as Float32Array
    const got = b[output.name].data as Float32Array
    expect(got.length).toBe(expected.length)
    got.forEach((value, i) =>
      expect(Math.abs(value - expected[i])).toBeLessThan(1e-3 * Math.max(1, Math.abs(expected[i]))),
    )
    await ours.dispose()
    await theirs.release()
  })
})
