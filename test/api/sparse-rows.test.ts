// SPDX-License-Identifier: Apache-2.0
/** Sparse layers of models whose batch is open: at which rows their forms are timed, and which one runs. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compress } from '../../src/compress.ts'
import { writeOnnx } from '../../src/format/onnx-write.ts'
import { type LoadOptions, type Session, Tensor, load } from '../../src/index.ts'
import { model, node, tensorRecord, valueInfo } from '../support/onnx.ts'

const [k, n] = [128, 96]
const values = Array.from({ length: k * n }, (_, i) => Math.sin(i * i))

const recipes = {
  rows: 'sparse-90',
  byteRows: { weights: 'int8', sparse: { kind: 'unstructured', sparsity: 0.9 } },
  byteBlocks: 'sparse-block-75',
} as const

async function compressed(batch: string | number, recipe: (typeof recipes)[keyof typeof recipes]): Promise<Uint8Array> {
  const product = model({
    inputs: [valueInfo('x', 'float32', [batch, k])],
    outputs: [valueInfo('y', 'float32', [batch, n])],
    initializers: [tensorRecord('w', 'float32', values, [k, n])],
    nodes: [node('MatMul', ['x', 'w'], ['y'])],
  })
  return (await compress(writeOnnx(product), recipe)).model
}

/** A store that says of all products with so many rows that their forms took so long, once a session has filled it. */
function storeOf(times: Readonly<Record<number, { readonly sparse: number; readonly dense: number }>>) {
  let text: string | undefined
  const rewritten = (entries: Record<string, { figures: object }>) =>
    Object.entries(entries).map(([key, entry]) => {
      const rows = / (\d+)x\d+x\d+ /.exec(key)?.[1]
      return [key, rows ? { ...entry, figures: times[Number(rows)] } : entry]
    })
  return {
    get: () => text,
    set: (given: string) => void (text = JSON.stringify(Object.fromEntries(rewritten(JSON.parse(given))))),
  }
}

async function ran(session: Session, batch: number) {
  const x = new Tensor(
    'float32',
    Array.from({ length: batch * k }, (_, i) => Math.cos(i % 1000)),
    [batch, k],
  )
  const { y } = await session.run({ x })
  const { steps, memory } = await session.profile()
  const last = steps.at(-1)!
  return { y: y.data as Float32Array, form: last.form!, kernel: last.kernel, weights: memory.weights }
}

describe('a sparse layer', () => {
  let folder: string
  beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'whittle-rows-'))))
  afterAll(() => rm(folder, { recursive: true }))

  it('of a model with an open batch is timed at one row and at many, and says so, whatever the batch of a run is', async () => {
    await using session = await load(await compressed('N', 'sparse-90'), { threads: 1, measurements: false })
    for (const batch of [7, 1, 96]) {
      const { form } = await ran(session, batch)
      expect(form.timed!.map(({ rows }) => rows)).toEqual([1, 96])
      expect(form.reason).toMatch(/at 1 and 96 rows, measured for this session on this host$/)
    }
  })

  it('of a model with a fixed batch is timed at that one', async () => {
    await using session = await load(await compressed(7, 'sparse-90'), { threads: 1, measurements: false })
    const { form } = await ran(session, 7)
    expect(form.timed!.map(({ rows }) => rows)).toEqual([7])
    expect(form.kept).toEqual([form.form])
  })

  it.for(Object.entries(recipes))(
    'of %s runs in both forms where they change places, each packed at load',
    async ([name, recipe]) => {
      const path = join(folder, `${name}.whittle`)
      const file = await compressed('N', recipe)
      const options = (measurements: LoadOptions['measurements']) =>
        ({ threads: 1, measurements, kernels: 'simd' }) as const
      const loaded = async (store: ReturnType<typeof storeOf>): Promise<Session> => {
        await writeFile(path, file)
        await (await load(path, options(store))).dispose()
        const session = await load(path, options(store))
        // what is packed later would have to be read again
        await rm(path)
        return session
      }
      const alike = { sparse: 1, dense: 1 }
      await using alone = await loaded(storeOf({ 1: alike, 96: alike }))
      await using both = await loaded(storeOf({ 1: { sparse: 2, dense: 1 }, 96: { sparse: 1, dense: 5 } }))
      const [few, many] = [await ran(both, 1), await ran(both, 96)]
      expect([few.form.form, many.form.form]).toEqual(['dense', 'sparse'])
      expect(few.form.kept).toEqual(['sparse', 'dense'])
      expect(few.kernel).not.toMatch(/spmm/)
      expect(many.kernel).toMatch(/spmm/)
      expect(many.form.reason).toMatch(
        /^both are packed, and it is the faster one at 96 rows, by what they took at 1 and 96 rows/,
      )
      for (const [batch, { y, weights }] of [
        [1, few],
        [96, many],
      ] as const) {
        const other = await ran(alone, batch)
        expect(other.form.kept).toEqual(['sparse'])
        expect(weights).toBeGreaterThan(other.weights)
        expect(Math.max(...y.map((value, i) => Math.abs(value - other.y[i])))).toBeLessThanOrEqual(1e-5)
      }
    },
  )
})
