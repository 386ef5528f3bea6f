// SPDX-License-Identifier: Apache-2.0
/** Cases measured in a page of headless Chromium: cross-origin isolated, whittle's published files, the peer beside it. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { launchChromium, missingChromium } from '../test/page/chromium.ts'
import { importMap } from '../test/page/import-map.ts'
import { serve } from '../test/page/server.ts'
import type { Place } from './group.ts'
import type { Input } from './models/open.ts'
import type { Exposed, ServedCase, ServedInput } from './page.ts'

const imports = {
  ...importMap,
  whittle: '/dist/index.js',
  'onnxruntime-web': '/node_modules/onnxruntime-web/dist/ort.wasm.min.mjs',
}
const html = `<!doctype html><meta charset="utf-8"><title>whittle bench</title>
<script type="importmap">${JSON.stringify({ imports })}</script>
<script type="module" src="/bench/page.mjs"></script>`

/** What a page cannot have. */
const nativePeer = { 'onnxruntime-node': 'native code' }

type BenchWindow = typeof globalThis & { readonly whittleBench?: Exposed }

/** @throws Error where the machine has no Chromium */
export async function openPage(root: string): Promise<Place> {
  if (missingChromium !== undefined) throw new Error(missingChromium)
  const browser = await launchChromium()
  const folder = await mkdtemp(path.join(tmpdir(), 'whittle-bench-'))
  const folders = {
    '/dist/': path.join(root, 'dist/'),
    '/node_modules/': path.join(root, 'node_modules/'),
    '/bench/': path.join(root, 'build/bench/'),
    '/data/': `${folder}/`,
  }
  const served = await serve({ pages: { '/': html }, folders, isolated: true })
  const page = await browser.newPage()
  page.on('pageerror', (error) => console.error(`page: ${error.message}`))
  await page.goto(`${served.origin}/`)
  await page.waitForFunction(() => (globalThis as BenchWindow).whittleBench !== undefined)
  let files = 0
  const put = async (bytes: Uint8Array): Promise<string> => {
    const name = `${files++}.bin`
    await writeFile(path.join(folder, name), bytes)
    return `/data/${name}`
  }
  return {
    runtime: `Chromium ${browser.version()}`,
    host: await page.evaluate(() => (globalThis as BenchWindow).whittleBench!.probe()),
    async measure({ entrants, input }, threads, effort) {
      const given = await input()
      const inputs = await putInputs(given, put)
      const back = ('back' in given && given.back) || {}
      const fitting: ServedCase['entrants'][number][] = []
      for (const { name, engine, model } of entrants) {
        if (engine === 'onnxruntime-node') continue
        const url = await put(await model())
        fitting.push({ name, engine, url })
        if (engine === 'whittle' && threads === 1)
          fitting.push({ name: `${name}, no worker`, engine: 'whittle without worker', url })
      }
      const one: ServedCase = { entrants: fitting, inputs, back, threads, effort }
      const measured = await page.evaluate((given) => (globalThis as BenchWindow).whittleBench!.measure(given), one)
      return { ...measured, missing: { ...nativePeer, ...measured.missing } }
    },
    async close() {
      await browser.close()
      await served.close()
      await rm(folder, { recursive: true })
    },
  }
}

/** Writes the data of an input where the page finds it. */
async function putInputs(input: Input, put: (bytes: Uint8Array) => Promise<string>): Promise<ServedInput[]> {
  const feeds = 'feeds' in input ? Object.entries(input.feeds) : ([['', { ...input, type: 'float32' }]] as const)
  const inputs: ServedInput[] = []
  for (const [name, { type, dims, data }] of feeds) {
    const url = await put(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    inputs.push({ ...(name === '' ? {} : { name }), type, dims, url })
  }
  return inputs
}
