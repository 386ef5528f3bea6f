// SPDX-License-Identifier: Apache-2.0
/**
 * A worker thread that compiles targets of `asconfig.json`: it is sent `{ target, text }` and answers whether it went well,
 * until it is sent nothing.
 *
 * Threads of one process share the machine code of the optimiser, itself a Wasm module, once V8 has made it fast: the second
 * target takes half the time of the first.
 */
import { createHash } from 'node:crypto'
import { readFile, rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { parentPort } from 'node:worker_threads'
import asc from 'assemblyscript/asc'
import binaryen from 'assemblyscript/binaryen'
import { hoistConstants } from './hoist-constants.mjs'
import { root } from './load-source.mjs'

const readJson = async (name) => JSON.parse(await readFile(path.join(root, name), 'utf8'))

/** The file appears under its name only when it is whole. @returns {Promise<boolean>} */
async function compile(target, text) {
  const { targets } = await readJson('asconfig.json')
  const { version } = await readJson('package.json')
  const outFile = path.join(root, targets[target].outFile)
  let module = ''
  const options = ['--baseDir', root, '--config', 'asconfig.json', '--target', target, '--textFile', `${target}.wat`]
  const { error } = await asc.main(options, {
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
  await writeFile(unfinished, withBuildId(assemble(hoisted), version))
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
function assemble(text) {
  const module = binaryen.parseText(text)
  module.setFeatures(binaryen.Features.All)
  if (!module.validate()) throw new Error('wasm: the module is not valid')
  const bytes = module.emitBinary()
  module.dispose()
  return bytes
}

parentPort.on('message', async (task) => {
  if (task) parentPort.postMessage(await compile(task.target, task.text))
  else parentPort.close()
})
