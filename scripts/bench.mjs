// SPDX-License-Identifier: Apache-2.0
/**
 * `npm run bench`: measures whittle beside its peers, prints tables, and leaves JSON in the host's folder of `bench/results/`
 * (bench/harness/results.ts) and a page in `build/bench/`.
 *
 *     npm run bench -- [group …] [--runtime node24] [--quick] [--native] [--out folder]
 *
 * Each group runs in a process of its own, one after the other, under Node 24 unless told otherwise; `--runtime chromium`
 * measures in a page of the machine's Chromium. --native fetches onnxruntime-node into `.cache/peers/` and takes it in.
 * --quick measures briefly, for trying things out.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { rolldown } from 'rolldown'
import { root } from './load-source.mjs'
import { fetchRuntime } from './runtimes.mjs'

const built = path.join(root, 'build/bench')
const peers = path.join(root, '.cache/peers')
/** The peer's version is that of the onnxruntime-web beside it. */
const nativePeer = 'onnxruntime-node@1.30.0'

/** Sources that are measured as they ship. */
const shipped = new Map([
  [path.join(root, 'src/index.ts'), path.join(root, 'dist/index.js')],
  [path.join(root, 'src/compress.ts'), path.join(root, 'dist/compress.js')],
])

const shippedSources = {
  name: 'shipped-sources',
  resolveId(source, importer) {
    if (!importer || !source.startsWith('.')) return undefined
    const file = shipped.get(path.resolve(path.dirname(importer), source))
    return file ? { id: file, external: 'absolute' } : undefined
  },
}

/** Bundles the TypeScript of `bench/`. */
async function bundle() {
  const input = Object.fromEntries(
    ['group', 'report', 'models/groups'].map((name) => [path.basename(name), path.join(root, `bench/${name}.ts`)]),
  )
  const external = (id) => !id.startsWith('.') && !path.isAbsolute(id) && id !== 'pbf'
  const bundled = await rolldown({ input, platform: 'node', external, logLevel: 'warn', plugins: [shippedSources] })
  await bundled.write({ dir: built, format: 'esm', entryFileNames: '[name].mjs', chunkFileNames: '[name]-[hash].mjs' })
  await bundled.close()
}

/** Bundles what runs in a page, which finds whittle and the peer by its import map. */
async function bundlePage() {
  const served = {
    name: 'served-sources',
    resolveId(source, importer) {
      const file = importer && source.startsWith('.') && path.resolve(path.dirname(importer), source)
      return file && shipped.has(file) ? { id: 'whittle', external: true } : undefined
    },
  }
  const input = path.join(root, 'bench/page.ts')
  const bundled = await rolldown({ input, platform: 'browser', external: ['onnxruntime-web'], plugins: [served] })
  await bundled.write({ file: path.join(built, 'page.mjs'), format: 'esm' })
  await bundled.close()
}

/** Runs a command; what a script of ours sends on the way goes to `heard`. */
async function run(command, args, heard) {
  // each process measures the host for itself
  const env = { ...process.env, WHITTLE_PEERS: peers, WHITTLE_MEASUREMENTS: 'off' }
  const stdio = ['inherit', 'inherit', 'inherit', ...(heard ? ['ipc'] : [])]
  const child = spawn(command, args, { cwd: root, stdio, env })
  if (heard) child.on('message', heard)
  // the channel may end after the process
  const [[code]] = await Promise.all([once(child, 'exit'), heard && once(child, 'disconnect')])
  if (code !== 0) throw new Error(`bench: ${args[0]} ended with ${code}`)
}

async function fetchNativePeer() {
  if (existsSync(path.join(peers, 'node_modules/onnxruntime-node'))) return
  await mkdir(peers, { recursive: true })
  await writeFile(path.join(peers, 'package.json'), '{ "private": true }\n')
  await run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', peers, nativePeer])
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      runtime: { type: 'string', default: 'node24' },
      quick: { type: 'boolean', default: false },
      native: { type: 'boolean', default: false },
      out: { type: 'string' },
    },
  })
  const out = values.out === undefined ? [] : [path.resolve(root, values.out)]
  const inPage = values.runtime === 'chromium'
  const node = inPage || values.runtime === 'node' ? process.execPath : await fetchRuntime(values.runtime)
  await run(process.execPath, ['scripts/build.mjs', 'wasm', 'scripts'])
  await bundle()
  if (inPage) await bundlePage()
  if (values.native)
    await fetchNativePeer().catch((error) => console.error(`onnxruntime-node: skipped, ${error.message}`))
  const { groups } = await import(pathToFileURL(path.join(built, 'groups.mjs')).href)
  const all = groups.map(({ name }) => name)
  const wanted = positionals.length > 0 ? positionals : all
  const unknown = wanted.filter((name) => !all.includes(name))
  if (unknown.length > 0) throw new Error(`group: expected ${all.join(', ')}, got ${unknown.join(', ')}`)
  const files = []
  for (const name of wanted) {
    const args = [root, name, values.quick ? 'quick' : 'full', inPage ? 'chromium' : 'node', ...out]
    await run(node, [path.join(built, 'group.mjs'), ...args], (file) => files.push(file))
  }
  await run(node, [path.join(built, 'report.mjs'), path.join(built, 'index.html'), ...files])
}

try {
  await main()
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}
