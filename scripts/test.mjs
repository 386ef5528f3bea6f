// SPDX-License-Identifier: Apache-2.0
/**
 * `npm test`: builds, holds the code against its rules, runs every suite under this Node and the engine's suites again
 * under Node 24, where relaxed SIMD is.
 *
 * The sources are checked, one check after the other, while the build and the suites go on beside them: together they
 * keep the cores of a small machine busy. What a check or the build prints appears in one piece when it ends. A failed
 * part does not hide the others, but suites are not run on a broken build. The last line counts tests of all suites; a
 * part that fails without suites counts as one failed test.
 */
import { spawn } from 'node:child_process'
import { mkdir, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { root } from './load-source.mjs'
import { fetchRuntime } from './runtimes.mjs'

/** Folders of suites whose result may depend on the JavaScript engine: run again under the other Nodes. */
const engineSuites = ['assembly', 'contract', 'conformance', 'runtime', 'api', 'models'].map((room) => `test/${room}/`)
const otherNodes = ['node24']

const bin = (file) => path.join(root, 'node_modules', file)
const reports = path.join(root, 'build/test')

const build = { name: 'build', args: ['scripts/build.mjs'] }
const staticChecks = [
  { name: 'lint', args: [bin('oxlint/bin/oxlint'), '--format', 'unix'] },
  { name: 'types', args: [bin('typescript/bin/tsc'), '--noEmit', '-p', '.'] },
  { name: 'format', args: [bin('oxfmt/bin/oxfmt'), '--list-different'] },
]

const total = { passed: 0, failed: 0 }
const summary = []

function note(name, verdict, since) {
  const seconds = ((performance.now() - since) / 1000).toFixed(1)
  summary.push(`${name.padEnd(18)} ${verdict} (${seconds} s)`)
}

function run(command, args, { quiet = false, env = {} } = {}) {
  return new Promise((resolve) => {
    const stdio = ['ignore', quiet ? 'pipe' : 'inherit', quiet ? 'pipe' : 'inherit']
    const child = spawn(command, args, { cwd: root, stdio, env: { ...process.env, ...env } })
    let text = ''
    child.stdout?.on('data', (data) => (text += data))
    child.stderr?.on('data', (data) => (text += data))
    child.on('error', (error) => resolve({ ok: false, text: `${text}${error.message}\n` }))
    child.on('close', (code) => resolve({ ok: code === 0, text }))
  })
}

async function check({ name, args }) {
  const since = performance.now()
  const { ok, text } = await run(process.execPath, args, { quiet: true })
  if (text.trim()) console.log(`\n== ${name}\n${text.trimEnd()}`)
  if (!ok) total.failed++
  note(name, ok ? 'fine' : 'FAILED', since)
  return ok
}

/** Counts of a vitest report; a file that fails before its tests counts as one failed test. */
async function countTests(report) {
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(await readFile(report, 'utf8'))
  const broken = testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  )
  return { passed: numPassedTests, failed: numFailedTests + broken.length }
}

async function suites(name, node, filters) {
  const since = performance.now()
  console.log(`\n== suites under ${name}`)
  const report = path.join(reports, `${name}.json`)
  await rm(report, { force: true })
  const args = ['run', '--passWithNoTests', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const { ok } = await run(node, [bin('vitest/vitest.mjs'), ...args, ...filters], { env: { WHITTLE_BUILT: '1' } })
  const counts = await countTests(report).catch(() => ({ passed: 0, failed: 1 }))
  if (!ok && counts.failed === 0) counts.failed = 1
  total.passed += counts.passed
  total.failed += counts.failed
  note(`suites ${name}`, counts.failed === 0 ? `${counts.passed} passed` : `${counts.failed} FAILED`, since)
}

async function suitesElsewhere(name) {
  const since = performance.now()
  let binary
  try {
    binary = await fetchRuntime(name)
  } catch (error) {
    console.log(`\n== suites under ${name}: skipped, since it could not be fetched: ${error.message}`)
    note(`suites ${name}`, 'skipped', since)
    return
  }
  await suites(name, binary, engineSuites)
}

async function checkSources() {
  for (const part of staticChecks) await check(part)
}

async function buildAndTest() {
  if (!(await check(build))) return
  const here = `node${process.versions.node.split('.')[0]}`
  await suites(here, process.execPath, [])
  for (const name of otherNodes) if (name !== here) await suitesElsewhere(name)
}

await mkdir(reports, { recursive: true })
await Promise.all([checkSources(), buildAndTest()])
console.log(`\n${summary.join('\n')}\n\n${total.passed} passed, ${total.failed} failed`)
process.exitCode = total.failed === 0 ? 0 : 1
