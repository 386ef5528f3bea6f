// SPDX-License-Identifier: Apache-2.0
/**
 * Compiles `assembly/` into the four builds of `asconfig.json`, at `build/wasm/<target>.wasm`; vector constants leave their
 * loops at the end (hoist-constants.mjs). Each has a custom section `build_id` (WebAssembly tool conventions) that names its
 * code and the package's version: what is measured of a build is kept under that name (src/runtime/measurements.ts).
 *
 * The sources are hashed together with the configuration and the compiler's version; a target whose stamp in
 * `build/wasm/stamps/` equals that hash is left alone, so a build without changes costs nothing. Targets compile in
 * processes of their own, as many at a time as the machine has cores.
 *
 *     node scripts/build-wasm.mjs [target …] [--force] [--text]      # --text: .wat files too
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { generateAssembly } from './generate-assembly.mjs'
import { hoistConstants } from './hoist-constants.mjs'
import { root } from './load-source.mjs'

const self = fileURLToPath(import.meta.url)
const outFolder = path.join(root, 'build/wasm')

/** Names of the builds, from asconfig.json. */
export async function wasmTargets() {
  return Object.keys(JSON.parse(await readFile(path.join(root, 'asconfig.json'), 'utf8')).targets)
}

const versionOf = async () => JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')).version

async function sourceHash() {
  const hash = createHash('sha256')
  const entries = await readdir(path.join(root, 'assembly'), { recursive: true })
  const files = entries.filter((name) => name.endsWith('.ts')).sort()
  for (const name of files) hash.update(name).update(await readFile(path.join(root, 'assembly', name)))
  hash.update(await readFile(path.join(root, 'asconfig.json')))
  hash.update(await readFile(path.join(root, 'scripts/hoist-constants.mjs')))
  hash.update(`build_id ${await versionOf()}`)
  hash.update(await readFile(path.join(root, 'node_modules/assemblyscript/package.json')))
  return hash.digest('hex')
}

/** Compiles one target in this process; the file appears under its name only when it is whole. */
async function compile(target, text) {
  const asc = await import('assemblyscript/asc')
  const config = JSON.parse(await readFile(path.join(root, 'asconfig.json'), 'utf8'))
  const outFile = config.targets[target].outFile
  let module = ''
  const { error } = await asc.main(['--config', 'asconfig.json', '--target', target, '--textFile', `${target}.wat`], {
    stdout: { write: (s) => process.stdout.write(s) },
    stderr: { write: (s) => process.stderr.write(s) },
    writeFile: (name, contents) => {
      if (name === `${target}.wat`) module = contents
    },
  })
  if (error) {
    process.stderr.write(`asc ${target}: ${error.message}\n`)
    return false
  }
  const hoisted = hoistConstants(module)
  const unfinished = `${outFile}.${process.pid}.tmp`
  await writeFile(unfinished, withBuildId(await assemble(hoisted), await versionOf()))
  if (text) await writeFile(outFile.replace(/\.wasm$/, '.wat'), hoisted)
  await rename(unfinished, outFile)
  return true
}

/** The module with the section behind it: 8 bytes of a hash. */
function withBuildId(bytes, version) {
  const name = Buffer.from('build_id')
  const id = createHash('sha256').update(version).update(bytes).digest().subarray(0, 8)
  const content = [name.length, ...name, id.length, ...id]
  return Buffer.concat([bytes, Uint8Array.of(0, content.length, ...content)])
}

/** The bytes of a module in text form. */
async function assemble(text) {
  const { default: binaryen } = await import('assemblyscript/binaryen')
  const module = binaryen.parseText(text)
  module.setFeatures(binaryen.Features.All)
  if (!module.validate()) throw new Error('wasm: the module is not valid')
  const bytes = module.emitBinary()
  module.dispose()
  return bytes
}

function compileElsewhere(target, text) {
  const args = [self, '--compile', target, ...(text ? ['--text'] : [])]
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
    child.on('exit', (code) => resolve(code === 0))
    child.on('error', () => resolve(false))
  })
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
  const failed = []
  const queue = [...stale]
  const work = async () => {
    for (let target = queue.shift(); target; target = queue.shift()) {
      if (!(await compileElsewhere(target, text))) failed.push(target)
      else await writeFile(path.join(stamps, target), hash)
    }
  }
  await Promise.all(Array.from({ length: Math.min(stale.length, availableParallelism()) }, work))
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
    if (flag('--compile')) process.exitCode = (await compile(targets[0], flag('--text'))) ? 0 : 1
    else await buildWasm({ targets, force: flag('--force'), text: flag('--text') })
  } catch (error) {
    console.error(error.message)
    process.exitCode = 1
  }
}
