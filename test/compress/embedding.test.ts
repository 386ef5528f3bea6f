// SPDX-License-Identifier: Apache-2.0
/** Embeddings from end to end: the rows of a table become int8 with a scale each, and float32 when they are asked for. */
import { describe, expect, test } from 'vitest'
import { randomNormal, seededRandom } from '../../src/base/rng.ts'
import { type Compressed, compress } from '../../src/compress/compress.ts'
import { writeOnnx } from '../../src/format/onnx-write.ts'
import type { OnnxNode } from '../../src/format/onnx-records.ts'
import { load } from '../../src/index.ts'
import { fromContainer } from '../../src/model/from-container.ts'
import { Tensor } from '../../src/tensor/tensor.ts'
import { model, node, tensorRecord, valueInfo } from '../support/onnx.ts'

const [rows, width] = [500, 64]
const random = seededRandom(8)
const table = Float32Array.from({ length: rows * width }, (_, i) => (1 + (i % 7)) * randomNormal(random))

function modelOf(nodes: readonly OnnxNode[], dims: readonly number[] = [rows, width]): Uint8Array {
  return writeOnnx(
    model({
      inputs: [valueInfo('ids', 'int64', ['n', 't'])],
      outputs: [valueInfo('y', 'float32', null)],
      initializers: [
        tensorRecord('table', 'float32', Array.from(table), dims),
        tensorRecord('shape', 'int64', [-1n, BigInt(width)]),
      ],
      nodes,
    }),
  )
}

const plain = modelOf([node('Gather', ['table', 'ids'], ['y'], {}, { name: 'embed' })])
const ids = new Tensor('int64', BigInt64Array.from([0n, 7n, 499n, -1n, 250n, 7n]), [2, 3])

async function run(bytes: Uint8Array): Promise<{ y: Tensor; host: number; weights: number }> {
  await using session = await load(bytes, { threads: 1 })
  const { y } = await session.run({ ids })
  const { hostSteps, memory } = await session.profile()
  return { y, host: hostSteps.length, weights: memory.weights }
}

const opsOf = ({ model: bytes }: Compressed): string[] => fromContainer(bytes, 'model').graph.nodes.map(({ op }) => op)

describe('tables that are no embeddings', () => {
  const gathered = (cells: Float32Array, columns: number): Uint8Array =>
    writeOnnx(
      model({
        inputs: [valueInfo('ids', 'int64', ['n', 't'])],
        outputs: [valueInfo('y', 'float32', null)],
        initializers: [tensorRecord('table', 'float32', Array.from(cells), [cells.length / columns, columns])],
        nodes: [node('Gather', ['table', 'ids'], ['y'], {}, { name: 'pick' })],
      }),
    )

  test.each([
    [
      'boxes',
      gathered(
        Float32Array.from({ length: 8000 }, (_, i) => i * 3.7),
        4,
      ),
    ],
    [
      'a mask',
      gathered(
        Float32Array.from({ length: 4096 }, (_, i) => (i % 65 > i / 65 ? -Infinity : 0)),
        64,
      ),
    ],
  ])('stay as they are: %s', async (_, bytes) => {
    const result = await compress(bytes, 'int8')
    expect(opsOf(result)).toEqual(['Gather'])
  })
})

describe('embeddings in int8', () => {
  test.each(['int8', 'int4'])(
    'under %s keep their rows within half a percent of the largest, in a quarter of the room',
    async (preset) => {
      const result = await compress(plain, preset)
      expect(result.report.layers).toMatchObject([
        {
          node: 'embed',
          op: 'Gather',
          weight: 'table',
          dims: [rows, width],
          to: 'int8',
          bytesAfter: rows * (width + 4),
        },
      ])
      expect(opsOf(result)).toEqual(['whittle.QuantizedGather'])
      const [got, wanted] = [await run(result.model), await run(plain)]
      expect(got.y.dims).toEqual([2, 3, width])
      expect(got.host).toBe(0)
      expect(got.weights).toBeLessThan(0.3 * wanted.weights)
      const [a, b] = [got.y.data as Float32Array, wanted.y.data as Float32Array]
      for (let row = 0; row < 6; row++) {
        const [own, exact] = [a, b].map((data) => data.subarray(row * width, (row + 1) * width))
        const peak = exact.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
        // rounding, of which some goes the other way, and large values clipped
        const worst = own.reduce((most, value, i) => Math.max(most, Math.abs(value - exact[i])), 0)
        expect(worst).toBeLessThan(0.05 * peak)
        const squares = own.reduce((sum, value, i) => sum + (value - exact[i]) ** 2, 0)
        expect(Math.sqrt(squares / width)).toBeLessThan(0.005 * peak)
      }
    },
  )

  test('share their codes with the product that reads the same table', async () => {
    const tied = modelOf([
      node('Gather', ['table', 'ids'], ['e'], {}, { name: 'embed' }),
      node('Reshape', ['e', 'shape'], ['m']),
      node('Gemm', ['m', 'table'], ['y'], { transB: 1 }, { name: 'head' }),
    ])
    const result = await compress(tied, { weights: 'int8', block: 'channel' })
    expect(result.report.layers.map(({ to }) => to)).toEqual(['int8', 'int8'])
    expect(result.report.weightsAfter.int8).toBe(rows * width)
    const blocks = await compress(tied, 'int4')
    expect(blocks.report.layers.map(({ to }) => to)).toEqual(['int8', 'int4, blocks of 32'])
  })

  test('stay as they are where rows are not along the first axis, are few, or are excluded', async () => {
    const along = modelOf([node('Gather', ['table', 'ids'], ['y'], { axis: 1 })])
    expect(opsOf(await compress(along, 'int8'))).toEqual(['Gather'])
    const cubes = modelOf([node('Gather', ['table', 'ids'], ['y'])], [50, 10, 64])
    expect(opsOf(await compress(cubes, 'int8'))).toEqual(['Gather'])
    const { report } = await compress(plain, { weights: 'int8', exclude: ['table'] })
    expect(report.layers).toMatchObject([{ kept: 'excluded by the recipe' }])
    const { report: few } = await compress(plain, { weights: 'int8', minElements: 40_000 })
    expect(few.layers).toMatchObject([{ kept: 'fewer elements than minElements' }])
  })
})
