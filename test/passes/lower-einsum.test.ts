// SPDX-License-Identifier: Apache-2.0
/** Einsum becomes products, sums and transpositions that compute the same. */
import { describe, expect, it } from 'vitest'
import { lowerEinsum } from '../../src/passes/lower-einsum.ts'
import { through } from './through.ts'

const two = (equation: string, a: string, b: string, y: string): string =>
  `input a: float32[${a}] input b: float32[${b}] y = Einsum(a, b) {equation: "${equation}"} output y: float32[${y}]`

const one = (equation: string, a: string, y: string): string =>
  `input a: float32[${a}] y = Einsum(a) {equation: "${equation}"} output y: float32[${y}]`

describe('lower-einsum', () => {
  it.each([
    ['ij,jk->ik', 'n, 4', '4, 5', 'n, 5', ['MatMul']],
    ['bsh,hd->bsd', 'n, m, 6', '6, 5', 'n, m, 5', ['MatMul']],
    ['...d,df->...f', 'n, m, 3, 6', '6, 5', 'n, m, 3, 5', ['MatMul']],
    ['bqhd,bkhd->bhqk', 'n, h, 2, 3', 'n, w, 2, 3', 'n, 2, h, w', ['Transpose', 'Transpose', 'MatMul']],
    ['bhqk,bkhd->bqhd', 'n, 2, h, w', 'n, w, 2, 3', 'n, h, 2, 3', ['Transpose', 'MatMul', 'Transpose']],
    ['bsd,dnh->bsnh', 'n, m, 6', '6, 2, 3', 'n, m, 2, 3', ['Reshape', 'MatMul', 'Reshape']],
    ['bsnh,nhd->bsd', 'n, m, 2, 3', '2, 3, 5', 'n, m, 5', ['Reshape', 'Reshape', 'MatMul']],
    ['ij,kj->ki', 'n, 4', 'm, 4', 'm, n', ['Transpose', 'MatMul']],
    ['aecd,abcd->acbe', 'n, w, 2, 3', 'n, h, 2, 3', 'n, 2, h, w', ['Transpose', 'Transpose', 'MatMul']],
  ])('%s', async (equation, a, b, y, expected) => {
    expect((await through(lowerEinsum, two(equation, a, b, y))).ops).toEqual(expected)
  })

  it.each([
    ['ij->ji', 'n, 3', '3, n', ['Transpose']],
    ['ijk->ki', 'n, 4, 3', '3, n', ['ReduceSum', 'Transpose']],
    ['ij->ij', 'n, 3', 'n, 3', ['Identity']],
  ])('%s', async (equation, a, y, expected) => {
    expect((await through(lowerEinsum, one(equation, a, y))).ops).toEqual(expected)
  })

  const biased = (dims: string, tail = ''): string =>
    `input a: float32[n, m, 6] input w: float32[6, 2, 3] const b: float32[${dims}] = ...
    e = Einsum(a, w) {equation: "bsd,dnh->bsnh"} y = Add(b, e) output y: float32[n, m, 2, 3] ${tail}`

  it('adds a bias before columns are split', async () => {
    const { ops } = await through(lowerEinsum, biased('2, 3'))
    expect(ops).toEqual(['Reshape', 'MatMul', 'Add', 'Reshape'])
  })

  it.each([
    ['a bias of the last axis alone', biased('3')],
    ['a bias that broadcasts', biased('2, 1')],
    ['a bias of columns that something else reads', biased('2, 3', 'output e: float32[n, m, 2, 3]')],
  ])('leaves %s behind', async (_, text) => {
    expect((await through(lowerEinsum, text)).ops).toEqual(['Reshape', 'MatMul', 'Reshape', 'Add'])
  })

  it.each([
    ['a diagonal', one('ii->i', '3, 3', '3')],
    ['an outer product', two('i,j->ij', '3', '4', '3, 4')],
    ['an axis that broadcasts', two('bij,bjk->bik', '1, 2, 3', '2, 3, 2', '2, 2, 2')],
    ['axes of unknown sizes to be made one', two('bsnh,nhd->bsd', '2, 2, n, m', 'n, m, 5', '2, 2, 5')],
  ])('leaves %s alone', async (_, text) => {
    expect((await through(lowerEinsum, text)).fired).toBe(0)
  })
})
