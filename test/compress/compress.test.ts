// SPDX-License-Identifier: Apache-2.0
/** Compression from end to end, on a model of two products whose first is large. */
import { describe, expect, test } from 'vitest'
import { AbortError, FormatError, InputError, SourceError, StateError } from '../../src/base/errors.ts'
import { randomNormal, seededRandom } from '../../src/base/rng.ts'
import { type CompressProgress, compress } from '../../src/compress/compress.ts'
import { areNarrow } from '../../src/compress/quantize-weights.ts'
import { writeOnnx } from '../../src/format/onnx-write.ts'
import { load } from '../../src/index.ts'
import { fromContainer } from '../../src/model/from-container.ts'
import { Tensor } from '../../src/tensor/tensor.ts'
import { model, node, tensorRecord, valueInfo } from '../support/onnx.ts'

const random = seededRandom(9)
const normal = (length: number): number[] => Array.from({ length }, () => randomNormal(random))

const file = writeOnnx(
  model({
    inputs: [valueInfo('x', 'float32', ['n', 128])],
    outputs: [valueInfo('y', 'float32', ['n', 4])],
    initializers: [
      tensorRecord('large', 'float32', normal(128 * 96), [128, 96]),
      tensorRecord('small', 'float32', normal(96 * 4), [96, 4]),
    ],
    nodes: [
      node('MatMul', ['x', 'large'], ['h'], {}, { name: 'first' }),
      node('Relu', ['h'], ['r']),
      node('MatMul', ['r', 'small'], ['y'], {}, { name: 'second' }),
    ],
  }),
)
const x = new Tensor('float32', normal(3 * 128), [3, 128])

async function outputOf(bytes: Uint8Array): Promise<Float32Array> {
  await using session = await load(bytes, { threads: 1 })
  return (await session.run({ x })).y.data as Float32Array
}

describe('compress', () => {
  test('in float32 changes no output', async () => {
    const { model: plain, report } = await compress(file, 'float32')
    expect(await outputOf(plain)).toEqual(await outputOf(file))
    expect(report.layers.map(({ to, kept }) => [to, kept])).toEqual([
      ['float32', 'the recipe keeps float32'],
      ['float32', 'the recipe keeps float32'],
    ])
  })

  test('in int8 makes the file small and the outputs near', async () => {
    const { model: small, report } = await compress(file, 'int8')
    expect(small.byteLength).toBeLessThan(0.4 * file.byteLength)
    const [got, wanted] = [await outputOf(small), await outputOf(file)]
    const largest = Math.max(...wanted.map(Math.abs))
    expect(Math.max(...got.map((value, i) => Math.abs(value - wanted[i])))).toBeLessThan(0.03 * largest)
    expect(report).toMatchObject({ bytesBefore: file.byteLength, bytesAfter: small.byteLength })
    expect(report.layers.map(({ node: name }) => name)).toEqual(['first', 'second'])
    const [first] = report.layers
    expect(first).toMatchObject({ op: 'whittle.Gemm', dims: [96, 128], from: 'float32', bytesBefore: 4 * 96 * 128 })
    expect(first.bytesAfter).toBeLessThan(0.35 * first.bytesBefore)
    expect(first.weightSnr).toBeGreaterThan(35)
    expect(report.weightsAfter.int8).toBeGreaterThanOrEqual(96 * 128)
  })

  test.each(['channel', 32] as const)(
    'in int8 stores narrow codes where they are asked for, and says so: block %s',
    async (block) => {
      const { model: small } = await compress(file, { weights: 'int8', block, narrow: true })
      const { graph } = fromContainer(small)
      const products = graph.nodes.filter(({ op }) => op === 'whittle.DynamicQuantizeGemm')
      expect(products.length).toBeGreaterThan(0)
      for (const { attributes, inputs } of products) {
        const { dims, tensor } = graph.constants.get(inputs[1])!
        expect(attributes.narrow).toBe(1)
        expect(areNarrow(tensor!.data as Int8Array, dims[1])).toBe(true)
      }
    },
  )

  test('in int4 halves the weights of products again, and the outputs stay in sight', async () => {
    const { model: small, report } = await compress(file, 'int4')
    const [first] = report.layers
    expect(first).toMatchObject({ to: 'int4, blocks of 32', bytesAfter: (96 * 128) / 2 + 4 * 96 * (128 / 32) })
    const [got, wanted] = [await outputOf(small), await outputOf(file)]
    const largest = Math.max(...wanted.map(Math.abs))
    expect(Math.max(...got.map((value, i) => Math.abs(value - wanted[i])))).toBeLessThan(0.25 * largest)
  })

  test('keeps the recipe, the source and the sizes in the file', async () => {
    const { model: small, report } = await compress(file, { weights: 'int8', name: 'mine' })
    const { metadata } = fromContainer(small, 'model')
    expect(metadata).toMatchObject({ producer: 'whittle', recipe: report.recipe, weightsAfter: report.weightsAfter })
    expect(report.recipe.name).toBe('mine')
  })

  test('leaves layers alone that the recipe excludes, by their name or their weight’s, and small ones', async () => {
    const kept = async (recipe: object): Promise<(string | undefined)[]> =>
      (await compress(file, { weights: 'int8', ...recipe })).report.layers.map((layer) => layer.kept)
    expect(await kept({ exclude: ['second'] })).toEqual([undefined, 'excluded by the recipe'])
    const { report } = await compress(file, 'int8')
    expect(await kept({ exclude: [report.layers[0].weight] })).toContain('excluded by the recipe')
    expect(await kept({ minElements: 1000 })).toEqual([undefined, 'fewer elements than minElements'])
  })

  test('takes calibration data, which brings the mean of the outputs nearer', async () => {
    const means = normal(128).map((value) => 4 * value)
    const near = normal(64 * 128).map((value, i) => means[i % 128] + 0.1 * value)
    const calibration = [{ x: new Tensor('float32', near, [64, 128]) }]
    const { model: plain } = await compress(file, 'int8')
    const { model: corrected } = await compress(file, 'int8', { calibration })
    const drift = async (bytes: Uint8Array): Promise<number> => {
      await using a = await load(file, { threads: 1 })
      await using b = await load(bytes, { threads: 1 })
      const [wanted, got] = [(await a.run(calibration[0])).y, (await b.run(calibration[0])).y]
      const sums = new Float64Array(4)
      got.data.forEach((value, i) => (sums[i % 4] += Number(value) - Number(wanted.data[i])))
      return Math.hypot(...sums)
    }
    expect(await drift(corrected)).toBeLessThan(0.7 * (await drift(plain)))
    await expect(compress(file, 'int8', { calibration: [] })).rejects.toThrow(InputError)
  })

  test('tells its phases in order and ends when the signal is raised', async () => {
    const events: CompressProgress[] = []
    await compress(file, 'int8', { onProgress: (event) => events.push(event) })
    expect(events.map(({ phase }) => phase)).toEqual(['read', 'optimise', 'compress', 'write', 'write'])
    expect(events.map(({ loaded, total }) => loaded / total)).toEqual([0, 0.25, 0.5, 0.75, 1])
    const controller = new AbortController()
    const onProgress = ({ phase }: CompressProgress): void => (phase === 'compress' ? controller.abort() : undefined)
    await expect(compress(file, 'int8', { onProgress, signal: controller.signal })).rejects.toThrow(AbortError)
    await expect(compress(file, 'int8', { signal: AbortSignal.abort() })).rejects.toThrow(AbortError)
  })

  test('optimises a .whittle file further, but not one that is quantised', async () => {
    const { model: plain } = await compress(file, 'float32')
    const { model: small } = await compress(plain, 'int8')
    expect(await outputOf(small)).toEqual(await outputOf((await compress(file, 'int8')).model))
    await expect(compress(small, 'int8')).rejects.toThrow(StateError)
  })

  test('says what is wrong with a source or a recipe', async () => {
    await expect(compress('/no/such/model.onnx', 'int8')).rejects.toThrow(SourceError)
    await expect(compress(file.slice(0, -9), 'int8')).rejects.toThrow(FormatError)
    await expect(compress(file, 'tiny')).rejects.toThrow(InputError)
    await expect(compress(file, { disablePasses: ['fold-nothing'] })).rejects.toThrow(InputError)
  })
})
