// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest'
import { crc32 } from '../../src/base/crc.ts'
import { encodeUtf8 } from '../../src/base/bytes.ts'
import { seededRandom } from '../../src/base/rng.ts'

test('the checksum of the ASCII digits 1 to 9 is the published check value', () => {
  expect(crc32(encodeUtf8('123456789'))).toBe(0xcbf43926)
  expect(crc32(new Uint8Array(0))).toBe(0)
})

test('a checksum continued over pieces equals the checksum of the whole', () => {
  const random = seededRandom(1)
  const bytes = Uint8Array.from({ length: 300 }, () => random() * 256)
  for (const cut of [0, 1, 7, 8, 9, 63, 300]) {
    expect(crc32(bytes.subarray(cut), crc32(bytes.subarray(0, cut)))).toBe(crc32(bytes))
  }
})
