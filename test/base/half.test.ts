// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest'
import * as half from '../../src/base/half.ts'

const formats = {
  float16: half.float16,
  bfloat16: half.bfloat16,
  float8e4m3fn: half.float8e4m3fn,
  float8e4m3fnuz: half.float8e4m3fnuz,
  float8e5m2: half.float8e5m2,
  float8e5m2fnuz: half.float8e5m2fnuz,
  float4e2m1: half.float4e2m1,
}

test.each(Object.entries(formats))('every pattern of %s that is a number survives decoding and encoding', (_, format) => {
  for (let bits = 0; bits < 2 ** format.bits; bits++) {
    const value = half.decodeNarrow(format, bits)
    if (!Number.isNaN(value)) expect(half.encodeNarrow(format, value)).toBe(bits)
  }
})

test.each(Object.entries(formats))('a number between two of %s goes to the nearer, a tie to the even pattern', (_, format) => {
  const limit = half.encodeNarrow(format, format.largest)
  for (let bits = 0; bits < limit; bits += Math.max(1, limit >> 8)) {
    const low = half.decodeNarrow(format, bits)
    const high = half.decodeNarrow(format, bits + 1)
    const middle = (low + high) / 2
    expect(half.encodeNarrow(format, middle)).toBe(bits % 2 === 0 ? bits : bits + 1)
    expect(half.encodeNarrow(format, middle - (high - low) / 8)).toBe(bits)
    expect(half.encodeNarrow(format, middle + (high - low) / 8)).toBe(bits + 1)
  }
})

test('what is too large becomes infinity, NaN or the largest number, as the format and the caller say', () => {
  expect(half.toFloat16(65519)).toBe(0x7bff)
  expect(half.toFloat16(65520)).toBe(0x7c00)
  expect(half.encodeNarrow(half.float8e4m3fn, 1e9)).toBe(0x7f)
  expect(half.encodeNarrow(half.float8e4m3fn, 1e9, true)).toBe(0x7e)
  expect(half.encodeNarrow(half.float8e4m3fnuz, -1e9)).toBe(0x80)
  expect(half.encodeNarrow(half.float8e5m2, Infinity)).toBe(0x7c)
  expect(half.encodeNarrow(half.float4e2m1, -100)).toBe(0xf)
})

test('float8e8m0 holds powers of two and rounds as told', () => {
  expect(half.toFloat8e8m0(1)).toBe(127)
  expect(half.toFloat8e8m0(5)).toBe(130)
  expect(half.toFloat8e8m0(5, true, 'down')).toBe(129)
  expect(half.toFloat8e8m0(5, true, 'nearest')).toBe(129)
  expect(half.fromFloat8e8m0(0xff)).toBeNaN()
})
