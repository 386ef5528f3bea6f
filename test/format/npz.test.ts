// SPDX-License-Identifier: Apache-2.0
import { strToU8, zipSync } from 'fflate'
import { expect, test } from 'vitest'
import { FormatError, WhittleError } from '../../src/base/errors.ts'
import { randomInteger, seededRandom } from '../../src/base/rng.ts'
import { writeNpy } from '../../src/format/npy.ts'
import { readNpz, writeNpz } from '../../src/format/npz.ts'
import { Tensor } from '../../src/tensor/tensor.ts'

const arrays = { x: new Tensor('float32', [1, 2], [2]), 'a/b': new Tensor('int64', [3n], []) }

test('arrays survive by name, stored and deflated', () => {
  expect(readNpz(writeNpz(arrays))).toEqual(arrays)
  const deflated = zipSync({ 'x.npy': writeNpy(arrays.x), 'notes.txt': strToU8('hello') }, { level: 9 })
  expect(readNpz(deflated)).toEqual({ x: arrays.x })
})

test('what is no archive, and archives of bad arrays, are refused', () => {
  expect(() => readNpz(new Uint8Array(30))).toThrow(FormatError)
  expect(() => readNpz(zipSync({ 'x.npy': strToU8('hello') }))).toThrow(/npz › x.npy/)
})

test('damaged archives give an error or arrays, never anything else', () => {
  const random = seededRandom(6)
  const good = zipSync({ 'x.npy': writeNpy(arrays.x) })
  for (let round = 0; round < 1000; round++) {
    const bad = good.slice(0, round % 3 === 0 ? randomInteger(random, 0, good.length) : good.length)
    if (bad.length > 0) bad[randomInteger(random, 0, bad.length - 1)] = randomInteger(random, 0, 255)
    try {
      readNpz(bad)
    } catch (error) {
      if (!(error instanceof WhittleError)) throw error
    }
  }
})
