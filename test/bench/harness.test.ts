// SPDX-License-Identifier: Apache-2.0
/**
 * The benchmarks' harness: its statistics, the order of its rounds, where results go, and that its models say the same in
 * every form.
 */
import { describe, expect, test } from 'vitest'
import { fileOf } from '../../bench/harness/results.ts'
import { type Contender, timeInRounds } from '../../bench/harness/rounds.ts'
import { geometricMean, quantile, summarize } from '../../bench/harness/statistics.ts'
import { peerVersions } from '../../bench/models/engines.ts'
import { productInput, productModel } from '../../bench/models/operators.ts'
import { readOnnx } from '../../src/format/onnx.ts'

describe('statistics', () => {
  test('a quantile lies between neighbours, whatever the order', () => {
    expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5)
    expect(quantile([7], 0.25)).toBe(7)
  })

  test('a summary is median, least, quartiles and count', () => {
    expect(summarize([5, 1, 2, 3, 4])).toEqual({ median: 3, min: 1, quartiles: [2, 4], samples: 5 })
  })

  test('a geometric mean gives the same for a ratio and its inverse', () => {
    expect(geometricMean([2, 8])).toBeCloseTo(4, 12)
    expect(geometricMean([1 / 2, 1 / 8])).toBeCloseTo(1 / 4, 12)
  })
})

test('contenders take turns of a run that does not count and one that does, and each has the first place of a round in turn', async () => {
  const order: string[] = []
  const contender = (name: string): Contender => ({
    name,
    run: () => {
      order.push(name)
      const end = performance.now() + 2.5
      while (performance.now() < end);
      return Promise.resolve()
    },
  })
  const timed = await timeInRounds([contender('a'), contender('b')], { warmUp: 0, time: 0, samples: [3, 3] })
  expect(timed.map(({ name, summary, batch }) => [name, summary.samples, batch])).toEqual([
    ['a', 3, 1],
    ['b', 3, 1],
  ])
  expect(order.slice(6).join('')).toBe('aabbbbaaaabb')
})

describe('results', () => {
  test('have a file for each kind of host and each runtime', () => {
    const node24 = 'Node 24.21.0 (V8 13.6.233.17-node.53)'
    expect(fileOf('gemm', { relaxed: 'vnni', runtime: node24 })).toBe('gemm-node24.json')
    expect(fileOf('gemm', { relaxed: 'pmaddubsw', runtime: node24 })).toBe('without-vnni/gemm-node24.json')
    expect(fileOf('gemm', { relaxed: 'sdot', runtime: node24 })).toBe('sdot/gemm-node24.json')
    expect(fileOf('gemm', { relaxed: 'none', runtime: 'Node 20.20.0 (V8 11.3)' })).toBe('without-vnni/gemm-node20.json')
    expect(fileOf('gemm', { relaxed: 'vnni', runtime: 'Chromium 156.0.1' })).toBe('gemm-chromium.json')
  })

  test('name the version of the peer that is a dependency', () => {
    expect(peerVersions()['onnxruntime-web']).toMatch(/^\d+\.\d+\.\d+/)
  })
})

describe('models of one operator', () => {
  const shape = { m: 3, k: 64, n: 5 }

  test.each(['MatMul', 'DynamicQuantizeMatMul', 'MatMulNBits'] as const)('%s is a readable file', async (form) => {
    const { graph } = await readOnnx(productModel(form, shape), { where: form })
    expect(graph.nodes.map(({ opType }) => opType)).toEqual([form])
    expect(graph.inputs.map(({ name, type }) => [name, type])).toEqual([
      ['x', { kind: 'tensor', dtype: 'float32', dims: [3, 64] }],
    ])
  })

  test('inputs are the same at every call', () => {
    expect(productInput(shape)).toEqual(productInput(shape))
    expect(productInput(shape)).toHaveLength(3 * 64)
  })
})
