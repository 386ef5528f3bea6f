// SPDX-License-Identifier: Apache-2.0
/**
 * Writes `dist/types/`: the declarations that the package's entries reach, and no others.
 *
 * tsc declares every source file under `build/types/` with specifiers that end in `.ts`; from the entries on, the files
 * that are reached are copied with specifiers that end in `.js`, which is what a consumer's resolver looks up.
 */
import { spawn } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { root } from './load-source.mjs'

const entries = ['index.d.ts', 'compress.d.ts']
const specifier = /((?:\bfrom|\bimport)\s*\(?\s*['"])(\.{1,2}\/[^'"]+)\.ts(['"])/g

/** `Symbol.dispose` and `Symbol.asyncDispose`: TypeScript 5.2 and newer. */
const disposable = /\bSymbol\.(async)?[dD]ispose\b/
const disposableLib = '/// <reference lib="esnext.disposable" />\n'

function run(args) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
    child.on('exit', (code) => resolve(code === 0))
    child.on('error', () => resolve(false))
  })
}

/** @returns {Promise<string[]>} paths written, relative to `dist` */
export async function buildTypes(dist = path.join(root, 'dist')) {
  const ok = await run(['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'])
  if (!ok) throw new Error('types: tsc found errors')
  const written = []
  const seen = new Set(entries)
  for (const name of seen) {
    const text = await readFile(path.join(root, 'build/types', name), 'utf8')
    const shipped = text.replace(specifier, (_, head, target, quote) => {
      seen.add(path.posix.join(path.posix.dirname(name), `${target}.d.ts`))
      return `${head}${target}.js${quote}`
    })
    const file = path.join(dist, 'types', name)
    await mkdir(path.dirname(file), { recursive: true })
    await writeFile(file, disposable.test(text) ? disposableLib + shipped : shipped)
    written.push(`types/${name}`)
  }
  return written
}
