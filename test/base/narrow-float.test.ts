// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest'
import * as narrow from '../../src/base/narrow-float.ts'

const formats = {
  float8e4m3fn: narrow.float8e4m3fn,
  float8e4m3fnuz: narrow.float8e4m3fnuz,
  float8e5m2: narrow.float8e5m2,
  float8e5m2fnuz: narrow.float8e5m2fnuz,
  float4e2m1: narrow.float4e2m1,
}

test.each(Object.entries(formats))(
  'every pattern of %s that is a number survives decoding and encoding',
  (_, format) => {
    for (let bits = 0; bits < 2 ** format.bits; bits++) {
      const value = narrow.decodeNarrow(format, bits)
      if (!Number.isNaN(value)) expect(narrow.encodeNarrow(format, value)).toBe(bits)
    }
  },
)

test.each(Object.entries(formats))(
  'a number between two of %s goes to the nearer, a tie to the even pattern',
  (_, format) => {
    const limit = narrow.encodeNarrow(format, format.largest)
    for (let bits = 0; bits < limit; bits += Math.max(1, limit >> 8)) {
      const low = narrow.decodeNarrow(format, bits)
      const high = narrow.decodeNarrow(format, bits + 1)
      const middle = (low + high) / 2
      expect(narrow.encodeNarrow(format, middle)).toBe(bits % 2 === 0 ? bits : bits + 1)
      expect(narrow.encodeNarrow(format, middle - (high - low) / 8)).toBe(bits)
      expect(narrow.encodeNarrow(format, middle + (high - low) / 8)).toBe(bits + 1)
    }
  },
)

test('what is too large becomes infinity, NaN or the largest number, as the format and the caller say', () => {
  expect(narrow.encodeNarrow(narrow.float8e4m3fn, 1e9)).toBe(0x7f)
  expect(narrow.encodeNarrow(narrow.float8e4m3fn, 1e9, true)).toBe(0x7e)
  expect(narrow.encodeNarrow(narrow.float8e4m3fnuz, -1e9)).toBe(0x80)
  expect(narrow.encodeNarrow(narrow.float8e5m2, Infinity)).toBe(0x7c)
  expect(narrow.encodeNarrow(narrow.float4e2m1, -100)).toBe(0xf)
})

test('float8e8m0 holds powers of two and rounds as told', () => {
  expect(narrow.toFloat8e8m0(1)).toBe(127)
  expect(narrow.toFloat8e8m0(5)).toBe(130)
  expect(narrow.toFloat8e8m0(5, true, 'down')).toBe(129)
  expect(narrow.toFloat8e8m0(5, true, 'nearest')).toBe(129)
  expect(narrow.fromFloat8e8m0(0xff)).toBeNaN()
})
