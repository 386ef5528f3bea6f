// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest'
import { loadReferences } from '../../src/ops/references.ts'
import { loadOps, moduleOf, opTable } from '../../src/ops/table.ts'

it('loads the definitions asked for and leaves out names it does not have', async () => {
  const ops = await loadOps(['Relu', 'Relu', 'whittle.Conv', 'Frobnicate', 'toString'])
  expect(ops.get('Relu')).toBeDefined()
  expect(ops.get('whittle.Conv')).toBeDefined()
  expect(ops.get('Abs')).toBeUndefined()
  expect(ops.get('Frobnicate')).toBeUndefined()
  expect(ops.get('toString')).toBeUndefined()
})

it('tells the names of the whole table, for messages about unknown ones', async () => {
  expect([...(await loadOps([])).keys!()]).toEqual(Object.keys(opTable))
})

it('loads references the same way', async () => {
  const references = await loadReferences(['Relu', 'Frobnicate', 'constructor'])
  expect([...references.keys()]).toEqual(['Relu'])
})

it('has its lines in alphabetical order, operators of other domains last', () => {
  const names = Object.keys(opTable)
  const own = names.filter((name) => !name.includes('.'))
  const others = names.filter((name) => name.includes('.'))
  expect(names).toEqual([...own.sort(), ...others.sort()])
})

it('knows no names but its own', () => {
  expect(moduleOf('hasOwnProperty')).toBeUndefined()
})
