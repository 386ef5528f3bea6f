// SPDX-License-Identifier: Apache-2.0
/** `compress --report`, `compare --report` and `bench`: from files to files, as text and as JSON. Runs the sources in this process. */
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { InputError, UnsupportedError } from '../../src/base/errors.ts'
import { addBench } from '../../src/cli/bench.ts'
import { addCompare } from '../../src/cli/compare.ts'
import { addCompress } from '../../src/cli/compress.ts'
import { addInspect } from '../../src/cli/inspect.ts'
import { writeNpy } from '../../src/format/npy.ts'
import { writeOnnx } from '../../src/format/onnx-write.ts'
import { Tensor } from '../../src/tensor/tensor.ts'
import { model, node, tensorRecord, valueInfo } from '../support/onnx.ts'

const size = 16

function productModel(rows: number | string): Uint8Array {
  const weights = Float32Array.from({ length: size * size }, (_, i) => Math.sin(i))
  return writeOnnx(
    model({
      inputs: [valueInfo('x', 'float32', [rows, size])],
      outputs: [valueInfo('y', 'float32', [rows, size])],
      initializers: [tensorRecord('w', 'float32', weights, [size, size])],
      nodes: [node('MatMul', ['x', 'w'], ['y'], {}, { name: 'product' })],
    }),
  )
}

let folder = ''
const at = (name: string): string => join(folder, name)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'whittle-report-'))
  await writeFile(at('fixed.onnx'), productModel(2))
  await writeFile(at('free.onnx'), productModel('n'))
  await writeFile(at('x.npy'), writeNpy(new Tensor('float32', new Float32Array(4 * size).fill(0.5), [4, size])))
})
afterAll(() => rm(folder, { recursive: true }))

/** What the command writes to stdout. */
async function whittle(...args: string[]): Promise<string> {
  const program = new Command()
  for (const add of [addCompress, addCompare, addBench, addInspect]) add(program)
  let text = ''
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    text += String(chunk)
    return true
  })
  try {
    await program.parseAsync(args, { from: 'user' })
  } finally {
    spy.mockRestore()
  }
  return text
}

/** The data that stands in a page. */
async function dataOf(page: string): Promise<{ layers: unknown[]; notes: string[]; latencies: { runs: unknown[] }[] }> {
  const html = await readFile(page, 'utf8')
  expect(html).toMatch(/^<!doctype html>/)
  expect(html).toContain('Released under the MIT License')
  expect(html).not.toContain('sourceMappingURL')
  return JSON.parse(/id="report-data">(.*?)<\/script>/s.exec(html)![1]) as never
}

describe('compress --report', () => {
  it('measures on random numbers where no dimension is free, and says so', async () => {
    const text = await whittle('compress', at('fixed.onnx'), '-o', at('a.whittle'), '--report', at('a.html'), '--json')
    expect(JSON.parse(text)).toMatchObject({ output: at('a.whittle'), page: at('a.html'), recipe: { name: 'int8' } })
    const { layers, notes } = await dataOf(at('a.html'))
    expect(layers).toHaveLength(1)
    expect(notes.join()).toMatch(/random numbers: x 2 x 16/)
  })

  it('says what to pass where a dimension is free, and writes nothing', async () => {
    const failing = whittle('compress', at('free.onnx'), '-o', at('b.whittle'), '--report', at('b.html'))
    await expect(failing).rejects.toThrow(InputError)
    await expect(whittle('compress', at('free.onnx'), '-o', at('b.whittle'), '--report', at('b.html'))).rejects.toThrow(
      /give --input x=file.npy, or --random --dim 'n=<number>'/,
    )
    expect((await readdir(folder)).filter((name) => name.startsWith('b.'))).toEqual([])
  })

  it('measures on what is given, for as many rounds as wanted', async () => {
    const args = ['--input', `x=${at('x.npy')}`, '--rounds', '2', '-o', at('c.whittle'), '--report', at('c.html')]
    expect(await whittle('compress', at('free.onnx'), ...args)).toMatch(/report: .*c\.html/)
    const { notes, latencies } = await dataOf(at('c.html'))
    expect(notes.join()).toMatch(/as given: x 4 x 16/)
    expect(latencies.map(({ runs }) => runs.length)).toEqual([2, 2])
  })
})

describe('compare --report', () => {
  it('writes the page beside its JSON', async () => {
    await whittle('compress', at('free.onnx'), '-o', at('d.whittle'))
    const args = ['--random', '--dim', 'n=3', '--rounds', '1', '--report', at('d.html'), '--json']
    const result = JSON.parse(await whittle('compare', at('free.onnx'), at('d.whittle'), ...args)) as object
    expect(result).toMatchObject({ page: at('d.html'), outputs: [{ name: 'y' }] })
    expect((await dataOf(at('d.html'))).layers).toHaveLength(1)
  })
})

describe('bench', () => {
  it('prints times and a profile, and writes a trace', async () => {
    const text = await whittle('bench', at('fixed.onnx'), '--rounds', '2', '--steps', '--trace', at('trace.json'))
    for (const word of ['load', 'first run', 'median', 'whittle.Gemm', 'trace: ', 'random numbers'])
      expect(text).toContain(word)
    const { traceEvents } = JSON.parse(await readFile(at('trace.json'), 'utf8')) as {
      traceEvents: { ph: string; name: string }[]
    }
    expect(traceEvents.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['load', 'first run', 'run 2', 'profiled run']),
    )
  })

  it('gives JSON, and onnxruntime-web beside it', async () => {
    const args = ['--rounds', '2', '--json', '--against', 'onnxruntime-web']
    const result = JSON.parse(await whittle('bench', at('fixed.onnx'), ...args)) as object
    expect(result).toMatchObject({ engines: [{ name: 'whittle' }, { name: 'onnxruntime-web' }], threads: 1 })
  })

  it('says what is wrong with the other engine', async () => {
    await expect(whittle('bench', at('fixed.onnx'), '--against', 'other')).rejects.toThrow(/expected onnxruntime-web/)
    await whittle('compress', at('fixed.onnx'), '-o', at('e.whittle'))
    await expect(whittle('bench', at('e.whittle'), '--against', 'onnxruntime-web')).rejects.toThrow(/--against-model/)
    const wrong = ['--against', 'onnxruntime-web', '--against-model', at('x.npy')]
    await expect(whittle('bench', at('e.whittle'), ...wrong)).rejects.toThrow(UnsupportedError)
    await expect(whittle('bench', at('free.onnx'))).rejects.toThrow(/--dim/)
  })
})

describe('inspect --passes', () => {
  it('lists what every pass would do', async () => {
    const { passes } = JSON.parse(await whittle('inspect', at('free.onnx'), '--passes', '--json')) as {
      passes: { pass: string; fired: number; nodes: number[] }[]
    }
    expect(passes.find(({ pass }) => pass === 'lower-matmul')).toMatchObject({ fired: 1, nodes: [1, 1] })
    expect(await whittle('inspect', at('free.onnx'), '--passes')).toMatch(/lower-matmul/)
  })

  it('tells every rewrite under --verbose, and leaves out passes named by --off', async () => {
    expect(await whittle('inspect', at('free.onnx'), '--passes', '--verbose')).toMatch(/lower-matmul +│ \S+ +│ \S+/)
    const { passes } = JSON.parse(
      await whittle('inspect', at('free.onnx'), '--passes', '--json', '--off', 'lower-matmul', 'dead-code'),
    ) as { passes: { pass: string }[] }
    expect(passes.map(({ pass }) => pass)).not.toContain('lower-matmul')
  })

  it('says why there are none', async () => {
    await whittle('compress', at('free.onnx'), '-o', at('f.whittle'))
    expect(await whittle('inspect', at('f.whittle'), '--passes')).toMatch(/went through them when it was made/)
  })
})
