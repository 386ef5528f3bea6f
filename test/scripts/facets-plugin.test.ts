// SPDX-License-Identifier: Apache-2.0
/** The plugin that ships op files by facet: what stays of a source, for each facet. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { opTable } from '../../src/ops/table.ts'

interface Plugin {
  keepFacet(code: string, facet: 'ops' | 'references', file: string): string
  compactTable(code: string, part?: 'all' | 'usual' | 'others'): string
  readonly usualOps: ReadonlySet<string>
}
const { keepFacet, compactTable, usualOps } = (await import(
  new URL('../../scripts/facets-plugin.mjs', import.meta.url).href
)) as Plugin

const source = `
import { shape } from './shape.ts'
// ümläut 😀
const ofOps = 'only ops: é'
const ofReferences = 'only references'
const ofBoth: string = 'both'
function draw(): string { return again() }
function again(): string { return draw() }
interface Kind { readonly kind: string }
export const ops = { A: { kind: ofOps + ofBoth } satisfies Kind }
export const references = { A: () => shape(ofReferences, ofBoth) }
export const samples = { A: () => draw() }
`

test('the facet of ops keeps ops and what it needs', () => {
  const kept = keepFacet(source, 'ops', 'a.ts')
  expect(kept).toContain(`const ofOps = 'only ops: é'`)
  expect(kept).toContain('export const ops = { A: { kind: ofOps + ofBoth } satisfies Kind }')
  expect(kept).toContain('const ofBoth')
  expect(kept).not.toMatch(/references|samples|ofReferences/)
})

test('the facet of references keeps references and what it needs', () => {
  const kept = keepFacet(source, 'references', 'a.ts')
  expect(kept).toContain('export const references = { A: () => shape(ofReferences, ofBoth) }')
  expect(kept).not.toMatch(/export const ops|samples|ofOps/)
})

test('functions that only call each other go with the export that called them', () => {
  expect(keepFacet(source, 'ops', 'a.ts')).not.toMatch(/draw|again/)
})

test('imports stay: the bundler drops those that nothing uses', () => {
  expect(keepFacet(source, 'ops', 'a.ts')).toContain(`import { shape } from './shape.ts'`)
})

test('a facet exported by a list is refused, since it could not be cut out', () => {
  expect(() => keepFacet('const ops = {}\nexport { ops }', 'ops', 'a.ts')).toThrow(/a\.ts: expected `export const ops/)
})

test('source that does not parse is refused with its file', () => {
  expect(() => keepFacet('export const = 1', 'ops', 'a.ts')).toThrow(/a\.ts: expected TypeScript/)
})

const table = readFileSync(new URL('../../src/ops/table.ts', import.meta.url), 'utf8')
const names = Object.keys(opTable)
const namesIn = (code: string): string[] =>
  [...code.matchAll(/\['([^']+)', \(\) => import\('\.\/[\w-]+\.ts'\)\]/g)].flatMap(([, row]) => row.split(' ')).sort()

test('the table ships in two parts, which have every line once: what models usually have, which imports the others', () => {
  expect(namesIn(compactTable(table))).toEqual([...names].sort())
  expect(namesIn(compactTable(table, 'usual'))).toEqual([...usualOps].sort())
  expect(namesIn(compactTable(table, 'others'))).toEqual(names.filter((name) => !usualOps.has(name)).sort())
  const imports = /import\('\.\/table\.ts\?others'\)/
  expect(compactTable(table, 'usual')).toMatch(imports)
  expect(compactTable(table, 'others')).not.toMatch(imports)
  expect(compactTable(table)).not.toMatch(imports)
})

test('a table in another form is refused', () => {
  expect(() => compactTable(table.replace('const otherLines', 'let otherLines'))).toThrow(/expected `const otherLines/)
  expect(() => compactTable(table.replace('() => import', 'async () => import'))).toThrow(/expected a line/)
})
