// SPDX-License-Identifier: Apache-2.0
/**
 * The demo: compresses the PP-OCRv4 text recogniser to int8, writes the .whittle file, and holds float32, int8 and
 * onnxruntime-web beside each other on the text lines in demo/lines. Every number it prints was measured in this run; what
 * the compression did to the model layer by layer is in the report that it writes, build/demo/report.html.
 */
import { execFile } from 'node:child_process'
import { mkdir, rename, stat, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import Table from 'cli-table3'
import { compare, probe } from 'whittle'
import { compress, measure, reportPage } from 'whittle/compress'
import { open } from './engines.mjs'
import { readKeys, readLines, readText, recogniserPath } from './ocr.mjs'

/** Rounds in which the engines take turns on every line, after one that is not counted. */
const ROUNDS = 9
/** Fresh processes per engine for the cold start. */
const COLD_STARTS = 3

const output = fileURLToPath(new URL('../build/demo/', import.meta.url))
await mkdir(output, { recursive: true })

const host = await probe()
console.log(
  `${cpus()[0]?.model ?? 'unknown processor'}, ${host.runtime}, build ${host.build}, relaxed dot: ${host.relaxed}\n`,
)

const paths = {}
for (const recipe of ['float32', 'int8']) {
  const { model } = await compress(recogniserPath, recipe)
  paths[recipe] = `${output}ch_PP-OCRv4_rec.${recipe}.whittle`
  await writeFile(`${paths[recipe]}.tmp`, model)
  await rename(`${paths[recipe]}.tmp`, paths[recipe])
}
console.log(`wrote ${paths.int8}\n`)

const contenders = [
  { title: 'onnxruntime-web float32', engine: 'onnxruntime-web', path: recogniserPath },
  { title: 'whittle float32', engine: 'whittle', path: paths.float32 },
  { title: 'whittle int8', engine: 'whittle', path: paths.int8 },
]

for (const contender of contenders) {
  const starts = []
  for (let i = 0; i < COLD_STARTS; i++) starts.push(await coldStart(contender))
  contender.load = median(starts.map(({ load }) => load))
  contender.firstRun = median(starts.map(({ firstRun }) => firstRun))
  contender.bytes = (await stat(contender.path)).size
  contender.model = await open(contender.engine, contender.path)
  contender.results = []
  contender.rounds = new Array(ROUNDS).fill(0)
}

const keys = await readKeys()
const lines = await readLines()
for (const line of lines) {
  const times = contenders.map(() => [])
  for (let round = -1; round < ROUNDS; round++) {
    for (const [i, { model, results }] of contenders.entries()) {
      const start = performance.now()
      const outputs = await model.run({ [model.inputs[0]]: line })
      const time = performance.now() - start
      if (round >= 0) {
        times[i].push(time)
        contenders[i].rounds[round] += time / lines.length
      } else results.push({ line, output: outputs[model.outputs[0]] })
    }
  }
  for (const [i, { results }] of contenders.entries()) {
    const result = results.at(-1)
    result.time = median(times[i])
    result.text = readText(result.output, keys)
  }
}

const [peer, float32, int8] = contenders
const texts = new Table({
  head: ['line', 'engine', 'text read', 'ms', 'ratio'],
  colAligns: ['left', 'left', 'left', 'right', 'right'],
})
for (const [i, line] of lines.entries()) {
  const rows = contenders.map(({ title, results }) => {
    const { text, time } = results[i]
    return [title, text, time.toFixed(1), percent(time, peer.results[i].time)]
  })
  const stacked = [0, 1, 2, 3].map((column) => rows.map((row) => row[column]).join('\n'))
  texts.push([`${line.name}\n${line.dims[3]} x ${line.dims[2]}`, ...stacked])
}
console.log(texts.toString())
console.log(`ms: median of ${ROUNDS} rounds in which the engines take turns, one thread; ratio: to ${peer.title}\n`)

const figures = new Table({
  head: [
    '\nengine',
    '\nbytes on disk',
    'of the\nONNX file',
    'load\nms',
    'first\nrun ms',
    'median\nms a line',
    'output\ncosine',
    'largest\nerror',
    '/ largest\nvalue',
  ],
  colAligns: ['left', ...new Array(8).fill('right')],
  chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
})
for (const contender of contenders) {
  const off = contender === peer ? undefined : worst(contender, peer)
  figures.push([
    contender.title,
    contender.bytes.toLocaleString('en'),
    percent(contender.bytes, peer.bytes, 1),
    contender.load.toFixed(0),
    contender.firstRun.toFixed(0),
    median(contender.results.map(({ time }) => time)).toFixed(1),
    off?.cosine.toFixed(6) ?? '',
    off?.absolute.toExponential(2) ?? '',
    off?.relative.toExponential(2) ?? '',
  ])
}
console.log(figures.toString())
console.log(
  `load, first run: median of ${COLD_STARTS} fresh processes; cosine and errors: against ${peer.title}, the worst line\n`,
)

const own = await compare(
  float32.model.session,
  int8.model.session,
  lines.map((line) => feed(int8, line)),
)
console.log('int8 against float32, both in whittle, all lines:')
const ownTable = new Table({
  head: ['output', 'cosine', 'largest error', 'largest error / largest value', 'signal to noise, dB'],
})
for (const { name, cosine, maxAbsError, maxRelError, snr } of own.outputs) {
  ownTable.push([name, cosine.toFixed(6), maxAbsError.toExponential(2), maxRelError.toExponential(2), snr.toFixed(1)])
}
console.log(ownTable.toString())

const measured = await measure(
  { label: 'ONNX file, float32', source: recogniserPath },
  { label: 'whittle file, int8', source: paths.int8 },
  lines.map((line) => feed(int8, line)),
  {
    title: 'PP-OCRv4 text recogniser in int8',
    machine: cpus()[0]?.model,
    inputs: 'the text lines in demo/lines',
    rounds: 1,
  },
)
const report = `${output}report.html`
const data = {
  ...measured,
  notes: [
    `Errors are measured on the ${lines.length} text lines in demo/lines; latencies are the mean of all lines in each of ${ROUNDS} rounds in which the engines take turns, after one that does not count.`,
  ],
  latencies: contenders.map(({ title, rounds }) => ({ label: title, runs: rounds })),
}
await writeFile(report, await reportPage(data))
console.log(`report: ${report}\n`)

const wrong = lines.filter((_, i) => int8.results[i].text !== float32.results[i].text)
for (const { model } of contenders) await model.close()
if (wrong.length > 0) {
  console.error(`int8 reads ${wrong.map(({ name }) => name).join(', ')} otherwise than float32`)
  process.exit(1)
}
console.log(`int8 reads all ${lines.length} lines as float32 does`)
process.exit(0)

async function coldStart({ engine, path }) {
  const script = fileURLToPath(new URL('./cold-start.mjs', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [script, engine, path])
  return JSON.parse(stdout.trim().split('\n').at(-1))
}

function feed({ model }, { data, dims }) {
  return { [model.inputs[0]]: { type: 'float32', data, dims } }
}

/** The worst of each figure over all lines. */
function worst(contender, reference) {
  const all = contender.results.map(({ output }, i) => errors(output.data, reference.results[i].output.data))
  return {
    cosine: Math.min(...all.map(({ cosine }) => cosine)),
    absolute: Math.max(...all.map(({ absolute }) => absolute)),
    relative: Math.max(...all.map(({ relative }) => relative)),
  }
}

function percent(part, whole, digits = 0) {
  return `${((100 * part) / whole).toFixed(digits)} %`
}

function errors(a, b) {
  let dot = 0
  let aa = 0
  let bb = 0
  let absolute = 0
  let largest = 0
  for (let i = 0; i < b.length; i++) {
    dot += a[i] * b[i]
    aa += a[i] * a[i]
    bb += b[i] * b[i]
    absolute = Math.max(absolute, Math.abs(a[i] - b[i]))
    largest = Math.max(largest, Math.abs(b[i]))
  }
  return { cosine: dot / Math.sqrt(aa * bb), absolute, relative: absolute / largest }
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
