// SPDX-License-Identifier: Apache-2.0
/**
 * The built package in every runtime: the same files load and run in each, an int8 layer's integers are those of plain
 * loops on every build and number of threads, the recogniser reads the same text, on instances too, and deterministic
 * sessions give the same bits. A runtime that this machine does
 * not have is fetched on first use, and its test skipped with the reason where that fails.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeContainer } from '../../src/format/container.ts'
import * as whittle from '../../src/index.ts'
import { parseGraph } from '../../src/ir/text-parse.ts'
import { toContainer } from '../../src/model/to-container.ts'
import { compressed } from '../models/compressed.ts'
import { ocrModel } from '../models/data.ts'
import { launchChromium, missingChromium } from '../page/chromium.ts'
import { serve } from '../page/server.ts'
import { type PlainTensor, exactLayers } from './exact-layers.ts'
import { findRuntime, output } from './fetched.ts'
import { writeWorkerdProgram } from './workerd.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const index = join(root, 'dist/index.js')

/** What an errand brings back. */
interface Findings {
  readonly host: {
    readonly relaxed: string
    readonly runtime: string
    readonly sharedMemory: boolean
    readonly build: string
  }
  readonly exact: readonly {
    readonly name: string
    readonly kernels: string
    readonly threads: number
    readonly y?: PlainTensor
    readonly used?: number
    readonly error?: string
  }[]
  readonly texts: readonly string[]
  /** Hashes of deterministic outputs: of the recogniser with 1 and 2 threads, then of a float32 model. */
  readonly bits: readonly (readonly number[])[]
  readonly instances: {
    readonly texts?: readonly string[]
    readonly count?: number
    readonly threads?: number
    readonly error?: string
  }
}

interface Demo {
  readLines(): Promise<{ data: Float32Array; dims: number[] }[]>
  readKeys(): Promise<string[]>
}

interface Errand {
  runErrand(
    package_: typeof whittle,
    read: (name: string) => Promise<Uint8Array>,
    address: (name: string) => string,
  ): Promise<Findings>
}

/** How a runtime is told to run a script that reads files and nothing else. */
const runtimes: Readonly<Record<string, readonly string[]>> = {
  node20: [],
  node22: [],
  node24: [],
  node26: [],
  deno: ['run', '--no-config', '--no-prompt', '--allow-read'],
  bun: [],
}

const layers = exactLayers()

const weights = (count: number): string =>
  Array.from({ length: count }, (_, i) => ((i * 31) % 127) / 256 - 0.25).join(' ')

/** Products, transcendental functions and reductions in float32. */
const floats = `graph main opset 20 {
  input x: float32[n, 64]
  const w: float32[64, 72] = ${weights(64 * 72)}
  const v: float32[72, 64] = ${weights(64 * 72)}
  const scale: float32[72] = ${weights(72)}
  const shift: float32[72] = ${weights(72)}
  a = MatMul(x, w)
  b = LayerNormalization(a, scale, shift)
  c = Gelu(b)
  d = Sigmoid(a)
  e = Mul(c, d)
  f = MatMul(e, v)
  g = Tanh(f)
  y = Softmax(g)
  output y: float32[n, 64]
}`

/** Text lines that each runtime reads: the shortest ones. */
const lineCount = 4

describe('the built package', () => {
  let folder: string
  let expected: Findings

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'whittle-runtimes-'))
    const demo = (await import(new URL('../../demo/ocr.mjs', import.meta.url).href)) as Demo
    const lines = (await demo.readLines()).slice(0, lineCount)
    const model = await compressed(ocrModel('ch_PP-OCRv4_rec_infer.onnx'), 'int8')
    const files = new Map<string, Uint8Array | string>([
      ['recogniser.whittle', model],
      ['floats.whittle', writeContainer(toContainer(parseGraph(floats)))],
      ['keys.json', JSON.stringify(await demo.readKeys())],
      ...layers.map((layer) => [`${layer.name}.whittle`, layer.model] as const),
      ...lines.map(({ data }, i) => [`line-${i}.f32`, new Uint8Array(data.buffer)] as const),
    ])
    const errand = {
      layers: layers.map(({ name, x }) => ({ name, x })),
      lines: lines.map(({ dims }, i) => ({ name: `line-${i}.f32`, dims })),
    }
    files.set('errand.json', JSON.stringify(errand))
    for (const [name, content] of files) await writeFile(join(folder, name), content)
    const { runErrand } = (await import(new URL('./errand.mjs', import.meta.url).href)) as Errand
    const here = await runErrand(
      whittle,
      async (name) => new Uint8Array(await readFile(join(folder, name))),
      (name) => pathToFileURL(join(folder, name)).href,
    )
    expected = here
    check(here)
    expect(here.texts.every((text) => text.length > 0)).toBe(true)
  }, 120_000)
  afterAll(() => rm(folder, { recursive: true, force: true }))

  /** Integers to the bit, on the builds that the host has; the same text; floats to the bit where that was asked for. */
  function check({ host, exact, texts, bits, instances }: Findings): void {
    const hasRelaxed = host.relaxed !== 'none' && host.relaxed !== 'broken'
    for (const { name, kernels, threads, y, used, error } of exact) {
      const which = `${name}, ${kernels}, ${threads} threads`
      if (kernels === 'relaxed' && !hasRelaxed) {
        expect(error, which).toBe('UnsupportedError')
        continue
      }
      const expected = layers.find((layer) => layer.name === name)?.y
      expect(error, which).toBeUndefined()
      expect(y, which).toEqual(expected)
      expect(used, which).toBe(host.sharedMemory ? threads : 1)
    }
    expect(exact.length).toBe(layers.length * 6)
    expect(texts).toEqual(expected.texts)
    const [recogniser, , product] = expected.bits
    expect(bits).toEqual([recogniser, recogniser, product, product])
    if (host.runtime === 'edge') expect(instances).toEqual({ error: 'UnsupportedError' })
    else expect(instances).toEqual({ texts, count: 2, threads: 1 })
  }

  it.for(Object.keys(runtimes))(
    'gives the same integers and the same text in %s',
    { timeout: 300_000 },
    async (name, context) => {
      const found = await findRuntime(name)
      if ('missing' in found) return context.skip(found.missing)
      const script = fileURLToPath(new URL('./command-line.mjs', import.meta.url))
      const printed = await output(found.binary, [...runtimes[name], script, index, folder])
      const findings = JSON.parse(printed) as Findings
      check(findings)
      expect(findings.host.sharedMemory).toBe(true)
    },
  )

  it('gives the same integers and the same text in workerd, which compiles no Wasm from bytes', async ({ skip }) => {
    const found = await findRuntime('workerd')
    if ('missing' in found) return skip(found.missing)
    const script = fileURLToPath(new URL('./errand.mjs', import.meta.url))
    const configuration = await writeWorkerdProgram(folder, join(root, 'dist'), script)
    const printed = await output(found.binary, ['test', configuration])
    const findings = JSON.parse(printed) as Findings
    check(findings)
    expect(findings.host).toMatchObject({ runtime: 'edge', sharedMemory: false })
  }, 300_000)

  it.skipIf(missingChromium !== undefined).each([true, false])(
    'gives the same integers and the same text in a page (cross-origin isolated: %s)',
    async (isolated) => {
      const served = await serve({
        pages: { '/': '<!doctype html><meta charset="utf-8"><title>whittle</title>' },
        folders: { '/dist/': join(root, 'dist'), '/runtimes/': join(root, 'test/runtimes'), '/errand/': folder },
        isolated,
      })
      const browser = await launchChromium()
      try {
        const page = await browser.newPage()
        await page.goto(`${served.origin}/`)
        // a text: the bundler of this suite must not follow its imports
        const findings: Findings = await page.evaluate(`(async () => {
          const whittle = await import('/dist/index.js')
          const { runErrand } = await import('/runtimes/errand.mjs')
          const read = async (name) => new Uint8Array(await (await fetch('/errand/' + name)).arrayBuffer())
          return runErrand(whittle, read, (name) => '/errand/' + name)
        })()`)
        check(findings)
        expect(findings.host.sharedMemory).toBe(isolated)
      } finally {
        await browser.close()
        await served.close()
      }
    },
    120_000,
  )
})
