// SPDX-License-Identifier: Apache-2.0
/**
 * `npm run conformance -- [--data DIR] [--json] [--only PATTERN] [--update]`: replays the ONNX project's own operator
 * tests through the built library (`npm run build` first): load, run, compare.
 *
 * Each case runs once as written and once with every input but the first turned into a constant. A child process runs
 * them one after the other; one that crashes or takes too long ends its case only, and another child goes on. A variant
 * that test/conformance/passing-*.txt lists and that no longer passes makes the exit code 1; `--update` adds to the lists.
 */
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { CaseRunner } from './case-runner.mjs'
import { loadSources, root } from './load-source.mjs'

const halves = ['current', 'legacy']

/** Milliseconds a case may take, on a machine that does other things too. */
const patience = 120_000

const sources = { replay: 'test/conformance/replay.ts', model: 'test/conformance/model.ts' }

/** In the child: runs the cases the parent names, one at a time. */
async function serve(folder) {
  const [{ load }, { replay, model }] = await Promise.all([
    import(new URL('../dist/index.js', import.meta.url).href),
    loadSources(sources),
  ])
  const lists = Object.fromEntries(halves.map((half) => [half, replay.conformanceCases(half, folder)]))
  const run = async (bytes, feeds) => {
    const session = await load(bytes, { threads: 1, measurements: false })
    try {
      return await session.run(feeds)
    } finally {
      await session.dispose()
    }
  }
  process.on('message', async ({ half, index, variant }) => {
    process.send(await model.replayModel(path.join(folder, half), lists[half][index], variant, run))
  })
  process.send('ready')
}

const listFile = (half) => path.join(root, `test/conformance/passing-${half}.txt`)

async function listOf(half) {
  try {
    return (await readFile(listFile(half), 'utf8')).split('\n').filter((line) => line !== '')
  } catch {
    return []
  }
}

function report(half, outcomes) {
  const share = (some, all) =>
    `${some.length} of ${all.length} (${((100 * some.length) / all.length || 0).toFixed(1)} %)`
  for (const variant of ['written', 'constants']) {
    const own = outcomes.filter((one) => one.variant === variant)
    const common = own.filter(({ test }) => test.opTier === 1 && test.typeTier < 3)
    const passing = (list) => list.filter(({ result }) => result === 'passed')
    console.log(`${half}, ${variant}: ${share(passing(own), own)} pass; common ones ${share(passing(common), common)}`)
  }
  for (const { line, result, reason } of outcomes) {
    if (result !== 'passed') console.log(`  ${line}: ${result}, ${reason.split('\n')[0]}`)
  }
}

async function main() {
  const { values } = parseArgs({
    options: {
      data: { type: 'string' },
      json: { type: 'boolean' },
      only: { type: 'string' },
      update: { type: 'boolean' },
    },
  })
  const shared = process.env.WHITTLE_DATA ?? path.join(root, '../shared')
  const folder = path.resolve(values.data ?? path.join(shared, 'conformance'))
  for (const [file, todo] of [
    [path.join(folder, 'current/manifest.json'), 'name the folder of the cases by --data or WHITTLE_DATA'],
    [path.join(root, 'dist/index.js'), 'npm run build'],
  ]) {
    if (existsSync(file)) continue
    console.error(`${file}: expected a file, got nothing; ${todo}`)
    process.exitCode = 2
    return
  }
  const { replay, model } = await loadSources(sources)
  const runner = new CaseRunner(fileURLToPath(import.meta.url), [folder], patience)
  const summary = {}
  let lost = 0
  for (const half of halves) {
    const outcomes = []
    for (const [index, test] of replay.conformanceCases(half, folder).entries()) {
      for (const variant of model.variants) {
        const line = model.lineOf(test, variant)
        if (values.only && !new RegExp(values.only).test(line)) continue
        outcomes.push({ line, test, variant, ...(await runner.run({ half, index, variant })) })
      }
    }
    const passing = outcomes.filter(({ result }) => result === 'passed').map(({ line }) => line)
    const listed = await listOf(half)
    const gone = outcomes.filter(({ line, result }) => result !== 'passed' && listed.includes(line))
    lost += gone.length
    if (values.update) await writeFile(listFile(half), `${[...new Set([...listed, ...passing])].sort().join('\n')}\n`)
    summary[half] = outcomes.map(({ line, result, reason }) => ({ case: line, result, ...(reason ? { reason } : {}) }))
    if (!values.json) report(half, outcomes)
    for (const { line, reason } of gone) console.error(`passed before: ${half} ${line}: ${reason}`)
  }
  runner.stop()
  if (values.json) console.log(JSON.stringify(summary))
  process.exitCode = lost > 0 ? 1 : 0
}

if (process.send) await serve(process.argv[2])
else await main()
