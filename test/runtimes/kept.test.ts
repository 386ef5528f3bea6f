// SPDX-License-Identifier: Apache-2.0
/**
 * What a host was found to be is kept in every runtime that has a place for it, and used by later sessions and programs;
 * where there is no place, or it may not be used, each session measures for itself and nothing else happens.
 */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compress } from '../../src/compress.ts'
import { writeContainer } from '../../src/format/container.ts'
import { writeOnnx } from '../../src/format/onnx-write.ts'
import { Tensor, load } from '../../src/index.ts'
import { parseGraph } from '../../src/ir/text-parse.ts'
import { toContainer } from '../../src/model/to-container.ts'
import { launchChromium, missingChromium } from '../page/chromium.ts'
import { serve } from '../page/server.ts'
import { model, node, tensorRecord, valueInfo } from '../support/onnx.ts'
import { findRuntime, output } from './fetched.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const script = join(root, 'test/runtimes/kept-errand.mjs')

/** How a runtime is told to run a script; `{}` stands for a folder. */
const runtimes: Readonly<Record<string, readonly string[]>> = {
  node20: [],
  node24: [],
  deno: ['run', '--no-config', '--no-prompt', '--allow-read', '--allow-write={}'],
  bun: [],
}

const now = /measured for this session/
const earlier = /measured \d{4}-\d\d-\d\d on this host/

describe('measurements', () => {
  let folder: string
  let path: string
  let bytes: Uint8Array

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'whittle-kept-'))
    path = join(folder, 'sparse.whittle')
    const weights = Array.from({ length: 128 * 96 }, (_, i) => Math.sin(i * i))
    const product = model({
      inputs: [valueInfo('x', 'float32', [64, 128])],
      outputs: [valueInfo('y', 'float32', [64, 96])],
      initializers: [tensorRecord('k', 'float32', weights, [128, 96])],
      nodes: [node('MatMul', ['x', 'k'], ['y'])],
    })
    bytes = (await compress(writeOnnx(product), 'sparse-90')).model
    await writeFile(path, bytes)
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  it.for(Object.keys(runtimes))('are kept between sessions and between programs in %s', async (name, context) => {
    const found = await findRuntime(name)
    if ('missing' in found) return context.skip(found.missing)
    const place = join(folder, name)
    const flags = runtimes[name].map((flag) => flag.replace('{}', place))
    const reasons = async (count: number): Promise<string[]> => {
      const args = [...flags, script, join(root, 'dist/index.js'), path, join(place, 'kept.json'), String(count)]
      return JSON.parse(await output(found.binary, args)) as string[]
    }
    const [first, second] = await reasons(2)
    expect(first).toMatch(now)
    expect(second).toMatch(earlier)
    expect((await reasons(1))[0]).toMatch(earlier)
    expect(await readdir(place)).toEqual(['kept.json'])
    await writeFile(join(place, 'kept.json'), '{"half": ')
    expect((await reasons(1))[0]).toMatch(now)
    expect((await reasons(1))[0]).toMatch(earlier)
  })

  it('are the session’s own in Deno where only reading is granted, and nobody is asked', async (context) => {
    const found = await findRuntime('deno')
    if ('missing' in found) return context.skip(found.missing)
    for (const place of ['usual', join(folder, 'forbidden', 'kept.json')]) {
      const flags = ['run', '--no-config', '--allow-read']
      const printed = await output(found.binary, [...flags, script, join(root, 'dist/index.js'), path, place, '2'])
      for (const reason of JSON.parse(printed) as string[]) expect(reason).toMatch(now)
    }
    expect(await readdir(folder)).not.toContain('forbidden')
  })

  it.skipIf(missingChromium !== undefined)(
    'are kept in a page, whose worker and whose own thread share them',
    async () => {
      const served = await serve({
        pages: { '/': '<!doctype html><meta charset="utf-8"><title>whittle</title>' },
        folders: { '/dist/': join(root, 'dist'), '/runtimes/': join(root, 'test/runtimes'), '/model/': folder },
        isolated: false,
      })
      const browser = await launchChromium()
      try {
        const context = await browser.newContext()
        const reasons = async (options: string): Promise<string[]> => {
          const page = await context.newPage()
          await page.goto(`${served.origin}/`)
          // a text: the bundler of this suite must not follow its imports
          return page.evaluate(`(async () => {
          const whittle = await import('/dist/index.js')
          const { reasonsOf } = await import('/runtimes/kept-errand.mjs')
          return reasonsOf(whittle, '/model/sparse.whittle', ${options}, 2)
        })()`)
        }
        const [first, second] = await reasons('{}')
        expect(first).toMatch(now)
        expect(second).toMatch(earlier)
        expect((await reasons('{ worker: false }'))[0]).toMatch(earlier)
        const [other] = await reasons("{ measurements: 'another cache' }")
        expect(other).toMatch(now)
        for (const reason of await reasons('{ measurements: false }')) expect(reason).toMatch(now)
      } finally {
        await browser.close()
        await served.close()
      }
    },
  )

  describe('in a store of the caller', () => {
    const memory = () => {
      const kept = { text: undefined as string | undefined, calls: 0 }
      const get = () => (kept.calls++, kept.text)
      const set = (text: string) => void (kept.calls++, (kept.text = text))
      return { kept, measurements: { get, set } }
    }
    const x = new Tensor('float32', new Float32Array(64 * 128), [64, 128])

    async function reasonOf(options: Parameters<typeof load>[1]): Promise<string> {
      await using session = await load(bytes, { threads: 1, ...options })
      await session.run({ x })
      return (await session.profile()).steps.find(({ form }) => form)!.form!.reason
    }

    it('are found by the next session of the same build and threads', async () => {
      const { measurements } = memory()
      expect(await reasonOf({ measurements, kernels: 'simd' })).toMatch(now)
      expect(await reasonOf({ measurements, kernels: 'simd' })).toMatch(earlier)
      expect(await reasonOf({ measurements, kernels: 'simd', threads: 2 })).toMatch(now)
      expect(await reasonOf({ measurements: false, kernels: 'simd' })).toMatch(now)
    })

    it('are neither read nor written by deterministic sessions, nor where there is nothing to measure', async () => {
      const { kept, measurements } = memory()
      expect(await reasonOf({ measurements, deterministic: true })).toBe('the file says so')
      const auto = { measurements, deterministic: true, threads: 'auto' } as const
      expect(await reasonOf(auto)).toBe('the file says so')
      const plain = 'graph main opset 17 { input x: float32[4]\n y = Relu(x)\n output y: float32[4] }'
      const nothing = await load(writeContainer(toContainer(parseGraph(plain))), { measurements, threads: 1 })
      await nothing.dispose()
      expect(kept.calls).toBe(0)
    })

    it("end the search of threads: 'auto' before it begins", async () => {
      const { measurements } = memory()
      const counts = async (): Promise<number[]> => {
        await using session = await load(bytes, { measurements, threads: 'auto' })
        const used: number[] = []
        for (let run = 0; run < 16; run++) {
          await session.run({ x })
          used.push((await session.profile()).threads)
        }
        return used
      }
      const first = await counts()
      const second = await counts()
      expect(new Set(second)).toEqual(new Set([first.at(-1)]))
    })
  })
})
