// SPDX-License-Identifier: Apache-2.0
/**
 * A long campaign against the loader and the runtime: `npm run fuzz -- --count 1000000`.
 *
 * Cases run in a child process, so that a crash, a hang or a memory that runs out ends its case only: the child writes
 * down which case it is at, the parent watches the clock, notes the case and goes on behind it in a new child. Time in
 * which both are stopped does not count. Progress is kept in `build/fuzz/state.json`; `--resume` goes on from there. Exit
 * code 0 only when nothing was found.
 */
import { fork } from 'node:child_process'
import { mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { clearInterval, setInterval } from 'node:timers'
import { parseArgs } from 'node:util'
import { loadSources, root } from './load-source.mjs'

const folder = path.join(root, 'build', 'fuzz')
const stateFile = path.join(folder, 'state.json')
/** The number of the case under way, as a double. */
const caseFile = path.join(folder, 'case')
/** Seconds between two looks at it. */
const tick = 0.5

const { values: options } = parseArgs({
  options: {
    count: { type: 'string', default: '20000' },
    from: { type: 'string', default: '0' },
    minutes: { type: 'string', default: 'Infinity' },
    limit: { type: 'string', default: '20' },
    resume: { type: 'boolean', default: false },
    worker: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

if (options.help) {
  console.log(`npm run fuzz -- [--count N] [--from SEED] [--minutes M] [--limit SECONDS] [--resume]
  --count    cases to try (20000)
  --from     number of the first one (0); a case is a function of its number
  --minutes  stop after this time
  --limit    seconds that one case may take (20)
  --resume   go on where the last campaign stopped, adding to its figures`)
} else if (options.worker) await work(Number(options.from), Number(options.count))
else process.exitCode = (await watch()) ? 0 : 1

/** The child: cases one after the other, told to the parent a few hundred at a time. */
async function work(from, count) {
  const { campaign: c } = await loadSources({ campaign: 'test/fuzz/campaign.ts' })
  const campaign = await c.openCampaign()
  // while the parent grants a minute: compressing one takes seconds, which are no case's own
  for (const open of campaign.large) await open()
  let tally = c.emptyTally()
  let [slowest, findings, last] = [0, [], performance.now()]
  let used = process.cpuUsage()
  const file = openSync(caseFile, 'w')
  const note = (seed) => writeSync(file, new Uint8Array(Float64Array.of(seed).buffer), 0, 8, 0)
  for (let seed = from; seed < from + count; seed++) {
    note(seed)
    const outcome = await c.runCase(campaign, seed)
    tally[outcome.ending]++
    slowest = Math.max(slowest, outcome.milliseconds)
    if (outcome.milliseconds > 1000)
      console.log(`case ${seed}, ${outcome.name}: ${Math.round(outcome.milliseconds)} ms`)
    if (outcome.ending === 'finding') findings.push(c.describeFinding(outcome))
    if (performance.now() - last < 2000 && seed < from + count - 1) continue
    const peak = process.resourceUsage().maxRSS / 1024
    const { user, system } = process.cpuUsage(used)
    const cpu = (user + system) / 1e6
    await new Promise((sent) => process.send({ done: seed + 1, tally, slowest, findings, peak, cpu }, sent))
    used = process.cpuUsage()
    tally = c.emptyTally()
    findings = []
    last = performance.now()
  }
  process.disconnect()
}

async function watch() {
  const fresh = { from: Number(options.from), next: Number(options.from), tally: {}, findings: [], lost: [] }
  const state = options.resume
    ? JSON.parse(readFileSync(stateFile, 'utf8'))
    : { ...fresh, slowest: 0, peak: 0, cpu: 0, seconds: 0 }
  const end = state.next + Number(options.count)
  const deadline = performance.now() + Number(options.minutes) * 60_000
  mkdirSync(folder, { recursive: true })
  let shown = 0
  while (state.next < end && performance.now() < deadline) {
    const start = performance.now()
    const before = state.seconds
    const lost = await watchChild(state, end - state.next, deadline, () => {
      state.seconds = before + (performance.now() - start) / 1000
      writeFileSync(stateFile, JSON.stringify(state, null, 2))
      if (performance.now() - shown < 10_000) return
      shown = performance.now()
      console.log(lineOf(state))
    })
    if (lost === undefined) continue
    console.log(`case ${lost.seed}: ${lost.why}`)
    state.lost.push(lost)
    state.next = lost.seed + 1
  }
  writeFileSync(stateFile, JSON.stringify(state, null, 2))
  console.log(lineOf(state))
  for (const finding of state.findings) console.log(`\n${finding}`)
  return state.findings.length === 0 && state.lost.length === 0
}

/** One child until it is through, lost or out of time. @returns the case it was lost at */
function watchChild(state, count, deadline, onProgress) {
  const script = fileURLToPath(import.meta.url)
  writeFileSync(caseFile, '')
  // young objects live for a case: a larger space for them is cleared seldom
  const execArgv = ['--max-semi-space-size=32']
  const child = fork(script, ['--worker', '--from', String(state.next), '--count', String(count)], { execArgv })
  return new Promise((resolve) => {
    // a minute more to begin with
    let [at, taken, why] = [state.next, -60, undefined]
    const watch = setInterval(() => {
      const now = caseAt() ?? at
      taken = now === at ? taken + tick : 0
      at = now
      if (performance.now() > deadline) child.kill('SIGKILL')
      else if (taken > Number(options.limit)) {
        why = `more than ${options.limit} seconds`
        child.kill('SIGKILL')
      }
    }, tick * 1000)
    child.on('message', (message) => {
      for (const [ending, n] of Object.entries(message.tally)) state.tally[ending] = (state.tally[ending] ?? 0) + n
      state.next = message.done
      state.slowest = Math.max(state.slowest, message.slowest)
      state.peak = Math.max(state.peak, message.peak)
      state.cpu += message.cpu
      state.findings.push(...message.findings)
      onProgress()
    })
    child.on('exit', (code, signal) => {
      clearInterval(watch)
      at = caseAt() ?? at
      const isOver = code === 0 || performance.now() > deadline
      resolve(isOver ? undefined : { seed: at, why: why ?? `the process ended (${signal ?? code})` })
    })
  })
}

/** What the child wrote down last; undefined before its first case. */
function caseAt() {
  const bytes = readFileSync(caseFile)
  return bytes.length < 8 ? undefined : bytes.readDoubleLE(0)
}

function lineOf({ from, next, tally, findings, lost, slowest, peak, cpu, seconds }) {
  const endings = Object.entries(tally).map(([ending, n]) => `${ending} ${n}`)
  const rate = Math.round((next - from) / Math.max(1, seconds))
  const own = Math.round((next - from) / Math.max(1, cpu))
  return [
    `${next - from} cases (${rate}/s, ${own} per second of the processor): ${endings.join(', ')}`,
    `${findings.length} findings, ${lost.length} lost`,
    `slowest ${Math.round(slowest)} ms, peak memory ${Math.round(peak)} MiB`,
  ].join('; ')
}
