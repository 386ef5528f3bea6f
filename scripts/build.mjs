// SPDX-License-Identifier: Apache-2.0
/**
 * Builds everything that ships into `dist/`:
 *
 *     wasm/*.wasm                     the four builds, as files
 *     index.js compress.js cli.js     the library and the command
 *     engine-worker.js helper-worker.js    the worker scripts
 *     chunks/ ops/ references/        what those share and what they load on demand
 *     chart/                          the plotting library of reports, with its licence
 *     types/                          declarations
 *
 *     node scripts/build.mjs [wasm] [scripts] [types]      # all of them where none is named
 *
 * A full build ends by removing what it did not write, so `dist/` holds no leftovers.
 */
import { copyFile, mkdir, readFile, readdir, rm, rmdir, stat, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { buildTypes } from './build-types.mjs'
import { buildWasm, wasmTargets } from './build-wasm.mjs'
import { bundle } from './bundle.mjs'
import { root } from './load-source.mjs'

const dist = path.join(root, 'dist')

async function wasm() {
  await buildWasm({})
  await mkdir(path.join(dist, 'wasm'), { recursive: true })
  const files = (await wasmTargets()).map((target) => `wasm/${target}.wasm`)
  for (const file of files) await copyFile(path.join(root, 'build', file), path.join(dist, file))
  return files
}

/** Chart.js as one script; it names its source map, which does not ship. */
async function chart() {
  const folder = path.dirname(createRequire(import.meta.url).resolve('chart.js'))
  const code = await readFile(path.join(folder, 'chart.umd.min.js'), 'utf8')
  await mkdir(path.join(dist, 'chart'), { recursive: true })
  await writeFile(path.join(dist, 'chart/chart.umd.min.js'), code.replace(/\/\/# sourceMappingURL=.*\s*$/, ''))
  await copyFile(path.join(folder, '../LICENSE.md'), path.join(dist, 'chart/LICENSE.md'))
  return ['chart/chart.umd.min.js', 'chart/LICENSE.md']
}

const scripts = async () => (await Promise.all([bundle(), chart()])).flat()

const parts = { wasm, scripts, types: () => buildTypes() }

async function removeLeftovers(written) {
  const keep = new Set(written.map((file) => path.join(dist, file)))
  const names = await readdir(dist, { recursive: true })
  for (const name of names.sort().reverse()) {
    const file = path.join(dist, name)
    if ((await stat(file)).isDirectory()) {
      if ((await readdir(file)).length === 0) await rmdir(file)
    } else if (!keep.has(file)) await rm(file)
  }
}

process.chdir(root)
const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !(name in parts))
try {
  if (unknown.length > 0) throw new Error(`part: expected ${Object.keys(parts).join(', ')}, got ${unknown.join(', ')}`)
  const names = wanted.length > 0 ? wanted : Object.keys(parts)
  const written = await Promise.all(
    names.map(async (name) => {
      const files = await parts[name]()
      console.log(`built ${name}: ${files.length} files`)
      return files
    }),
  )
  if (wanted.length === 0) await removeLeftovers(written.flat())
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}
