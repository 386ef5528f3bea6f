// SPDX-License-Identifier: Apache-2.0
/** The plugin that ships op files by facet: what stays of a source, for each facet. */
import { expect, test } from 'vitest'

type KeepFacet = (code: string, facet: 'ops' | 'references', file: string) => string
const { keepFacet } = (await import(new URL('../../scripts/facets-plugin.mjs', import.meta.url).href)) as {
  keepFacet: KeepFacet
}

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
