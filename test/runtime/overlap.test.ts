// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import type { Graph, ValueInfo } from '../../src/ir/graph.ts'
import { inferGraph } from '../../src/ir/infer.ts'
import { parseGraph } from '../../src/ir/text-parse.ts'
import { blocksOf } from '../../src/kernels/blocks.ts'
import { operatorsOf } from '../../src/ops/evaluate.ts'
import { loadOps } from '../../src/ops/table.ts'
import { type Program, compile } from '../../src/runtime/compile.ts'
import { cutWords, earlyRows, lateRows } from '../../src/runtime/overlap.ts'

/** The program of a graph of x float32[rows, k]. */
async function programOf(body: string, rows: number, { threads = 2, k = 8 } = {}): Promise<Program> {
  const weights = Array.from({ length: k * 64 }, () => '1').join(' ')
  const graph = parseGraph(
    `graph main opset 17 { input x: float32[n, ${k}] const w: float32[${k}, 64] = ${weights} ${body} }`,
  )
  return compiled(graph, [rows, k], threads)
}

async function compiled(graph: Graph, dims: readonly number[], threads: number): Promise<Program> {
  const ops = await loadOps(operatorsOf(graph))
  const x: ValueInfo = { dtype: 'float32', dims }
  const infos = inferGraph(graph, ops, { inputs: new Map([['x', x]]) })
  const host = { int8: 'pairs', threads } as const
  const more = threads > 1 ? { lateRows } : {}
  return compile({ graph, infos, ops, host, intern: (bytes) => `table ${bytes.join()}`, ...more })
}

const rows = 65536

/** Blocks of a product of `rows` x k and k x 64. */
function cutOf(k: number) {
  const { mb, nb } = blocksOf({ m: rows, n: 64, k }, { weightBytes: 4, threads: 2 })
  return { mb, down: Math.ceil(rows / mb), across: Math.ceil(64 / nb) }
}

describe('earlyRows', () => {
  it.each([
    [8, 1 / 2],
    [256, 48 / (48 + 256)],
  ])('leaves blocks of rows that take as long as copying the others, of a depth of %i', async (k, share) => {
    const early = earlyRows(await programOf('y = MatMul(x, w) output y: float32[n, 64]', rows, { k }))!
    const { mb, down, across } = cutOf(k)
    const ahead = down - Math.ceil(down * share)
    expect(early).toEqual({ name: 'y', units: ahead * across, bytes: ahead * mb * 64 * 4 })
  })

  it('finds a result by another name of its memory', async () => {
    const early = earlyRows(await programOf('h = MatMul(x, w) y = Flatten(h) {axis: 0} output y: float32[1, m]', rows))
    expect(early?.name).toBe('y')
  })

  it.each([
    ['a small one', 'y = MatMul(x, w) output y: float32[n, 64]', 500],
    ['one that is not last', 'h = MatMul(x, w) y = Softmax(h) output y: float32[n, 64]', 65536],
    ['one that is no result', 'h = MatMul(x, w) y = ReduceSum(h) output y: float32[1, 1]', 65536],
    ['no product', 'y = Relu(x) output y: float32[n, 8]', 65536],
    ['no step', 'y = Flatten(x) output y: float32[n, 8]', 65536],
  ])('leaves %s', async (_, body, count) => {
    expect(earlyRows(await programOf(body, count))).toBeUndefined()
  })
})

describe('lateRows', () => {
  const product = 'y = MatMul(x, w) output y: float32[n, 64]'

  it('takes blocks of rows of a large input that take as long as copying the others', async () => {
    const { mb, down, across } = cutOf(8)
    const ahead = Math.ceil((down * 48) / (48 + 64))
    const { late } = await programOf(product, rows)
    expect(late).toEqual({ name: 'x', bytes: ahead * mb * 8 * 4, units: [ahead * across] })
  })

  it('takes rows of the steps before the product, too', async () => {
    const codes = Array.from({ length: 64 * 32 }, (_, i) => (i % 200) - 100).join(' ')
    const scale = Array.from({ length: 64 }, () => '0.1').join(' ')
    const graph = parseGraph(`graph main opset 17 {
      input x: float32[n, 32] const w: int8[64, 32] = ${codes} const s: float32[64] = ${scale}
      y = whittle.DynamicQuantizeGemm(x, w, s) output y: float32[n, 64]
    }`)
    const { late } = await compiled(graph, [rows, 32], 2)
    const { mb, nb } = blocksOf({ m: rows, n: 64, k: 32 }, { weightBytes: 1, threads: 2 })
    const ahead = Math.ceil((Math.ceil(rows / mb) * 48) / (48 + 64))
    const units = [ahead * mb, ahead * Math.ceil(64 / nb)]
    expect(late).toEqual({ name: 'x', bytes: ahead * mb * 32 * 4, units })
  })

  it('keeps the memory of the input until the product is done', async () => {
    const { arena } = await programOf(product, rows)
    expect(arena.bytes).toBeGreaterThanOrEqual(rows * (8 + 64) * 4)
  })

  it('takes one that is read again later', async () => {
    const { late } = await programOf('h = MatMul(x, w) y = Concat(h, x) {axis: 1} output y: float32[n, 72]', rows)
    expect(late?.name).toBe('x')
  })

  it.each([
    ['a small one', product, 2000, 2],
    ['one of a single thread', product, 65536, 1],
    ['one that is read by another step first', `h = Relu(x) y = MatMul(h, w) output y: float32[n, 64]`, 65536, 2],
    ['one that no product reads', 'y = Relu(x) output y: float32[n, 8]', 65536, 2],
  ])('leaves %s', async (_, body, count, threads) => {
    expect((await programOf(body, count, { threads })).late).toBeUndefined()
  })
})

describe('cutWords', () => {
  const words = Uint32Array.of(5, 8, 16, 1, 0, 0, 0, 0, 7, 8, 9, 1, 0, 0, 0, 0)
  const encoded = { words, starts: Uint32Array.of(0, 8, 16) }

  it('writes the last step twice, with the units of each part, the first of which leads', () => {
    expect([...cutWords(encoded, { early: { units: 6 } })]).toEqual([
      ...[5, 8, 16, 1, 0, 0, 0, 0],
      ...[7, 8, 6, 1, 0, 0, 0, 1],
      ...[7, 8, 3, 1, 0, 0, 6, 0],
    ])
  })

  it('writes the first parts of the first steps, the last but one of which leads, before the others', () => {
    expect([...cutWords(encoded, { late: { units: [4, 2] }, early: { units: 6 } })]).toEqual([
      ...[5, 8, 4, 1, 0, 0, 0, 1],
      ...[7, 8, 2, 1, 0, 0, 0, 0],
      ...[5, 8, 12, 1, 0, 0, 4, 0],
      ...[7, 8, 4, 1, 0, 0, 2, 1],
      ...[7, 8, 3, 1, 0, 0, 6, 0],
    ])
  })

  it('begins with some units that lead where there is one step', () => {
    const one = { words: words.slice(8), starts: Uint32Array.of(0, 8) }
    expect([...cutWords(one, { late: { units: [5] } })]).toEqual([
      ...[7, 8, 2, 1, 0, 0, 0, 1],
      ...[7, 8, 3, 1, 0, 0, 2, 0],
      ...[7, 8, 4, 1, 0, 0, 5, 0],
    ])
  })
})
