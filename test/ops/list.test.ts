// SPDX-License-Identifier: Apache-2.0
/** The list of operators for users is that of the table. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { loadOps, opTable } from '../../src/ops/table.ts'

interface Script {
  readonly file: string
  operatorsText(ops: Readonly<Record<string, unknown>>): Promise<string>
}

test('docs/operators.md names every operator, and whether it has kernels (node scripts/operators.mjs writes it)', async () => {
  const script = (await import(new URL('../../scripts/operators.mjs', import.meta.url).href)) as Script
  const names = Object.keys(opTable)
  const ops = await loadOps(names)
  const byName = Object.fromEntries(names.map((name) => [name, ops.get(name)]))
  expect(readFileSync(script.file, 'utf8')).toBe(await script.operatorsText(byName))
})
