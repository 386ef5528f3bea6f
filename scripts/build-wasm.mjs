// SPDX-License-Identifier: Apache-2.0
/**
 * Compiles `assembly/` into the four builds of `asconfig.json`, at `build/wasm/<target>.wasm`; vector constants leave their
 * loops at the end (hoist-constants.mjs). Each has a custom section `build_id` (WebAssembly tool conventions) that names its
 * code and the package's version: what is measured of a build is kept under that name (src/runtime/measurements.ts).
 *
 * The sources are hashed together with the configuration and the compiler's version; a target whose stamp in
 * `build/wasm/stamps/` equals that hash is left alone, so a build without changes costs nothing. Targets compile in
 * threads (compile-wasm.mjs), as many at a time as the machine has cores.
 *
 *     node scripts/build-wasm.mjs [target …] [--force] [--text]      # --text: .wat files too
 */
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import { generateAssembly } from './generate-assembly.mjs'
import { root } from './load-source.mjs'

const outFolder = path.join(root, 'build/wasm')

/** Names of the builds, from asconfig.json. */
export async function wasmTargets() {
  return Object.keys(JSON.parse(await readFile(path.join(root, 'asconfig.json'), 'utf8')).targets)
}

async function sourceHash() {
  const hash = createHash('sha256')
  const entries = await readdir(path.join(root, 'assembly'), { recursive: true })
  const files = entries.filter((name) => name.endsWith('.ts')).sort()
  for (const name of files) hash.update(name).update(await readFile(path.join(root, 'assembly', name)))
  hash.update(await readFile(path.join(root, 'asconfig.json')))
  for (const name of ['compile-wasm.mjs', 'hoist-constants.mjs']) {
    hash.update(await readFile(path.join(root, 'scripts', name)))
  }
  const { version } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8'))
  hash.update(`build_id ${version}`)
  hash.update(await readFile(path.join(root, 'node_modules/assemblyscript/package.json')))
  return hash.digest('hex')
}

/** Compiles targets one after the other in a thread, until the queue is empty. @returns {Promise<string[]>} those that failed */
async function compileQueue(queue, { text, compiled }) {
  const failed = []
  const thread = new Worker(new URL('compile-wasm.mjs', import.meta.url))
  thread.on('error', (error) => console.error(error))
  const ended = new Promise((resolve) => thread.once('exit', () => resolve(false)))
  for (let target = queue.shift(); target; target = queue.shift()) {
    const answer = new Promise((resolve) => thread.once('message', resolve))
    thread.postMessage({ target, text })
    if (await Promise.race([answer, ended])) await compiled(target)
    else failed.push(target)
  }
  thread.postMessage(undefined)
  return failed
}

/**
 * Builds what is out of date.
 * @param {{ targets?: readonly string[], force?: boolean, text?: boolean, log?: (line: string) => void }} [options]
 */
export async function buildWasm({ targets, force = false, text = false, log = console.log } = {}) {
  await generateAssembly()
  const known = await wasmTargets()
  const wanted = targets?.length ? targets : known
  const unknown = wanted.filter((target) => !known.includes(target))
  if (unknown.length) throw new Error(`target: expected ${known.join(', ')}, got ${unknown.join(', ')}`)
  const stamps = path.join(outFolder, 'stamps')
  await mkdir(stamps, { recursive: true })
  const hash = await sourceHash()
  const stale = []
  for (const target of wanted) {
    const stamp = await readFile(path.join(stamps, target), 'utf8').catch(() => '')
    const present = await stat(path.join(outFolder, `${target}.wasm`)).catch(() => undefined)
    if (force || text || !present || stamp !== hash) stale.push(target)
  }
  const queue = [...stale]
  const compiled = (target) => writeFile(path.join(stamps, target), hash)
  const threads = Array.from({ length: Math.min(stale.length, availableParallelism()) }, () =>
    compileQueue(queue, { text, compiled }),
  )
  const failed = (await Promise.all(threads)).flat()
  if (failed.length) throw new Error(`wasm: ${failed.join(', ')} did not compile`)
  for (const target of wanted) {
    const { size } = await stat(path.join(outFolder, `${target}.wasm`))
    log(`wasm/${target}.wasm  ${(size / 1024).toFixed(1)} KiB${stale.includes(target) ? '' : '  (unchanged)'}`)
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.chdir(root)
  const args = process.argv.slice(2)
  const flag = (name) => args.includes(name)
  const targets = args.filter((arg) => !arg.startsWith('--'))
  try {
    await buildWasm({ targets, force: flag('--force'), text: flag('--text') })
  } catch (error) {
    console.error(error.message)
    process.exitCode = 1
  }
}
