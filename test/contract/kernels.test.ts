// SPDX-License-Identifier: Apache-2.0
/**
 * Every row of the kernel table, on every build this runtime validates, against a double-precision oracle. The table
 * drives it: each file of oracles/ exports `oracles`, one entry for each row of its family, and a row without one fails.
 */
import { readdirSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../src/base/rng.ts'
import { kernelNames } from '../../src/kernels/table.ts'
import { buildNames, checkCase, loadBuild, type KernelCase, type Oracle } from './kernel.ts'

const files = readdirSync(new URL('./oracles/', import.meta.url)).filter((name) => name.endsWith('.ts'))
const modules = await Promise.all(
  files.map((name) => import(`./oracles/${name.slice(0, -3)}.ts`) as Promise<{ oracles?: Record<string, Oracle> }>),
)
const oracles: Record<string, Oracle> = Object.assign({}, ...modules.map((one) => one.oracles ?? {}))
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
      test(`${kernel} gives the oracle's values for any split of its units, and writes nothing else`, () => {
        for (const one of cases.get(kernel)!) checkCase(build, kernel, one)
      })
    }
  })
}
