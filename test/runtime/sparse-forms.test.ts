// SPDX-License-Identifier: Apache-2.0
/**
 * Sparse layers of a .whittle file in both forms: streamed weights become dense panels or stay sparse, the results agree,
 * and the profile says which form ran and why.
 */
import { describe, expect, test } from 'vitest'
import { randomInteger, seededRandom } from '../../src/base/rng.ts'
import { writeContainer } from '../../src/format/container.ts'
import type { Graph } from '../../src/ir/graph.ts'
import { streamModel } from '../../src/model/from-container.ts'
import { toContainer } from '../../src/model/to-container.ts'
import { pickForm } from '../../src/ops/sparse-choice.ts'
import { loadOps } from '../../src/ops/table.ts'
import { SessionCore } from '../../src/runtime/core.ts'
import { Modules } from '../../src/runtime/module.ts'
import { Tensor } from '../../src/tensor/tensor.ts'

const random = seededRandom(3)
const [m, k, n] = [40, 136, 90]
const floats = (size: number): number[] => Array.from({ length: size }, () => random() - 0.5)
const bytes = (size: number): number[] => Array.from({ length: size }, () => randomInteger(random, -127, 127))

/** Every third place of each list. */
function places(lists: number, size: number) {
  const depths: number[] = []
  const starts = [0]
  for (let list = 0; list < lists; list++) {
    for (let i = list % 3; i < size; i += 3) depths.push(i)
    starts.push(depths.length)
  }
  return { depths: new Tensor('int32', depths), starts: new Tensor('int32', starts), count: depths.length }
}

const rows = places(n, k)
const blocks = places(Math.ceil(n / 8), k / 8)
const scale = new Tensor('float32', Array<number>(n).fill(0.01))
const layers: Record<string, Record<string, Tensor>> = {
  'whittle.SparseGemm': { values: new Tensor('float32', floats(rows.count)), depths: rows.depths, starts: rows.starts },
  'whittle.DynamicQuantizeSparseGemm': {
    values: new Tensor('int8', bytes(rows.count)),
    depths: rows.depths,
    starts: rows.starts,
    scale,
  },
  'whittle.BlockSparseGemm': {
    values: new Tensor('int8', bytes(blocks.count * 64), [blocks.count, 8, 8]),
    depths: blocks.depths,
    starts: blocks.starts,
    scale,
  },
}

function fileOf(op: string, form: string): Uint8Array {
  const constants = new Map(
    Object.entries(layers[op]).map(([name, tensor]) => [name, { dtype: tensor.type, dims: tensor.dims, tensor }]),
  )
  const graph: Graph = {
    name: op,
    opset: 21,
    inputs: [{ name: 'x', dtype: 'float32', dims: [m, k] }],
    outputs: [{ name: 'y', dtype: 'float32', dims: [m, n] }],
    constants,
    nodes: [{ name: 'layer', op, inputs: ['x', ...constants.keys()], outputs: ['y'], attributes: { form } }],
  }
  return writeContainer(toContainer(graph, { producer: 'test' } as never))
}

async function* chunksOf(file: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < file.length; at += 1000) yield file.subarray(at, at + 1000)
}

const x = new Tensor('float32', floats(m * k), [m, k])
const kernels = await new Modules().choose('auto', false)

async function run(op: string, form: string, fixedForms: boolean) {
  const { graph, weights } = await streamModel(chunksOf(fileOf(op, form)))
  const ops = await loadOps([op])
  const options = { graph, ops, kernels, threads: 1, profile: true, bytes: () => 0, weights, fixedForms }
  const session = await SessionCore.create(options)
  try {
    const { y } = await session.run({ x })
    return { y: y.data as Float32Array, profile: await session.profile() }
  } finally {
    await session.dispose()
  }
}

describe.each(Object.keys(layers))('%s', (op) => {
  test('gives the same in both forms, as the file says', async () => {
    const [sparse, dense] = [await run(op, 'sparse', true), await run(op, 'dense', true)]
    const kernelsOf = ({ steps }: { steps: readonly { kernel: string | null }[] }) => steps.map(({ kernel }) => kernel)
    expect(kernelsOf(sparse.profile).join()).toMatch(/spmm/)
    expect(kernelsOf(dense.profile).join()).toMatch(/gemm/)
    expect(dense.profile.steps.at(-1)!.form).toEqual({
      form: 'dense',
      reason: 'the file says so',
      timed: null,
      kept: ['dense'],
    })
    const worst = Math.max(...sparse.y.map((value, i) => Math.abs(value - dense.y[i])))
    expect(worst).toBeLessThanOrEqual(op === 'whittle.SparseGemm' ? 1e-5 : 0)
  })

  test('is timed in both forms when it is loaded, and runs in the faster one', async () => {
    const { y, profile } = await run(op, 'sparse', false)
    const { form } = profile.steps.at(-1)!
    const [{ rows: timedRows, times }] = form!.timed!
    expect(timedRows).toBe(m)
    expect(Object.keys(times)).toEqual(['sparse', 'dense'])
    expect(form!.form).toBe(pickForm(form!.timed!, m).form)
    expect(y.every(Number.isFinite)).toBe(true)
  })
})
