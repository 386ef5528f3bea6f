// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import { integersOf, walk } from '../../src/ops/elements.ts'
import { exactOf, numbersOf, pick, saturate, tensorOf } from '../../src/ops/numeric.ts'
import type { Dtype } from '../../src/tensor/dtype.ts'
import { Tensor } from '../../src/tensor/tensor.ts'

const through = (dtype: Dtype, ...values: (number | bigint)[]): (number | bigint)[] =>
  Array.from(exactOf(tensorOf(dtype, values, [values.length])))

describe('tensorOf', () => {
  it('wraps integers around', () => {
    expect(through('uint8', 256, -1, 3.9)).toEqual([0, 255, 3])
    expect(through('int8', 128, -129)).toEqual([-128, 127])
    expect(through('int32', 2 ** 31, 2n ** 32n + 5n)).toEqual([-(2 ** 31), 5])
    expect(through('int64', 2n ** 63n, 7)).toEqual([-(2n ** 63n), 7n])
    expect(through('uint64', -1n)).toEqual([2n ** 64n - 1n])
  })

  it('packs types below a byte, the first element in the low bits, and reads them back', () => {
    const nibbles = tensorOf('int4', [1, -2, 7, -8, 3], [5])
    expect(Array.from(nibbles.data as Uint8Array)).toEqual([0xe1, 0x87, 0x03])
    expect(through('int4', 1, -2, 7, -8, 3)).toEqual([1, -2, 7, -8, 3])
    expect(through('uint2', 0, 1, 2, 3, 2)).toEqual([0, 1, 2, 3, 2])
    expect(through('int2', 0, 1, -2, -1)).toEqual([0, 1, -2, -1])
    expect(through('float4e2m1', 0.5, -6, 1.4)).toEqual([0.5, -6, 1.5])
  })

  it('rounds floats once, straight from double precision', () => {
    expect(through('float32', 1 + 2 ** -24 + 2 ** -50)).toEqual([1 + 2 ** -23])
    expect(through('float16', 1 + 2 ** -11)).toEqual([1])
    expect(through('bfloat16', 1 + 3 * 2 ** -8)).toEqual([1 + 2 ** -6])
  })

  it('takes any number but 0 as true', () => {
    expect(through('bool', 0, 2, -1, NaN)).toEqual([0, 1, 1, 1])
  })
})

it('saturate rounds ties to even and stays in range', () => {
  expect([0.5, 1.5, 300, -5, NaN].map((v) => saturate('uint8', v))).toEqual([0, 2, 255, 0, 0])
  expect(saturate('int4', -100)).toBe(-8)
})

it('numbersOf reads what is stored without a copy where it can', () => {
  const tensor = new Tensor('float32', [1, 2])
  expect(numbersOf(tensor)).toBe(tensor.data)
  expect(Array.from(numbersOf(new Tensor('float16', new Uint16Array([0x3c00, 0xc000]))))).toEqual([1, -2])
})

it('integersOf cuts to the safe integers', () => {
  expect(integersOf(new Tensor('int64', [2n ** 63n - 1n, -(2n ** 63n), 5n]))).toEqual([
    Number.MAX_SAFE_INTEGER,
    Number.MIN_SAFE_INTEGER,
    5,
  ])
})

it('pick moves elements of any type and fills where there is none', () => {
  expect(pick(new Tensor('string', ['a', 'b']), [3], (i) => [1, -1, 0][i]).data as string[]).toEqual(['b', '', 'a'])
  const nibbles = tensorOf('uint4', [1, 2, 3], [3])
  expect(Array.from(exactOf(pick(nibbles, [4], (i) => 2 - i, 9)))).toEqual([3, 2, 1, 9])
})

it('walk visits offsets in row-major order', () => {
  const seen: number[] = []
  walk([2, 3], [1, 10], (_, offset) => seen.push(offset))
  expect(seen).toEqual([0, 10, 20, 1, 11, 21])
  walk([2, 0], [1, 1], () => expect.unreachable())
})
