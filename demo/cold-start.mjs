// SPDX-License-Identifier: Apache-2.0
/** Loads a model in a fresh process and runs it once; prints { load, firstRun } in milliseconds as JSON. */
import { open } from './engines.mjs'
import { readLines } from './ocr.mjs'

const [engine, path] = process.argv.slice(2)
const lines = await readLines()
const line = lines.find(({ dims }) => dims[3] === 320) ?? lines[0]
const start = performance.now()
const model = await open(engine, path)
const loaded = performance.now()
await model.run({ [model.inputs[0]]: line })
const ran = performance.now()
console.log(JSON.stringify({ load: loaded - start, firstRun: ran - loaded }))
await model.close()
process.exit(0)
