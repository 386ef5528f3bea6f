// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest'
import type { ByteDot, KernelRow, ProductTraits } from '../../src/kernels/row.ts'
import { byteForm, candidates, select } from '../../src/kernels/select.ts'
import { kernelNames, kernelTable } from '../../src/kernels/table.ts'

const dots: readonly ByteDot[] = ['none', 'vnni', 'sdot', 'pmaddubsw', 'broken']
const rows = kernelNames.map((name): [string, KernelRow] => [name, kernelTable[name]])
const products = rows.flatMap(([name, { product }]) => (product ? [{ name, ...product }] : []))

test('every product of the table has a kernel on every host', () => {
  for (const { family, weights } of products) {
    for (const dot of dots) expect(candidates({ family, weights }, dot), `${family} ${weights} ${dot}`).not.toEqual([])
  }
})

test('a host whose dot is not exact for all bytes, or is emulated, gets no kernel that uses it on int8 weights', () => {
  for (const dot of ['none', 'pmaddubsw', 'broken'] as const) {
    for (const weights of ['s8', 's8 blocks'] as const) {
      for (const family of ['gemm', 'conv'] as const) {
        const forms = candidates({ family, weights }, dot).map(({ form }) => form)
        expect(forms.filter((form) => form === 'dot')).toEqual([])
      }
    }
    expect(byteForm('s8', dot)).toBe('pairs')
  }
})

test('without figures a host with an exact dot uses it, with the operand that the host reads', () => {
  expect(byteForm('s8', 'vnni')).toBe('u8')
  expect(byteForm('s8', 'sdot')).toBe('s8')
})

test('figures decide where the form of every candidate has one, and only there', () => {
  const problem: Pick<ProductTraits, 'family' | 'weights'> = { family: 'gemm', weights: 's8' }
  expect(select(problem, 'vnni', { dot: 20, pairs: 40 }).kernel).toBe('gemm_s8_pairs')
  expect(select(problem, 'vnni', { dot: 80, pairs: 40 }).kernel).toBe('gemm_s8_dot')
  expect(select(problem, 'vnni', { pairs: 40 }).kernel).toBe('gemm_s8_dot')
  expect(select(problem, 'pmaddubsw', { dot: 80, pairs: 40 }).kernel).toBe('gemm_s8_pairs')
})

test('GEMMs and convolutions of the same weights take the same form, since they share packed weights', () => {
  for (const dot of dots) {
    const forms = (['gemm', 'conv'] as const).map((family) => select({ family, weights: 's8' }, dot).form)
    expect(new Set(forms).size).toBe(1)
  }
})
