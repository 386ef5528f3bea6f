// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import type { ValueInfo } from '../../src/ir/graph.ts'
import { inferGraph } from '../../src/ir/infer.ts'
import { parseGraph } from '../../src/ir/text-parse.ts'
import { blocksOf } from '../../src/kernels/blocks.ts'
import { operatorsOf } from '../../src/ops/evaluate.ts'
import { loadOps } from '../../src/ops/table.ts'
import { compile } from '../../src/runtime/compile.ts'
import { type EarlyRows, cutLast, earlyRows } from '../../src/runtime/early-copy.ts'

/** What is found for a graph of x float32[rows, k]. */
async function found(body: string, rows: number, k = 8): Promise<EarlyRows | undefined> {
  const weights = Array.from({ length: k * 64 }, () => '1').join(' ')
  const graph = parseGraph(
    `graph main opset 17 { input x: float32[n, ${k}] const w: float32[${k}, 64] = ${weights} ${body} }`,
  )
  const ops = await loadOps(operatorsOf(graph))
  const x: ValueInfo = { dtype: 'float32', dims: [rows, k] }
  const infos = inferGraph(graph, ops, { inputs: new Map([['x', x]]) })
  const host = { int8: 'pairs', threads: 2 } as const
  return earlyRows(compile({ graph, infos, ops, host, intern: (bytes) => `table ${bytes.join()}` }))
}

describe('earlyRows', () => {
  it.each([
    [8, 1 / 4],
    [256, 48 / (48 + 256)],
  ])('leaves blocks of rows that take longer than copying the others, of a depth of %i', async (k, share) => {
    const rows = 16384
    const early = (await found('y = MatMul(x, w) output y: float32[n, 64]', rows, k))!
    const { mb, nb } = blocksOf({ m: rows, n: 64, k }, { weightBytes: 4, threads: 2 })
    const blocks = early.units / Math.ceil(64 / nb)
    const all = Math.ceil(rows / mb)
    expect(early.name).toBe('y')
    expect(blocks).toBe(all - Math.ceil(all * share))
    expect(early.bytes).toBe(blocks * mb * 64 * 4)
  })

  it('finds a result by another name of its memory', async () => {
    const early = await found('h = MatMul(x, w) y = Flatten(h) {axis: 0} output y: float32[1, m]', 4096)
    expect(early?.name).toBe('y')
  })

  it.each([
    ['a small one', 'y = MatMul(x, w) output y: float32[n, 64]', 500],
    ['one that is not last', 'h = MatMul(x, w) y = Softmax(h) output y: float32[n, 64]', 4096],
    ['one that is no result', 'h = MatMul(x, w) y = ReduceSum(h) output y: float32[1, 1]', 4096],
    ['no product', 'y = Relu(x) output y: float32[n, 8]', 65536],
    ['no step', 'y = Flatten(x) output y: float32[n, 8]', 65536],
  ])('leaves %s', async (_, body, rows) => {
    expect(await found(body, rows)).toBeUndefined()
  })
})

describe('cutLast', () => {
  it('writes the last step twice, with the units of each part', () => {
    const words = Uint32Array.of(5, 8, 3, 1, 0, 0, 0, 0, 7, 8, 9, 1, 0, 0, 0, 0)
    const cut = cutLast({ words, starts: Uint32Array.of(0, 8, 16) }, { units: 6 })
    expect([...cut.words]).toEqual([
      ...[5, 8, 3, 1, 0, 0, 0, 0],
      ...[7, 8, 6, 1, 0, 0, 0, 1],
      ...[7, 8, 3, 1, 0, 0, 6, 0],
    ])
    expect([...cut.starts]).toEqual([0, 8, 24])
  })
})
