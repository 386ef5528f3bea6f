// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest'
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from '../../src/base/half.ts'

describe.each([
  ['float16', fromFloat16, toFloat16, 0x7e00, 0x7c00],
  ['bfloat16', fromBfloat16, toBfloat16, 0x7fc0, 0x7f80],
] as const)('%s', (_, from, to, quiet, infinity) => {
  test('every bit pattern survives decoding and encoding', () => {
    const changed: number[] = []
    for (let bits = 0; bits < 65536; bits++) {
      const value = from(bits)
      if (Number.isNaN(value) ? (to(value) & 0x7fff) !== quiet : to(value) !== bits) changed.push(bits)
    }
    expect(changed).toEqual([])
  })

  test('halfway values go to the even neighbour and others to the nearest', () => {
    for (let bits = 0; bits < infinity - 1; bits += 37) {
      const [low, high] = [from(bits), from(bits + 1)]
      const middle = (low + high) / 2
      expect(to(middle)).toBe(bits % 2 === 0 ? bits : bits + 1)
      expect(to(middle + (high - low) * 1e-6)).toBe(bits + 1)
      expect(to(-(middle - (high - low) * 1e-6))).toBe(bits | 0x8000)
    }
  })
})

test('float16 overflows to infinity from 65520 on and underflows to zero at half of its least number', () => {
  expect(toFloat16(65519.99)).toBe(0x7bff)
  expect(toFloat16(65520)).toBe(0x7c00)
  expect(toFloat16(-1e30)).toBe(0xfc00)
  expect(toFloat16(2 ** -25)).toBe(0)
  expect(toFloat16(2 ** -25 * 1.0001)).toBe(1)
})
