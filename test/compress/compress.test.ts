// SPDX-License-Identifier: Apache-2.0
/** Compression from end to end, on a model of two products whose first is large. */
import { describe, expect, test } from 'vitest'
import { AbortError, FormatError, InputError, SourceError, StateError } from '../../src/base/errors.ts'
import { randomNormal, seededRandom } from '../../src/base/rng.ts'
import { type CompressProgress, compress } from '../../src/compress/compress.ts'
import { areNarrow, signalToNoise } from '../../src/compress/quantize-weights.ts'
import type { Recipe } from '../../src/compress/recipe.ts'

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
    'in int8 stores narrow codes unless asked not to, and says so: block %s',
    async (block) => {
      const wide = fromContainer((await compress(file, { weights: 'int8', block, narrow: false })).model)
      expect(wide.graph.nodes.some(({ attributes }) => attributes.narrow === 1)).toBe(false)
      const { model: small } = await compress(file, { weights: 'int8', block })
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

  test('complains of exclusions that no layer has, and names the nearest', async () => {
    const message = /^recipe\.exclude\.1: expected the name of a layer .*, got "secnd"; the nearest are "second", /
    await expect(compress(file, { weights: 'int8', exclude: ['first', 'secnd'] })).rejects.toThrow(message)
    await expect(compress(file, { weights: 'float32', exclude: ['x'] })).rejects.toThrow(InputError)
  })

  test('leaves layers alone that the recipe excludes, by their name or their weight’s, and small ones', async () => {
    const kept = async (recipe: object): Promise<(string | undefined)[]> =>
      (await compress(file, { weights: 'int8', ...recipe })).report.layers.map((layer) => layer.kept)
    expect(await kept({ exclude: ['second'] })).toEqual([undefined, 'excluded by the recipe'])
    const { report } = await compress(file, 'int8')
    expect(await kept({ exclude: [report.layers[0].weight] })).toContain('excluded by the recipe')
    expect(await kept({ minElements: 1000 })).toEqual([undefined, 'fewer elements than minElements'])
  })

  test('says by which inputs it rounded', async () => {
    const roundedBy = async (recipe: Recipe, source = file) => (await compress(source, recipe)).report.roundedBy
    expect(await roundedBy({ weights: 'int8' })).toEqual({ inputs: 'synthetic' })
    expect(await roundedBy({ weights: 'float32' })).toEqual({ inputs: 'none', reason: 'no layer is rounded' })
    const plain: Recipe = { weights: 'int8', rounding: 'nearest', equalize: false }
    expect(await roundedBy(plain)).toEqual({ inputs: 'none', reason: 'the recipe wants none' })
    const calibration = [{ x: new Tensor('float32', normal(64 * 128), [64, 128]) }]
    expect((await compress(file, plain, { calibration })).report.roundedBy).toEqual({ inputs: 'calibration' })
    // the made-up row of 0 and 1 is no shape of what it shapes
    const picky = writeOnnx(
      model({
        inputs: [valueInfo('x', 'float32', ['n', 128]), valueInfo('shape', 'int64', [2])],
        outputs: [valueInfo('y', 'float32', null)],
        initializers: [tensorRecord('w', 'float32', Array.from(normal(128 * 64)), [128, 64])],
        nodes: [node('MatMul', ['x', 'w'], ['h']), node('Reshape', ['h', 'shape'], ['y'])],
      }),
    )
    expect(await roundedBy({ weights: 'int8' }, picky)).toMatchObject({
      inputs: 'none',
      reason: expect.stringContaining('does not run on made-up inputs') as string,
    })
  })

  test('rounds by inputs: less of the outputs is lost where these go together, and where few are large', async () => {
    const mixture = normal(4 * 128)
    const rows = (count: number) => {
      const sources = normal(count * 4)
      const own = normal(count * 128)
      const x = own.map((value, i) => {
        const [row, channel] = [Math.floor(i / 128), i % 128]
        let sum = 0.1 * value
        for (let j = 0; j < 4; j++) sum += sources[row * 4 + j] * mixture[j * 128 + channel]
        return channel === 9 || channel === 77 ? 30 * sum : sum
      })
      return { x: new Tensor('float32', x, [count, 128]) }
    }
    const calibration = [rows(256)]
    const seen = rows(64)
    const source = writeOnnx(
      model({
        inputs: [valueInfo('x', 'float32', ['n', 128])],
        outputs: [valueInfo('y', 'float32', ['n', 64])],
        initializers: [tensorRecord('w', 'float32', Array.from(normal(128 * 64)), [128, 64])],
        nodes: [node('MatMul', ['x', 'w'], ['y'])],
      }),
    )
    const noise = async (recipe: Recipe): Promise<[number, unknown]> => {
      const { model: small, report } = await compress(source, { weights: 'int8', ...recipe }, { calibration })
      await using a = await load(source, { threads: 1 })
      await using b = await load(small, { threads: 1 })
      const [wanted, got] = [(await a.run(seen)).y, (await b.run(seen)).y]
      const decibels = signalToNoise(wanted.data as Float32Array, got.data as Float32Array)
      return [decibels, report.layers[0].equalized]
    }
    const [plain, plainly] = await noise({ rounding: 'nearest', equalize: false })
    const [equalized, divided] = await noise({ rounding: 'nearest' })
    const [both] = await noise({})
    expect([plainly, divided]).toEqual([undefined, true])
    expect(equalized).toBeGreaterThan(plain + 3)
    expect(both).toBeGreaterThan(equalized)
  })

  test('gates multiply the mean of an image as it is: the same as of weights alone', async () => {
    const source = writeOnnx(
      model({
        inputs: [valueInfo('x', 'float32', ['n', 64, 'h', 'w'])],
        outputs: [valueInfo('y', 'float32', ['n', 64, 'h', 'w']), valueInfo('gate', 'float32', ['n', 64, 1, 1])],
        initializers: [
          tensorRecord('own', 'float32', normal(64 * 64), [64, 64, 1, 1]),
          tensorRecord('squeeze', 'float32', normal(64 * 64), [64, 64, 1, 1]),
          tensorRecord('excite', 'float32', normal(64 * 64), [64, 64, 1, 1]),
        ],
        nodes: [
          node('Conv', ['x', 'own'], ['h'], {}, { name: 'own' }),
          node('GlobalAveragePool', ['h'], ['mean']),
          node('Conv', ['mean', 'squeeze'], ['few'], {}, { name: 'squeeze' }),
          node('Relu', ['few'], ['positive']),
          node('Conv', ['positive', 'excite'], ['gate'], {}, { name: 'excite' }),
          node('Mul', ['h', 'gate'], ['y']),
        ],
      }),
    )
    const { model: small, report } = await compress(source, 'int8')
    const said = report.layers.map(({ node: name, to, weightOnly }) => [name, to.slice(0, 4), weightOnly])
    expect(said).toEqual([
      ['own', 'int8', undefined],
      ['squeeze', 'int8', true],
      ['excite', 'int8', true],
    ])
    await using session = await load(small, { threads: 1, profile: true })
    await session.run({ x: new Tensor('float32', normal(64 * 30), [1, 64, 5, 6]) })
    const { steps, hostSteps } = await session.profile()
    expect(hostSteps).toEqual([])
    expect(steps.filter(({ kernel }) => kernel === 'gemm_s8_scaled_f32')).toHaveLength(2)
  })

  test.each([
    ['GlobalAveragePool and Flatten', [node('GlobalAveragePool', ['x'], ['m']), node('Flatten', ['m'], ['mean'])]],
    ['ReduceMean', [node('ReduceMean', ['x'], ['mean'], { axes: [3, 2], keepdims: 0 })]],
    ['ReduceMean and Squeeze', [node('ReduceMean', ['x'], ['m'], { axes: [-1, -2] }), node('Squeeze', ['m'], ['mean'], { axes: [2, 3] })]], // oxfmt-ignore
  ])('gates are found as linear layers behind %s, and their files are compressed but once', async (_, mean) => {
    const source = writeOnnx(
      model(
        {
          inputs: [valueInfo('x', 'float32', ['n', 64, 'h', 'w'])],
          outputs: [valueInfo('gate', 'float32', ['n', 64])],
          initializers: ['squeeze', 'excite'].map((name) => tensorRecord(name, 'float32', normal(64 * 64), [64, 64])),
          nodes: [
            ...mean,
            node('Gemm', ['mean', 'squeeze'], ['few'], { transB: 1 }),
            node('Relu', ['few'], ['positive']),
            node('Gemm', ['positive', 'excite'], ['own'], { transB: 1 }),
            node('Sigmoid', ['own'], ['gate']),
          ],
        },
        11,
      ),
    )
    const { model: small, report } = await compress(source, 'int8')
    expect(report.layers.map(({ weightOnly }) => weightOnly)).toEqual([true, true])
    await expect(compress(small, 'int8')).rejects.toThrow(StateError)
  })

  test('takes no name that the model has, and each node’s own inputs where a weight is shared', async () => {
    const shift = normal(64).map((value) => 3 * value)
    const source = writeOnnx(
      model({
        inputs: [valueInfo('x', 'float32', ['n', 128])],
        outputs: [valueInfo('y', 'float32', ['n', 64]), valueInfo('z', 'float32', ['n', 64])],
        initializers: [
          tensorRecord('w', 'float32', Array.from(normal(128 * 64)), [128, 64]),
          tensorRecord('dense/bias', 'float32', shift, [64]),
          tensorRecord('forty', 'float32', [40], [1]),
        ],
        nodes: [
          node('MatMul', ['x', 'w'], ['h'], {}, { name: 'dense' }),
          node('Softplus', ['h'], ['s']),
          node('Mul', ['s', 'dense/bias'], ['y']),
          node('Add', ['x', 'forty'], ['far']),
          node('MatMul', ['far', 'w'], ['z'], {}, { name: 'second' }),
        ],
      }),
    )
    const feeds = (first: number) => {
      const numbers = Float32Array.from(normal(100 * 128))
      numbers[0] = first
      return { x: new Tensor('float32', numbers, [100, 128]) }
    }
    const seen = feeds(0)
    await using a = await load(source, { threads: 1 })
    const wanted = await a.run(seen)
    // infinite numbers say nothing of a mean
    for (const calibration of [[feeds(1)], [feeds(-Infinity)]]) {
      await using b = await load((await compress(source, 'int8', { calibration })).model, { threads: 1 })
      const got = await b.run(seen)
      for (const name of ['y', 'z'])
        expect(signalToNoise(wanted[name].data as Float32Array, got[name].data as Float32Array)).toBeGreaterThan(35)
    }
  })

  test('makes the same file of a model each time', async () => {
    expect((await compress(file, 'int8')).model).toEqual((await compress(file, 'int8')).model)
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
