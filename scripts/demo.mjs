// SPDX-License-Identifier: Apache-2.0
/**
 * `npm run demo`: builds what is out of date and runs `demo/run.mjs`, under this Node or another runtime.
 *
 *     npm run demo -- --runtime node24        # fetched on first use; the other arguments go to the demo
 */
import { spawn } from 'node:child_process'
import { parseArgs } from 'node:util'
import { root } from './load-source.mjs'
import { fetchRuntime, runtimeNames } from './runtimes.mjs'

/** Arguments with which a runtime runs a script that reads files and starts workers. */
const preludes = { deno: ['run', '--allow-all'], bun: ['run'] }

function run(command, args) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit' })
    child.on('error', (error) => {
      console.error(error.message)
      resolve(1)
    })
    child.on('exit', (code) => resolve(code ?? 1))
  })
}

async function main() {
  const options = { runtime: { type: 'string' } }
  const { values, tokens } = parseArgs({ options, strict: false, tokens: true, allowPositionals: true })
  const taken = tokens.filter((token) => token.kind === 'option' && token.name === 'runtime')
  const mine = new Set(taken.flatMap(({ index, inlineValue }) => (inlineValue ? [index] : [index, index + 1])))
  const rest = process.argv.slice(2).filter((_, i) => !mine.has(i))
  if (typeof values.runtime === 'boolean') {
    throw new Error(`--runtime: expected one of ${runtimeNames.join(', ')}, got nothing`)
  }
  const command = values.runtime ? await fetchRuntime(values.runtime) : process.execPath
  const code = await run(process.execPath, ['scripts/build.mjs', 'wasm', 'scripts'])
  if (code !== 0) return code
  return run(command, [...(preludes[values.runtime] ?? []), 'demo/run.mjs', ...rest])
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}
