// SPDX-License-Identifier: Apache-2.0
/**
 * Measures one group, in this process or in a page of Chromium, and writes its result:
 * `group.mjs <repository> <group> <quick | full> <node | chromium> [folder]`. The folder is the host's of `bench/results/`
 * unless one is given; the file's name goes to the process that asked for it. A contender that cannot run a case is noted with its reason; it is never
 * left out silently.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { cpus, loadavg } from 'node:os'
import path from 'node:path'
import { probe } from '../src/index.ts'
import { measure } from './harness/measure.ts'
import { type CaseResult, type GroupResult, type Setting, fileOf, nameOf } from './harness/results.ts'
import { openModel, peerVersions } from './models/engines.ts'
import { type Case, groups } from './models/groups.ts'

/** Where cases are measured. */
export interface Place {
  readonly runtime: string
  readonly host: Awaited<ReturnType<typeof probe>>
  measure(one: Case, threads: number, effort: string): ReturnType<typeof measure>
  close(): Promise<void>
}

async function thisProcess(): Promise<Place> {
  return {
    runtime: `Node ${process.versions.node} (V8 ${process.versions.v8})`,
    host: await probe(),
    async measure({ entrants, input }, threads, effort) {
      const feed = await input()
      const participants = entrants.map(({ name, engine, model }) => ({
        name,
        open: async () => openModel(engine, await model(), feed, threads),
      }))
      return measure(participants, threads, effort)
    },
    close: () => Promise.resolve(),
  }
}

const [root, name, effort, where, folder] = process.argv.slice(2)
const group = groups.find((candidate) => candidate.name === name)!
const [before] = loadavg()
const place = where === 'chromium' ? await (await import('./chromium.ts')).openPage(root) : await thisProcess()
const { runtime, host } = place
const cases: CaseResult[] = []
try {
  for (const one of await group.cases(root)) {
    const result = { name: one.name, macs: one.macs, ...(await place.measure(one, group.threads, effort)) }
    const figures = result.entries.map(({ contender, median }) => `${contender} ${median.toFixed(3)} ms`)
    console.error(`${group.name} ${one.name}: ${figures.join(', ')}`)
    cases.push(result)
  }
} finally {
  await place.close()
}
const crossovers =
  group.crossovers && where === 'node' ? { crossovers: await group.crossovers(root, effort) } : undefined
// its data is not there; what an earlier run left stays
if (cases.length === 0) process.exit(0)
const { model = 'unknown processor' } = cpus()[0] ?? {}
const setting: Setting = {
  date: new Date().toISOString(),
  processor: model,
  cores: cpus().length,
  runtime,
  build: group.threads > 1 ? `${host.build}-threads` : host.build,
  relaxed: host.relaxed,
  threads: group.threads,
  peaks: host.peaks,
  load: [before, loadavg()[0]],
  peers: peerVersions(),
}
const result: GroupResult = { group: group.name, title: group.title, setting, cases, ...crossovers }
const file =
  folder === undefined
    ? path.join(root, 'bench/results', fileOf(group.name, setting))
    : path.join(folder, nameOf(group.name, runtime))
await mkdir(path.dirname(file), { recursive: true })
await writeFile(file, `${JSON.stringify(result, null, 2)}\n`)
if (process.send) await new Promise((resolve) => process.send!(file, resolve))
process.exit(0)
