// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest'
import { ByteReader, concatBytes, decodeUtf8, encodeUtf8, equalBytes } from '../../src/base/bytes.ts'
import { FormatError } from '../../src/base/errors.ts'

test('a reader reads little-endian numbers and views', () => {
  const reader = new ByteReader(Uint8Array.of(1, 2, 0, 3, 0, 0, 0, 97, 98), 'file')
  expect([reader.u8('a'), reader.u16('b'), reader.u32('c'), reader.utf8(2, 'd'), reader.left]).toEqual([
    1,
    2,
    3,
    'ab',
    0,
  ])
})

test('a read past the end throws a FormatError with the offset', () => {
  const reader = new ByteReader(Uint8Array.of(1, 2, 3), 'file')
  reader.u8('first')
  expect(() => reader.u32('count')).toThrow(FormatError)
  expect(() => reader.u32('count')).toThrow('file at byte 1: expected 4 bytes of count, got 2 bytes before the end')
  for (const count of [-1, NaN, 2 ** 60]) expect(() => reader.view(count, 'x')).toThrow(FormatError)
  expect(reader.offset).toBe(1)
})

test('text survives, other bytes are refused', () => {
  expect(decodeUtf8(encodeUtf8('\ufeff深 ∂'), 'x')).toBe('\ufeff深 ∂')
  expect(() => decodeUtf8(Uint8Array.of(0xff), 'name')).toThrow('name: expected UTF-8 text')
})

test('parts are joined in order', () => {
  const joined = concatBytes([Uint8Array.of(1), Uint8Array.of(), Uint8Array.of(2, 3)])
  expect(equalBytes(joined, Uint8Array.of(1, 2, 3))).toBe(true)
  expect(equalBytes(joined, Uint8Array.of(1, 2, 4))).toBe(false)
  expect(equalBytes(joined, Uint8Array.of(1, 2))).toBe(false)
})
