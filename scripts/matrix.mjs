// SPDX-License-Identifier: Apache-2.0
/**
 * `npm run test:matrix`: every row of the kernel table against its oracle, on all builds, one to four threads and all
 * runtimes, and exact results held against each other over all of it.
 *
 *     npm run test:matrix -- [runtime …] [--seeds 3]
 *
 * Runtimes are those of scripts/runtimes.mjs; one that cannot be fetched is skipped, with its reason.
 */
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { rolldown } from 'rolldown'
import { root } from './load-source.mjs'
import { fetchRuntime } from './runtimes.mjs'

const all = ['node20', 'node22', 'node24', 'node26', 'deno', 'bun']
const commands = { deno: ['run', '--no-config', '--no-prompt', '--allow-read'] }
const marker = 'matrix: '

/** The runner and all oracles in one file that any runtime imports. */
async function bundle() {
  const folder = path.join(root, 'test/contract/oracles')
  const files = readdirSync(folder).filter((name) => name.endsWith('.ts'))
  const lines = [
    ...files.map((name, i) => `import * as o${i} from ${JSON.stringify(path.join(folder, name))}`),
    `import { runMatrix } from ${JSON.stringify(path.join(root, 'test/contract/matrix.ts'))}`,
    `const oracles = Object.assign({}, ${files.map((_, i) => `o${i}.oracles`).join(', ')})`,
    'const [wasm, helpers, seeds] = process.argv.slice(2)',
    'const options = { wasm: new URL(wasm), helpers: new URL(helpers), seeds: Number(seeds) }',
    `console.log(${JSON.stringify(marker)} + JSON.stringify(await runMatrix(oracles, options)))`,
    'process.exit(0)',
  ]
  const entry = 'virtual:entry'
  const bundled = await rolldown({
    input: entry,
    platform: 'node',
    external: [/^node:/],
    logLevel: 'silent',
    plugins: [
      {
        name: 'entry',
        resolveId: (id) => (id === entry ? id : undefined),
        load: (id) => (id === entry ? `import process from 'node:process'\n${lines.join('\n')}` : undefined),
      },
    ],
  })
  const file = path.join(root, 'build/matrix/run.mjs')
  await bundled.write({ file, format: 'esm', codeSplitting: false })
  await bundled.close()
  return file
}

function output(binary, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(binary, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
    let text = ''
    child.stdout.on('data', (data) => (text += data))
    child.on('error', reject)
    child.on('close', (code) => {
      const line = text.split('\n').find((one) => one.startsWith(marker))
      if (line) resolve(JSON.parse(line.slice(marker.length)))
      else reject(new Error(`ended with ${code} and no report: ${text.slice(-500)}`))
    })
  })
}

function build() {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['scripts/build.mjs', 'wasm', 'scripts'], { cwd: root, stdio: 'inherit' })
    child.on('exit', resolve)
  })
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seeds: { type: 'string', default: '3' } },
})
if (!process.env.WHITTLE_BUILT && (await build()) !== 0) process.exit(1)
const file = await bundle()
const wasm = pathToFileURL(`${path.join(root, 'build/wasm')}/`).href
const helpers = pathToFileURL(path.join(root, 'dist/helper-worker.js')).href

/** Checksums met first, by kernel, and where. */
const known = new Map()
let failed = 0
let cases = 0
const complain = (text) => {
  failed++
  console.log(`  ${text}`)
}
for (const name of positionals.length > 0 ? positionals : all) {
  let binary
  try {
    binary = await fetchRuntime(name)
  } catch (error) {
    console.log(`${name}: skipped, since it could not be fetched: ${error.message}`)
    continue
  }
  const since = performance.now()
  let reports
  try {
    reports = await output(binary, [...(commands[name] ?? []), file, wasm, helpers, values.seeds])
  } catch (error) {
    complain(`${name}: ${error.message}`)
    continue
  }
  for (const [built, report] of Object.entries(reports)) {
    if (!report) {
      console.log(`${name} ${built}: skipped, this runtime does not accept the build`)
      continue
    }
    cases += report.cases
    console.log(
      `${name} ${built}: ${report.cases} cases, threads ${report.threads}, ${report.failures.length} failures`,
    )
    report.failures.forEach(complain)
    for (const [kernel, checksum] of Object.entries(report.checksums)) {
      const first = known.get(kernel)
      if (!first) known.set(kernel, { checksum, where: `${name} ${built}` })
      else if (first.checksum !== checksum) complain(`${kernel}: exact results differ from those of ${first.where}`)
    }
  }
  console.log(`${name}: ${((performance.now() - since) / 1000).toFixed(1)} s`)
}
console.log(`${cases} cases; exact results of ${known.size} kernels compared; ${failed} failures`)
process.exitCode = failed === 0 ? 0 : 1
