// SPDX-License-Identifier: Apache-2.0
/**
 * Every row of the kernel table, on every build this runtime validates, against a double-precision oracle. The table
 * drives it: a row without an oracle fails. `npm run test:matrix` does the same on all runtimes and several threads, of
 * which a sample is here.
 */
import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../src/base/rng.ts'
import { kernelNames } from '../../src/kernels/table.ts'
import { buildNames, checkCase, loadBuild, type KernelCase } from './kernel.ts'
import { runMatrix } from './matrix.ts'
import { loadOracles, widestBound } from './oracles.ts'

const oracles = await loadOracles()
const cases = new Map<string, readonly KernelCase[]>(
  kernelNames.map((name, i) => [name, oracles[name]?.(seededRandom(i + 1)) ?? []]),
)

test('every kernel of the table has an oracle, and no oracle is without a kernel', () => {
  const names: readonly string[] = kernelNames
  expect(names.filter((name) => !cases.get(name)?.length)).toEqual([])
  expect(Object.keys(oracles).filter((name) => !names.includes(name))).toEqual([])
})

/** What is promised of the values, for a title. */
function promise(kernel: string): string {
  const bound = widestBound(cases.get(kernel)!)
  return bound === 0
    ? "the oracle's values exactly"
    : `the oracle's values within ${bound.toExponential(1)} of the largest`
}

for (const name of buildNames) {
  const build = loadBuild(name)
  if (!build) {
    test.skip(`build ${name}: this runtime does not validate it`, () => {})
    continue
  }
  describe(`build ${name}`, () => {
    for (const kernel of kernelNames) {
      if (!oracles[kernel]) continue
      test(`${kernel} gives ${promise(kernel)} for any split of its units, and writes nothing else`, () => {
        for (const one of cases.get(kernel)!) checkCase(build, kernel, one)
      })
    }
  })
}

test('a sample of cases gives the same bits on one to four threads, and the same exact results in every build', async () => {
  const [wasm, helpers] = ['../../build/wasm/', '../../dist/helper-worker.js'].map((at) => new URL(at, import.meta.url))
  const reports = await runMatrix(oracles, { wasm: wasm!, helpers: helpers!, seeds: 1, share: 0.15 })
  const accepted = Object.values(reports).filter((report) => report !== null)
  expect(accepted.flatMap(({ failures }) => failures)).toEqual([])
  for (const { checksums } of accepted) expect(checksums).toEqual(accepted[0]!.checksums)
}, 120_000)
