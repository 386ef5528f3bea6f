// SPDX-License-Identifier: Apache-2.0
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { concatBytes, encodeUtf8 } from '../../src/base/bytes.ts'
import { FormatError, UnsupportedError, WhittleError } from '../../src/base/errors.ts'
import { randomInteger, seededRandom } from '../../src/base/rng.ts'
import { readNpy, writeNpy } from '../../src/format/npy.ts'
import { type Dtype, dtypes } from '../../src/tensor/dtype.ts'
import { Tensor } from '../../src/tensor/tensor.ts'

function file(header: string, content: Uint8Array, version = 1): Uint8Array {
  const text = encodeUtf8(header)
  const length = version === 1 ? [text.length & 255, text.length >> 8] : [text.length & 255, text.length >> 8, 0, 0]
  return concatBytes([Uint8Array.of(0x93, 78, 85, 77, 80, 89, version, 0, ...length), text, content])
}

const numeric = Object.keys(dtypes).filter((name) => /^(float(16|32|64)|u?int(8|16|32|64)|bool)$/.test(name)) as Dtype[]

test.each(numeric)('%s arrays of any rank survive', (type) => {
  for (const dims of [[], [3], [2, 0], [2, 3, 1]]) {
    const size = dims.reduce((a, b) => a * b, 1)
    const tensor = new Tensor(
      type,
      Array.from({ length: size }, (_, i) => i % 2),
      dims,
    )
    const bytes = writeNpy(tensor)
    expect(readNpy(bytes)).toEqual(tensor)
    // NumPy promises its readers elements at a multiple of 64
    expect((bytes.length - tensor.data.length * (dtypes[type].bits / 8)) % 64).toBe(0)
  }
})

test('version 2 and headers of other writers are read', () => {
  const header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, ), }\n"
  for (const version of [1, 2, 3]) expect(readNpy(file(header, new Uint8Array(8), version)).dims).toEqual([2])
  const one = "{'descr': '<i1', 'fortran_order': True, 'shape': (2L,)}"
  expect(readNpy(file(one, Uint8Array.of(1, 255)))).toEqual(new Tensor('int8', [1, -1]))
})

test.each([
  ['other bytes', Uint8Array.from({ length: 80 }, () => 1), FormatError],
  ['an empty file', new Uint8Array(0), FormatError],
  ['an unknown version', file('{}', new Uint8Array(0), 9), FormatError],
  [
    'a truncated array',
    file("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", new Uint8Array(7)),
    FormatError,
  ],
  [
    'bytes after the array',
    file("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", new Uint8Array(9)),
    FormatError,
  ],
  [
    'absurd shapes',
    file("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 99999999999), }", new Uint8Array(9)),
    FormatError,
  ],
  [
    'big-endian arrays',
    file("{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", new Uint8Array(4)),
    UnsupportedError,
  ],
  [
    'Fortran order',
    file("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 1), }", new Uint8Array(4)),
    UnsupportedError,
  ],
  [
    'text arrays',
    file("{'descr': '<U4', 'fortran_order': False, 'shape': (1,), }", new Uint8Array(16)),
    UnsupportedError,
  ],
  [
    'structured arrays',
    file("{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (1,), }", new Uint8Array(4)),
    UnsupportedError,
  ],
] as const)('%s are refused', (_, bytes, Class) => {
  expect(() => readNpy(bytes)).toThrow(Class)
})

test('types NumPy has not are refused', () => {
  expect(() => writeNpy(new Tensor('bfloat16', [1], [1]))).toThrow(UnsupportedError)
})

test('damaged files give an error or an array, never anything else', () => {
  const random = seededRandom(5)
  const good = writeNpy(new Tensor('float32', [1, 2, 3, 4], [2, 2]))
  for (let round = 0; round < 2000; round++) {
    const bad = good.slice(0, round % 3 === 0 ? randomInteger(random, 0, good.length) : good.length)
    if (bad.length > 0) bad[randomInteger(random, 0, bad.length - 1)] = randomInteger(random, 0, 255)
    try {
      expect(readNpy(bad)).toBeInstanceOf(Tensor)
    } catch (error) {
      if (!(error instanceof WhittleError)) throw error
    }
  }
})

const data = join(process.env.WHITTLE_DATA ?? join(import.meta.dirname, '../../../shared'), 'models/use-lite')
test.skipIf(!existsSync(data))('an array that NumPy wrote is read (skipped without the shared models)', () => {
  const tensor = readNpy(readFileSync(join(data, 'reference-embeddings-first16pairs.npy')))
  expect(tensor.type).toBe('float32')
  expect(tensor.data.length).toBe(tensor.size)
})
