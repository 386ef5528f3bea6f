// SPDX-License-Identifier: Apache-2.0
/**
 * Every row of the kernel table, on every build this runtime validates, against a double-precision oracle. The table
 * drives it: a row without an oracle fails. `npm run test:matrix` does the same on all runtimes and several threads, of
 * which a sample is here.
 */
import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../src/base/rng.ts'
import { kernelNames } from '../../src/kernels/table.ts'
import { buildNames, checkCase, loadBuild, readsBytes, type KernelCase } from './kernel.ts'
import { runMatrix } from './matrix.ts'
import { loadOracles, promiseOf } from './oracles.ts'

const oracles = await loadOracles()
const cases = new Map<string, readonly KernelCase[]>(
  kernelNames.map((name, i) => [name, oracles[name]?.(seededRandom(i + 1)) ?? []]),
)

test('every kernel of the table has an oracle, and no oracle is without a kernel', () => {
  const names: readonly string[] = kernelNames
  expect(names.filter((name) => !cases.get(name)?.length)).toEqual([])
  expect(Object.keys(oracles).filter((name) => !names.includes(name))).toEqual([])
})

for (const name of buildNames) {
  const build = loadBuild(name)
  if (!build) {
    test.skip(`build ${name}: this runtime does not validate it`, () => {})
    continue
  }
  describe(`build ${name}`, () => {
    for (const kernel of kernelNames) {
      if (!oracles[kernel]) continue
      const all = cases.get(kernel)!
      const asked = all.filter(({ bytes }) => !bytes || readsBytes(build, bytes))
      test(`${kernel} gives ${promiseOf(all)} for any split of its units, and writes nothing else`, () => {
        for (const one of asked) checkCase(build, kernel, one)
      })
      const left = all.length - asked.length
      if (left > 0)
        test.skip(`${kernel}: ${left} cases, this host's dot is not one of unsigned bytes above 127`, () => {})
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
