// SPDX-License-Identifier: Apache-2.0
/**
 * Holds the package against what a user gets: packs it, installs the tarball in an empty folder and uses it there. Looks
 * at `dist/` as the last build left it.
 */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writeNpy } from '../src/format/npy.ts'
import { Tensor } from '../src/tensor/tensor.ts'
import { ocrModel } from './models/data.ts'
import { parseSource, sourcesIn } from './support/sources.ts'

const root = path.resolve(import.meta.dirname, '..')
const execute = promisify(execFile)
const npm = (args: readonly string[], cwd: string): Promise<{ stdout: string }> =>
  execute('npm', [...args, '--ignore-scripts', '--no-audit', '--no-fund'], { cwd, shell: process.platform === 'win32' })

interface Packed {
  readonly filename: string
  readonly size: number
  readonly files: readonly { readonly path: string }[]
}

describe('the built files', () => {
  const scripts = sourcesIn(root, 'dist').filter((name) => name.endsWith('.js'))
  const texts = new Map(scripts.map((name) => [name, readFileSync(path.join(root, name), 'utf8')]))

  test('are there', () => {
    expect(scripts, 'npm run build').toEqual(
      expect.arrayContaining(['dist/index.js', 'dist/compress.js', 'dist/cli.js', 'dist/engine-worker.js']),
    )
  })

  test('hold no sample generators', () => {
    const facets = scripts.filter((name) => /\/(ops|references)\//.test(name))
    expect(facets.length).toBeGreaterThan(0)
    expect(facets.filter((name) => /\bsamples\b/.test(texts.get(name) ?? ''))).toEqual([])
    expect(
      scripts.filter((name) => /\bsamples\s*[,}]/.test(texts.get(name)?.match(/export\{[^}]*\}/)?.[0] ?? '')),
    ).toEqual([])
  })

  test('keep references out of the chunks that lowerings are in', () => {
    const exported = (name: string): string => texts.get(name)?.match(/export\{[^}]*\}/)?.[0] ?? ''
    expect(scripts.filter((name) => name.includes('/ops/') && !/\bas ops\b/.test(exported(name)))).toEqual([])
    expect(scripts.filter((name) => name.includes('/ops/') && /\breferences\b/.test(exported(name)))).toEqual([])
    expect(scripts.filter((name) => name.includes('/references/') && /\bops\b/.test(exported(name)))).toEqual([])
  })

  test('hold no Wasm as text', () => {
    expect(scripts.filter((name) => /AGFzbQ|data:application\/wasm/.test(texts.get(name) ?? ''))).toEqual([])
  })

  test('but the command import by relative address only, and Node’s modules only by import()', () => {
    const wrong = scripts
      .filter((name) => name !== 'dist/cli.js')
      .flatMap((name) =>
        parseSource(name, texts.get(name) ?? '')
          .imports.filter((i) => (i.target.startsWith('node:') ? !i.dynamic : !texts.has(i.target)))
          .map((i) => `${name} imports ${i.target}`),
      )
    expect(wrong).toEqual([])
  })
})

describe('the package', () => {
  let folder = ''
  let packed: Packed

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'whittle-package-'))
    const { stdout } = await npm(['pack', '--json', '--pack-destination', folder], root)
    packed = (JSON.parse(stdout) as Packed[])[0] as Packed
    await mkdir(path.join(folder, 'user'))
    await writeFile(path.join(folder, 'user/package.json'), '{ "private": true, "type": "module" }\n')
    await npm(['install', '--prefer-offline', `../${packed.filename}`], path.join(folder, 'user'))
  }, 180_000)

  afterAll(() => rm(folder, { recursive: true, force: true }))

  const user = (): string => path.join(folder, 'user')

  test('passes publint', async () => {
    const { messages, pkg } = await publint({ pkgDir: root, pack: 'npm', strict: true })
    expect(messages.map((message) => formatMessage(message, pkg as Record<string, unknown>))).toEqual([])
  })

  test('holds what ships and nothing else', () => {
    const names = packed.files.map((file) => file.path)
    expect(names).toEqual(
      expect.arrayContaining(['LICENSE', 'README.md', 'CHANGELOG.md', 'dist/wasm/relaxed-threads.wasm']),
    )
    const foreign = names.filter((name) => !/^(dist|docs)\//.test(name) && !/^[A-Z]+(\.md)?$/.test(name))
    expect(foreign).toEqual(['package.json'])
  })

  test('is imported by its names from an empty folder', async () => {
    const code = `
      import * as whittle from 'whittle'
      import * as compress from 'whittle/compress'
      console.log(JSON.stringify({ whittle: Object.keys(whittle), compress: Object.keys(compress) }))`
    const { stdout } = await execute(process.execPath, ['--input-type=module', '-e', code], { cwd: user() })
    const names = JSON.parse(stdout) as { whittle: string[]; compress: string[] }
    expect(names.whittle).toEqual(expect.arrayContaining(['Tensor', 'compare', 'load', 'probe']))
    expect(names.compress).toEqual(expect.arrayContaining(['compress']))
  })

  test('finds its Wasm where it was installed', async () => {
    const code = `import { probe } from 'whittle'; console.log(JSON.stringify(await probe()))`
    const { stdout } = await execute(process.execPath, ['--input-type=module', '-e', code], { cwd: user() })
    expect(JSON.parse(stdout)).toMatchObject({ runtime: 'node' })
  })

  describe('does what the README shows', () => {
    const readme = readFileSync(path.join(root, 'README.md'), 'utf8')
    const section = (heading: string): string => readme.slice(readme.indexOf(`${heading}\n`)).split(/^##/m, 2)[0]
    const blocks = (heading: string, language: string): string[] =>
      [...section(heading).matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, 'gm'))].map(([, code]) => code)

    beforeAll(async () => {
      const line = new Tensor('float32', new Float32Array(3 * 48 * 320), [1, 3, 48, 320])
      await copyFile(ocrModel('ch_PP-OCRv4_rec_infer.onnx'), path.join(user(), 'model.onnx'))
      await writeFile(path.join(user(), 'line.npy'), writeNpy(line))
    })

    test('under its first heading: compresses, runs and compares, code as it stands', async () => {
      expect(blocks('Use it', 'sh')).toEqual(['npm install whittle\n'])
      const programs = blocks('Use it', 'js')
      expect(programs).toHaveLength(2)
      let printed = ''
      for (const [i, code] of programs.entries()) {
        await writeFile(path.join(user(), `readme-${i}.js`), code)
        printed += (await execute(process.execPath, [`readme-${i}.js`], { cwd: user() })).stdout
      }
      expect(printed).toMatch(/softmax_11\.tmp_0 float32 \[ 1, 40, 6625 \]/)
    }, 120_000)

    test('on the command line', async () => {
      const [commands] = blocks('On the command line', 'sh')
      const lines = commands.trimEnd().split('\n')
      expect(lines.length).toBeGreaterThanOrEqual(5)
      const bin = path.join(user(), 'node_modules/.bin')
      for (const line of lines) {
        const [npx, command, ...args] = line.split(' ')
        expect([npx, command]).toEqual(['npx', 'whittle'])
        const { stdout } = await execute(path.join(bin, command), args, {
          cwd: user(),
          shell: process.platform === 'win32',
        })
        expect(stdout.length, line).toBeGreaterThan(20)
      }
    }, 120_000)
  })

  test('brings a command that helps', async () => {
    const { stdout } = await execute(path.join(user(), 'node_modules/.bin/whittle'), ['--help'], {
      cwd: user(),
      shell: process.platform === 'win32',
    })
    for (const command of ['inspect', 'compress', 'compare', 'run', 'probe']) expect(stdout).toContain(command)
  })

  test.each(['NodeNext', 'Bundler'])('brings types that resolve under moduleResolution %s', async (resolution) => {
    const code = `
      import { load, compare, probe, Tensor } from 'whittle'
      import { compress } from 'whittle/compress'
      export async function use(bytes: Uint8Array): Promise<Tensor | undefined> {
        const { model } = await compress(bytes, 'int8', {})
        const session = await load(model, { threads: 1 })
        const outputs = await session.run({ x: new Tensor('float32', new Float32Array(4), [4]) })
        await compare(session, session, {})
        await probe()
        await session.dispose()
        return Object.values(outputs)[0]
      }
      // @ts-expect-error: a number is no model
      void load(1)`
    await writeFile(path.join(user(), 'use.ts'), code)
    const tsc = path.join(root, 'node_modules/typescript/bin/tsc')
    const mode = resolution === 'NodeNext' ? 'NodeNext' : 'ESNext'
    const args = ['--strict', '--noEmit', '--target', 'ES2022', '--lib', 'ES2023,DOM', '--skipDefaultLibCheck']
    const how = ['--module', mode, '--moduleResolution', resolution]
    const { stdout } = await execute(process.execPath, [tsc, ...args, ...how, 'use.ts'], { cwd: user() }).catch(
      (error: { stdout?: string }) => ({ stdout: error.stdout ?? String(error) }),
    )
    expect(stdout).toBe('')
  })
})

describe('a page that runs a .whittle model', () => {
  test('fetches at most 60 KB of gzipped JavaScript', async () => {
    expect(existsSync(path.join(root, 'build/bundle.json')), 'npm run build').toBe(true)
    const { pageSize } = (await import(new URL('../scripts/size.mjs', import.meta.url).href)) as {
      pageSize: () => Promise<{ total: number }>
    }
    expect((await pageSize()).total).toBeLessThanOrEqual(60_000)
  })
})
