// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest'
import { checkAborted, checkBoolean, checkInteger, checkNumber, checkOneOf, describe } from '../../src/base/check.ts'
import { AbortError, InputError } from '../../src/base/errors.ts'

test('checks return good values', () => {
  expect(checkInteger('n', 3, 1)).toBe(3)
  expect(checkNumber('x', -0.5, -1, 1)).toBe(-0.5)
  expect(checkOneOf('k', 'a', ['a', 'b'])).toBe('a')
  expect(checkBoolean('b', false)).toBe(false)
  checkAborted('load', undefined)
  checkAborted('load', new AbortController().signal)
})

test('checks name the argument, what was expected and what came', () => {
  expect(() => checkInteger('options.threads', 0, 1)).toThrow('options.threads: expected an integer >= 1, got 0')
  expect(() => checkInteger('n', 9, 1, 8)).toThrow('n: expected an integer in [1, 8], got 9')
  expect(() => checkNumber('x', NaN)).toThrow('x: expected a finite number, got NaN')
  expect(() => checkOneOf('k', 'c', ['a', 'b'])).toThrow('k: expected one of a | b, got "c"')
  expect(() => checkBoolean('b', 1)).toThrow(InputError)
  expect(() => checkAborted('load', AbortSignal.abort())).toThrow(AbortError)
})

test('values are described shortly', () => {
  expect([1n, [1, 2], {}, new Map(), null, 'x'.repeat(100)].map(describe).join(' ').length).toBeLessThan(140)
})
