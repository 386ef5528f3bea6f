// SPDX-License-Identifier: Apache-2.0
/**
 * `npm run bench:pick`: times every way there is to do the products of real models (`bench/shapes/`) and marks the one
 * that the library picks.
 *
 *     npm run bench:pick -- [filter] [--assert] [--runtime node24]      # node: the one that runs this
 *
 * --assert fails where a pick is behind the fastest by more than 5 %. One that seems to be is measured again at the end, longer and
 * alone against its rivals (bench/pick/race.ts), and only that counts. Takes some minutes.
 */
import { spawn } from 'node:child_process'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { rolldown } from 'rolldown'
import { root } from './load-source.mjs'
import { fetchRuntime } from './runtimes.mjs'

/** How far behind the fastest a pick may be. */
const bound = 0.05

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { assert: { type: 'boolean', default: false }, runtime: { type: 'string', default: 'node24' } },
})
const node = values.runtime === 'node' ? process.execPath : await fetchRuntime(values.runtime)

function run(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit' })
    child.on('error', reject)
    child.on('exit', resolve)
  })
}

if (!process.env.WHITTLE_BUILT) {
  const code = await run(process.execPath, ['scripts/build.mjs', 'wasm'])
  if (code !== 0) process.exit(code)
}
const external = (id) => !id.startsWith('.') && !path.isAbsolute(id) && id !== 'pbf'
const input = { pick: path.join(root, 'bench/pick.ts') }
const bundled = await rolldown({ input, platform: 'node', external, logLevel: 'warn' })
const folder = path.join(root, 'build/bench-pick')
await bundled.write({ dir: folder, format: 'esm', entryFileNames: '[name].mjs', chunkFileNames: '[name]-[hash].mjs' })
await bundled.close()
const file = path.join(folder, 'pick.mjs')
process.exitCode = await run(node, [file, root, values.assert ? String(bound) : '0', positionals[0] ?? ''])
