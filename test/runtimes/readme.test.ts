// SPDX-License-Identifier: Apache-2.0
/** The README's page and its program for Deno, run as they stand, beside a package that is installed and a model. */
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compressedFile } from '../models/compressed.ts'
import { ocrModel } from '../models/data.ts'
import { launchChromium, missingChromium } from '../page/chromium.ts'
import { serve } from '../page/server.ts'
import { findRuntime, output } from './fetched.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** The first block of code under a heading of the README. */
async function codeUnder(heading: string): Promise<string> {
  const text = await readFile(join(root, 'README.md'), 'utf8')
  const section = text.split(/^### /m).find((part) => part.startsWith(`${heading}\n`)) ?? ''
  const [, code] = /^```\w+\n([\s\S]*?)^```/m.exec(section) ?? []
  expect(code, `code under '${heading}'`).toBeDefined()
  return code
}

describe('the README', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'whittle-readme-'))
    const model = await compressedFile(ocrModel('ch_PP-OCRv4_rec_infer.onnx'), 'int8')
    await copyFile(model, join(folder, 'model.whittle'))
    await mkdir(join(folder, 'node_modules'))
    await symlink(root, join(folder, 'node_modules/whittle'), 'junction')
    await writeFile(join(folder, 'package.json'), '{ "type": "module", "dependencies": { "whittle": "*" } }\n')
  }, 60_000)
  afterAll(() => rm(folder, { recursive: true, force: true }))

  it.for(['deno', 'node20', 'bun'])('has ten lines that run in %s', { timeout: 300_000 }, async (name, context) => {
    const code = await codeUnder('In Deno')
    expect(code.trimEnd().split('\n').length).toBe(10)
    const found = await findRuntime(name)
    if ('missing' in found) return context.skip(found.missing)
    // Node 20 reads no .ts, and these lines have no types in them
    const program = name === 'node20' ? 'main.js' : 'main.ts'
    await writeFile(join(folder, program), code)
    const flags = name === 'deno' ? ['run', '--allow-read', '--no-prompt', '--cached-only'] : []
    expect(await output(found.binary, [...flags, program], folder)).toMatch(
      /^(simd|relaxed) \S+ float32 1 x \d+ x \d+\n$/,
    )
  })

  it.skipIf(missingChromium !== undefined).each([true, false])(
    'has ten lines that are a page (cross-origin isolated: %s)',
    async (isolated) => {
      const html = await codeUnder('In a page')
      expect(html.trimEnd().split('\n').length).toBe(10)
      const folders = { '/node_modules/whittle/': root, '/model.whittle': join(folder, 'model.whittle') }
      const served = await serve({ pages: { '/': html }, folders, isolated })
      const browser = await launchChromium()
      try {
        const page = await browser.newPage()
        const problems: string[] = []
        page.on('pageerror', (error) => problems.push(String(error)))
        await page.goto(`${served.origin}/`)
        await page.waitForFunction(`document.querySelector('pre').textContent !== ''`, undefined, { timeout: 60_000 })
        expect(await page.textContent('pre')).toMatch(/^float32\[1,\d+,\d+\]$/)
        expect(problems).toEqual([])
      } finally {
        await browser.close()
        await served.close()
      }
    },
    120_000,
  )
})
