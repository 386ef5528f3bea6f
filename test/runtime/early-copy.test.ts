// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it, test } from 'vitest'
import type { ValueInfo } from '../../src/ir/graph.ts'
import { inferGraph } from '../../src/ir/infer.ts'
import { parseGraph } from '../../src/ir/text-parse.ts'
import { blocksOf } from '../../src/kernels/blocks.ts'
import { operatorsOf } from '../../src/ops/evaluate.ts'
import { loadOps } from '../../src/ops/table.ts'
import { Heap, createMemory } from '../../src/runtime/address.ts'
import { compile } from '../../src/runtime/compile.ts'
import { type EarlyRows, cutLast, earlyRows } from '../../src/runtime/early-copy.ts'
import { Executor } from '../../src/runtime/execute.ts'
import type { KernelExports } from '../../src/runtime/instance.ts'
import { WeightStore } from '../../src/runtime/weights.ts'
import { Tensor } from '../../src/tensor/tensor.ts'

async function compiled(body: string, rows: number, k = 8) {
  const weights = Array.from({ length: k * 64 }, () => '1').join(' ')
  const graph = parseGraph(
    `graph main opset 17 { input x: float32[n, ${k}] const w: float32[${k}, 64] = ${weights} ${body} }`,
  )
  const ops = await loadOps(operatorsOf(graph))
  const x: ValueInfo = { dtype: 'float32', dims: [rows, k] }
  const infos = inferGraph(graph, ops, { inputs: new Map([['x', x]]) })
  const host = { int8: 'pairs', threads: 2 } as const
  return { graph, program: compile({ graph, infos, ops, host, intern: (bytes) => `table ${bytes.join()}` }) }
}

/** What is found for a graph of x float32[rows, k]. */
async function found(body: string, rows: number, k?: number): Promise<EarlyRows | undefined> {
  return earlyRows((await compiled(body, rows, k)).program)
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

test('a copy that fails lets the run end before it says so: helpers are still at the rest', async () => {
  const { graph, program } = await compiled('y = MatMul(x, w) output y: float32[n, 64]', 4096)
  const calls: string[] = []
  const answer = (name: string, code: number) => () => {
    calls.push(name)
    return code
  }
  // packing ends at once, the run leads
  const [led, finished] = [4, 0]
  const kernels = { run: answer('run', finished), resume: answer('resume', finished) } as unknown as KernelExports
  const heap = new Heap(createMemory(false, 2 ** 26))
  const executor = new Executor(heap, kernels, { count: 2 }, (run) => new WeightStore(heap, graph.constants, run))
  const bound = await executor.bind(program)
  Object.assign(kernels, { run: answer('run', led) })
  calls.length = 0
  const x = new Tensor('float32', new Float32Array(4096 * 8), [4096, 8])
  const early = { ...bound.early!, name: 'nothing' }
  await expect(executor.run({ ...bound, early }, new Map([['x', x]]), () => [])).rejects.toThrow(TypeError)
  expect(calls).toEqual(['run', 'resume'])
})
