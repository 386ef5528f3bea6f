// SPDX-License-Identifier: Apache-2.0
/**
 * The published files in a page, unbundled, with only an import map: with cross-origin isolation (threads) and without.
 * On the simd build, which no host may round otherwise, the int8 model gives the same bits as in this process, the page's own thread goes on while the engine works,
 * and what is fetched is counted. On two instances a page without isolation uses two cores.
 */
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Tensor, load } from '../../src/index.ts'
import { compressed } from '../models/compressed.ts'
import { ocrModel } from '../models/data.ts'
import { launchChromium, missingChromium } from './chromium.ts'
import { importMap } from './import-map.ts'
import { type Served, serve } from './server.ts'

if (missingChromium !== undefined) console.warn(missingChromium)

const root = fileURLToPath(new URL('../../', import.meta.url))
const WIDTH = 320
/** Gzipped JavaScript that a page may fetch to load and run a `.whittle` model. */
const SCRIPT_LIMIT = 60_000

const html = `<!doctype html><meta charset="utf-8"><title>whittle</title>
<script type="importmap">${JSON.stringify({ imports: { ...importMap, whittle: '/dist/index.js' } })}</script>
<script type="module">
  import { load, probe, Tensor } from 'whittle'
  window.whittle = { load, probe, Tensor }
</script>`

function pixels(): Float32Array {
  return Float32Array.from({ length: 3 * 48 * WIDTH }, (_, i) => Math.sin(i * 0.01) * ((i % 7) / 7))
}

/** A page's answer goes through JSON, where a text is a hundred times as fast as a list of numbers. */
interface Outcome {
  /** The output's bytes in base64. */
  readonly data: string
  readonly ticks: number
  readonly threads: number
}

describe.skipIf(missingChromium !== undefined)('in a page', () => {
  let browser: Browser
  let folder: string
  let expected: string
  beforeAll(async () => {
    browser = await launchChromium()
    folder = mkdtempSync(join(tmpdir(), 'whittle-page-'))
    const model = await compressed(ocrModel('ch_PP-OCRv4_rec_infer.onnx'), 'int8')
    writeFileSync(join(folder, 'model.whittle'), model)
    await using session = await load(model, { threads: 1, kernels: 'simd' })
    const outputs = await session.run({ x: new Tensor('float32', pixels(), [1, 3, 48, WIDTH]) })
    expected = Buffer.from((Object.values(outputs)[0].data as Float32Array).buffer).toString('base64')
  })
  afterAll(() => browser?.close())

  async function visit(served: Served, worker = true): Promise<Outcome> {
    const page = await browser.newPage()
    const problems: string[] = []
    page.on('pageerror', (error) => problems.push(String(error)))
    try {
      await page.goto(`${served.origin}/`)
      await page.waitForFunction('window.whittle !== undefined')
      const result = await page.evaluate(
        async ({ width, data, worker }) => {
          const { load, Tensor } = (window as unknown as { whittle: typeof import('../../src/index.ts') }).whittle
          let ticks = 0
          const timer = setInterval(() => ticks++, 1)
          const options = worker ? { threads: 2 } : { worker }
          const session = await load('/model/model.whittle', { ...options, kernels: 'simd' })
          const before = ticks
          const outputs = await session.run({ x: new Tensor('float32', Float32Array.from(data), [1, 3, 48, width]) })
          clearInterval(timer)
          const bytes = new Uint8Array((Object.values(outputs)[0].data as Float32Array).buffer)
          await session.dispose()
          let text = ''
          for (let at = 0; at < bytes.length; at += 30_000)
            text += btoa(String.fromCharCode(...bytes.subarray(at, at + 30_000)))
          return { data: text, ticks: ticks - before, isolated: crossOriginIsolated }
        },
        { width: WIDTH, data: Array.from(pixels()), worker },
      )
      expect(problems).toEqual([])
      return { data: result.data, ticks: result.ticks, threads: result.isolated && worker ? 2 : 1 }
    } finally {
      await page.close()
    }
  }

  const served = (isolated: boolean): Promise<Served> =>
    serve({
      pages: { '/': html },
      folders: { '/dist/': `${root}dist/`, '/node_modules/': `${root}node_modules/`, '/model/': folder },
      isolated,
    })

  it('gives the same bits in its own thread, and fetches no worker then', async () => {
    const site = await served(true)
    try {
      const { data } = await visit(site, false)
      expect(data === expected).toBe(true)
      expect(site.requests.filter((path) => /worker/.test(path))).toEqual([])
    } finally {
      await site.close()
    }
  })

  it.each([true, false])(
    'gives the bits of a run in this process (cross-origin isolated: %s)',
    async (isolated) => {
      const site = await served(isolated)
      try {
        const { data, ticks } = await visit(site)
        expect(data.length).toBe(expected.length)
        expect(data === expected).toBe(true)
        expect(ticks).toBeGreaterThan(0)
        const scripts = [...new Set(site.requests)].filter((path) => /\.m?js$/.test(path))
        const sizes = scripts.map((path) => gzipSync(readFileSync(join(root, path)), { level: 9 }).byteLength)
        expect(
          sizes.reduce((sum, size) => sum + size, 0),
          scripts.join(' '),
        ).toBeLessThanOrEqual(SCRIPT_LIMIT)
        expect(scripts.filter((path) => /onnx|passes|reference/.test(path))).toEqual([])
      } finally {
        await site.close()
      }
    },
    120_000,
  )

  it('serves overlapping runs on two instances without cross-origin isolation, each with its own bits, and fetches the model once', async () => {
    const scales = [1, 0.5, -1, 0.25, 2]
    const image = pixels()
    await using session = await load(join(folder, 'model.whittle'), { threads: 1, kernels: 'simd' })
    const wanted: string[] = []
    for (const scale of scales) {
      const x = new Tensor(
        'float32',
        image.map((value) => value * scale),
        [1, 3, 48, WIDTH],
      )
      const [y] = Object.values(await session.run({ x }))
      wanted.push(
        createHash('sha256')
          .update(new Uint8Array((y.data as Float32Array).buffer))
          .digest('hex'),
      )
    }
    const site = await served(false)
    const page = await browser.newPage()
    const problems: string[] = []
    let started = 0
    page.on('worker', () => started++)
    page.on('pageerror', (error) => problems.push(String(error)))
    try {
      await page.goto(`${site.origin}/`)
      await page.waitForFunction('window.whittle !== undefined')
      const got = await page.evaluate(
        async ({ width, data, scales }) => {
          const { load, Tensor } = (window as unknown as { whittle: typeof import('../../src/index.ts') }).whittle
          const session = await load('/model/model.whittle', { instances: 2, kernels: 'simd' })
          const runs = scales.map((scale) => {
            const values = Float32Array.from(data, (value) => value * scale)
            return session.run({ x: new Tensor('float32', values, [1, 3, 48, width]) })
          })
          const hashes: string[] = []
          for (const outputs of await Promise.all(runs)) {
            const { buffer } = Object.values(outputs)[0].data as Float32Array<ArrayBuffer>
            const bytes = new Uint8Array(await crypto.subtle.digest('SHA-256', buffer))
            hashes.push(Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(''))
          }
          const { instances, threads } = await session.profile()
          await session.dispose()
          const after = await session.run({}).catch((error: Error) => error.name)
          return { hashes, instances, threads, after, isolated: crossOriginIsolated }
        },
        { width: WIDTH, data: Array.from(image), scales },
      )
      expect(problems).toEqual([])
      expect(got).toEqual({ hashes: wanted, instances: 2, threads: 1, after: 'StateError', isolated: false })
      expect(started).toBe(2)
      await expect.poll(() => page.workers()).toHaveLength(0)
      expect(site.requests.filter((path) => path.startsWith('/model/'))).toEqual(['/model/model.whittle'])
    } finally {
      await page.close()
      await site.close()
    }
  }, 120_000)
})
