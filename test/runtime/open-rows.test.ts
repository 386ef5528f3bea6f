// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest'
import { parseGraph } from '../../src/ir/text-parse.ts'
import { operatorsOf } from '../../src/ops/evaluate.ts'
import { loadOps } from '../../src/ops/table.ts'
import { openRows } from '../../src/runtime/open-rows.ts'

const weights = `
  const values: float32[2] = 1 2
  const depths: int32[2] = 0 1
  const starts: int32[3] = 0 1 2`

async function rowsOf(body: string): Promise<Record<string, number>> {
  const graph = parseGraph(`graph main opset 17 { ${body} }`)
  return Object.fromEntries(openRows(graph, await loadOps(operatorsOf(graph))))
}

it('are the rows of sparse layers that an input leaves open, at least', async () => {
  const layer = 'y = whittle.SparseGemm(x, values, depths, starts)'
  const open = (dims: string) => rowsOf(`input x: float32[${dims}] ${weights} ${layer} output y: float32[r, 2]`)
  expect(await open('n, 2')).toEqual({ values: 1 })
  expect(await open('n, 5, 7, 2')).toEqual({ values: 35 })
  expect(await open('2*n - 8, 2')).toEqual({ values: 1 })
  expect(await open('3, 5, 2')).toEqual({})
})

it('are those of every node that has the same weights', async () => {
  const two = (a: string, b: string) =>
    rowsOf(`input a: float32[${a}, 2] input b: float32[${b}, 2] ${weights}
      y = whittle.SparseGemm(a, values, depths, starts)
      z = whittle.SparseGemm(b, values, depths, starts)
      output y: float32[r, 2] output z: float32[s, 2]`)
  expect(await two('3', '3')).toEqual({})
  expect(await two('9', '3')).toEqual({ values: 3 })
  expect(await two('3', 'n')).toEqual({ values: 1 })
})

it('are open where shapes depend on data, and where a graph contradicts itself', async () => {
  const behind = (first: string) =>
    rowsOf(`input x: float32[4, 2] input s: int64[2] ${weights} ${first}
      y = whittle.SparseGemm(r, values, depths, starts)
      output y: float32[r, 2]`)
  expect(await behind('r = Reshape(x, s)')).toEqual({ values: 1 })
  expect(await behind('r = MatMul(x, x)')).toEqual({ values: 1 })
})
