// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest'
import { denseOfBlocks, denseOfRows, pruneBlocks, pruneWeights, rowsOfDense } from '../../src/compress/prune-weights.ts'

const weights = Float32Array.from({ length: 10 * 20 }, (_, i) => ((i * 37) % 101) - 50)

test('the greatest weights stay, where they were', () => {
  const rows = pruneWeights(weights, 10, 0.75)
  expect(rows.values).toHaveLength(50)
  expect(rows.starts[10]).toBe(50)
  const dense = denseOfRows(rows, 10, 20)
  const least = Math.min(...rows.values.map(Math.abs))
  dense.forEach((value, i) => {
    if (value === 0) expect(Math.abs(weights[i])).toBeLessThanOrEqual(least)
    else expect(value).toBe(weights[i])
  })
})

test('blocks at the edges hold what there is of them', () => {
  const blocks = pruneBlocks(weights, 10, 0)
  expect(blocks.depths).toHaveLength(2 * 3)
  expect(denseOfBlocks(blocks, 10, 20)).toEqual(weights)
  expect(pruneBlocks(weights, 10, 0.5).depths).toHaveLength(3)
})

test('something always stays', () => {
  expect(pruneWeights(weights, 10, 0.9999).values).toHaveLength(1)
  expect(pruneBlocks(weights, 10, 0.9999).depths).toHaveLength(1)
})

test('compressed rows of dense weights hold what is not zero', () => {
  const rows = rowsOfDense([0, 2, 0, 0, 0, 0, -1, 3], 4)
  expect([...rows.values]).toEqual([2, -1, 3])
  expect([...rows.depths]).toEqual([1, 0, 1])
  expect([...rows.starts]).toEqual([0, 1, 1, 1, 3])
  expect(rowsOfDense([0, 0], 2).values).toHaveLength(1)
})
