// SPDX-License-Identifier: Apache-2.0
/**
 * Measures one group in this process and writes its result: `group.mjs <repository> <group> <quick | full> <file>`.
 * A contender that cannot run a case is noted with its reason; it is never left out silently.
 */
import { writeFile } from 'node:fs/promises'
import { cpus, loadavg } from 'node:os'
import { probe } from '../src/index.ts'
import type { FormChoice } from '../src/ir/lowering.ts'
import type { CaseResult, GroupResult, Setting } from './harness/results.ts'
import { type Contender, type Effort, timeInRounds } from './harness/rounds.ts'
import { quantile } from './harness/statistics.ts'
import { type OpenedModel, openModel, peerVersions } from './models/engines.ts'
import { type Case, groups } from './models/groups.ts'

const efforts: Readonly<Record<string, Effort>> = {
  full: { warmUp: 600, time: 2000, samples: [15, 101] },
  quick: { warmUp: 150, time: 200, samples: [5, 21] },
}

async function measure({ name, macs, entrants, input }: Case, threads: number, effort: Effort): Promise<CaseResult> {
  const feed = await input()
  const opened: OpenedModel[] = []
  const contenders: (Contender & { readonly model: OpenedModel })[] = []
  const missing: Record<string, string> = {}
  const forms: Record<string, FormChoice> = {}
  for (const entrant of entrants) {
    try {
      const model = await openModel(entrant.engine, await entrant.model(), feed, threads)
      opened.push(model)
      await model.run()
      const form = await model.form?.()
      if (form) forms[entrant.name] = form
      contenders.push({ name: entrant.name, model, run: () => model.run() })
    } catch (error) {
      missing[entrant.name] = (error instanceof Error ? error.message : String(error)).split('\n')[0]
    }
  }
  const timed = contenders.length === 0 ? [] : await timeInRounds(contenders, effort)
  const outside: (number | undefined)[] = []
  for (const { model } of contenders) outside.push(await shareOutside(model))
  for (const model of opened) await model.close()
  const entries = timed.map(({ name: contender, batch, summary }, i) => {
    const outsideWasm = outside[i]
    return { contender, batch, ...summary, ...(outsideWasm === undefined ? {} : { outsideWasm }) }
  })
  return { name, macs, entries, missing, ...(Object.keys(forms).length > 0 ? { forms } : {}) }
}

/** Runs that the share of time outside Wasm is the median of, each the last of some in a row: asking for the split disturbs the next. */
const splitRuns = 9
const runsInARow = 10

async function shareOutside({ run, inWasm }: OpenedModel): Promise<number | undefined> {
  if (!inWasm) return undefined
  const shares: number[] = []
  for (let i = 0; i < splitRuns; i++) {
    for (let j = 1; j < runsInARow; j++) await run()
    const start = performance.now()
    await run()
    const time = performance.now() - start
    shares.push(1 - (await inWasm()) / time)
  }
  return quantile(shares, 0.5)
}

/** Longer than the thread pools of the peers look for work before they sleep. */
const restBetweenPools = 20

const [root, name, effortName, file] = process.argv.slice(2)
const group = groups.find((candidate) => candidate.name === name)!
const [before] = loadavg()
const host = await probe()
const cases: CaseResult[] = []
for (const one of await group.cases(root)) {
  const rest = group.threads > 1 ? { rest: restBetweenPools } : {}
  const result = await measure(one, group.threads, { ...efforts[effortName], ...rest })
  const figures = result.entries.map(({ contender, median }) => `${contender} ${median.toFixed(3)} ms`)
  console.error(`${group.name} ${one.name}: ${figures.join(', ')}`)
  cases.push(result)
}
const { model = 'unknown processor' } = cpus()[0] ?? {}
const setting: Setting = {
  date: new Date().toISOString(),
  processor: model,
  cores: cpus().length,
  runtime: `Node ${process.versions.node} (V8 ${process.versions.v8})`,
  build: group.threads > 1 ? `${host.build}-threads` : host.build,
  relaxed: host.relaxed,
  threads: group.threads,
  peaks: host.peaks,
  load: [before, loadavg()[0]],
  peers: peerVersions(),
}
const result: GroupResult = { group: group.name, title: group.title, setting, cases }
await writeFile(file, `${JSON.stringify(result, null, 2)}\n`)
process.exit(0)
