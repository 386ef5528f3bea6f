// SPDX-License-Identifier: Apache-2.0
/** The generator of the Wasm side: argument classes and dispatch follow the kernel table, word for word. */
import { expect, test } from 'vitest'
import { kernelNames, kernelTable } from '../../src/kernels/table.ts'

interface Generator {
  readonly argsClass: (kernel: string) => string
  readonly argsSource: (rows: Record<string, Record<string, string>>) => string
  readonly dispatchSource: (names: readonly string[], families: Record<string, readonly string[]>) => string
}
const generator = (await import(new URL('../../scripts/generate-assembly.mjs', import.meta.url).href)) as Generator

test('a class is named after its row', () => {
  expect(generator.argsClass('quantize_rows_u8')).toBe('QuantizeRowsU8Args')
  expect(generator.argsClass('copy_4')).toBe('Copy4Args')
})

test('no two rows share a class', () => {
  expect(new Set(kernelNames.map(generator.argsClass)).size).toBe(kernelNames.length)
})

test('fields stand in the order of the row, four bytes each', () => {
  const source = generator.argsSource({ fill_4: { dst: 'ptr', size: 'u32', pad: 'i32', value: 'f32' } })
  expect(source).toContain(
    '@unmanaged export class Fill4Args {\n  dst: usize\n  size: u32\n  pad: i32\n  value: f32\n}',
  )
})

test('an argument of an unknown kind is refused', () => {
  expect(() => generator.argsSource({ fill_4: { dst: 'f64' } })).toThrow(/kernel fill_4: argument dst/)
})

test('a kernel’s case is its position in the table', () => {
  const source = generator.dispatchSource(kernelNames, { all: Object.keys(kernelTable) })
  for (const [number, name] of kernelNames.entries()) {
    expect(source).toContain(`    case ${number}: ${name}(args, from, to, thread); return\n`)
  }
})

test('a row that no family file holds is refused', () => {
  expect(() => generator.dispatchSource(['fill_4', 'copy_4'], { move: ['copy_4'] })).toThrow(/no family file: fill_4/)
})
