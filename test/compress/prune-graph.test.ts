// SPDX-License-Identifier: Apache-2.0
/** Sparse presets: what stays is computed as a dense product of the pruned weights would be. */
import { describe, expect, test } from 'vitest'
import { randomNormal, seededRandom } from '../../src/base/rng.ts'
import { compressGraph } from '../../src/compress/compress.ts'
import { denseOfBlocks, denseOfRows, pruneWeights } from '../../src/compress/prune-weights.ts'
import { areNarrow } from '../../src/compress/quantize-weights.ts'
import type { Recipe } from '../../src/compress/recipe.ts'
import { writeOnnx } from '../../src/format/onnx-write.ts'
import { load } from '../../src/index.ts'
import { Tensor } from '../../src/tensor/tensor.ts'
import { model, node, tensorRecord, valueInfo } from '../support/onnx.ts'

const random = seededRandom(5)
const normal = (length: number): number[] => Array.from({ length }, () => randomNormal(random))
const [m, k, n] = [40, 128, 72]
const rows = Float32Array.from(normal(n * k))
const x = new Tensor('float32', normal(m * k), [m, k])

/** x times the rows' transpose, as ONNX has it: the weight is [K, N]. */
function file(weight: Float32Array): Uint8Array {
  const columns = Array.from({ length: k * n }, (_, i) => weight[(i % n) * k + Math.floor(i / n)])
  return writeOnnx(
    model({
      inputs: [valueInfo('x', 'float32', ['m', k])],
      outputs: [valueInfo('y', 'float32', ['m', n])],
      initializers: [tensorRecord('w', 'float32', columns, [k, n])],
      nodes: [node('MatMul', ['x', 'w'], ['y'])],
    }),
  )
}

async function outputOf(bytes: Uint8Array): Promise<Float32Array> {
  await using session = await load(bytes, { threads: 1, profile: true })
  const { y } = await session.run({ x })
  expect((await session.profile()).hostSteps).toEqual([])
  return y.data as Float32Array
}

function distance(a: Float32Array, b: Float32Array): number {
  return Math.max(...a.map((value, i) => Math.abs(value - b[i]))) / Math.max(...b.map(Math.abs))
}

test('sparse-90 computes with a tenth of the weights, the greatest', async () => {
  const { model: sparse, report } = await compressGraph(file(rows), 'sparse-90')
  expect(report.layers.map(({ to }) => to)).toEqual(['float32, sparse rows'])
  const dense = denseOfRows(pruneWeights(rows, n, 0.9), n, k)
  expect(distance(await outputOf(sparse), await outputOf(file(dense)))).toBeLessThan(1e-5)
})

test('sparse-block-75 keeps a quarter of the blocks in int8', async () => {
  const { model: sparse, report, graphs } = await compressGraph(file(rows), 'sparse-block-75')
  expect(report.layers.map(({ to }) => to)).toEqual(['int8, sparse blocks'])
  const values = [...graphs.after.constants].find(([name]) => name.endsWith('/values'))![1]
  expect(values.dims).toEqual([(n / 8) * (k / 8) * 0.25, 8, 8])
  const got = await outputOf(sparse)
  expect(got.every(Number.isFinite)).toBe(true)
  expect(report.bytesAfter).toBeLessThan(0.2 * report.bytesBefore + 6000)
})

test.each([
  ['block', true],
  ['block', false],
  ['unstructured', true],
  ['unstructured', false],
] as const)('int8 codes of %s zeros are narrow where the recipe says so: %s', async (kind, narrow) => {
  // neighbours of one sign near the largest, which whole codes do not keep below 128 together
  const alike = rows.map((value) => 4 + Math.abs(value))
  const recipe = { weights: 'int8', narrow, sparse: { kind, sparsity: 0.25 } } as const
  const { graphs } = await compressGraph(file(alike), recipe)
  const [layer] = graphs.after.nodes
  const [values, depths, starts] = layer.inputs
    .slice(1, 4)
    .map((name) => graphs.after.constants.get(name)!.tensor!.data)
  const stored = {
    values: Float32Array.from(values as Int8Array),
    depths: depths as Int32Array,
    starts: starts as Int32Array,
  }
  const dense = kind === 'block' ? denseOfBlocks(stored, n, k) : denseOfRows(stored, n, k)
  const degree = kind === 'block' ? 2 : 1
  expect(areNarrow(Int8Array.from(dense), k, degree)).toBe(narrow)
  expect(layer.attributes.narrow).toBe(narrow ? degree : undefined)
})

test('with int8 weights single values are kept in int8, and what rounds to zero is not stored', async () => {
  const recipe = { weights: 'int8', sparse: { kind: 'unstructured', sparsity: 0.9 } } as const
  const { model: sparse, report, graphs } = await compressGraph(file(rows), recipe)
  expect(report.layers.map(({ to }) => to)).toEqual(['int8, sparse rows'])
  const { tensor } = [...graphs.after.constants].find(([name]) => name.endsWith('/values'))![1]
  expect(tensor!.type).toBe('int8')
  expect(Array.from(tensor!.data as Int8Array)).not.toContain(0)
  expect(tensor!.size).toBeLessThanOrEqual(Math.round(n * k * 0.1))
  const dense = denseOfRows(pruneWeights(rows, n, 0.9), n, k)
  const [got, exact] = [await outputOf(sparse), await outputOf(file(dense))]
  expect(distance(got, exact)).toBeLessThan(0.03)
})

test('the file says how to multiply where nothing is measured: by all weights when few are zero', async () => {
  const formOf = async (sparsity: number) => {
    const { graphs } = await compressGraph(file(rows), { sparse: { kind: 'unstructured', sparsity } })
    return graphs.after.nodes[0].attributes.form
  }
  expect([await formOf(0.95), await formOf(0.2)]).toEqual(['sparse', 'dense'])
})

describe('products so deep that sums of bytes with one scale do not fit 32 bits', () => {
  const [depth, outputs] = [65_024, 4]
  const deep = writeOnnx(
    model({
      inputs: [valueInfo('x', 'float32', [1, depth])],
      outputs: [valueInfo('y', 'float32', [1, outputs])],
      initializers: [tensorRecord('w', 'float32', normal(depth * outputs), [depth, outputs])],
      nodes: [node('MatMul', ['x', 'w'], ['y'])],
    }),
  )
  const long = new Tensor('float32', normal(depth), [1, depth])
  const run = async (bytes: Uint8Array) => {
    await using session = await load(bytes, { threads: 1, profile: true })
    const { y } = await session.run({ x: long })
    return { y: y.data as Float32Array, hostSteps: (await session.profile()).hostSteps }
  }

  test.each<[string, string | Recipe, string]>([
    ['int8', 'int8', 'int8, blocks of 32'],
    ['sparse-block-75', 'sparse-block-75', 'int8, blocks of 32'],
    ['int8 rows', { weights: 'int8', sparse: { kind: 'unstructured', sparsity: 0.5 } }, 'int8, blocks of 32'],
    ['float32 rows', { sparse: { kind: 'unstructured', sparsity: 0 } }, 'float32, sparse rows'],
    ['channel', { weights: 'int8', block: 'channel' }, 'float32'],
  ])('run in kernels all the same: %s', async (_, recipe, to) => {
    const { model: small, report } = await compressGraph(deep, recipe)
    expect(report.layers.map((layer) => layer.to)).toEqual([to])
    if (to === 'float32') expect(report.layers[0].kept).toContain(`sums of ${depth} products of bytes`)
    const { y, hostSteps } = await run(small)
    expect(hostSteps).toEqual([])
    expect(distance(y, (await run(deep)).y)).toBeLessThan(0.03)
  })
})
