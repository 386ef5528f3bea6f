// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import { InputError, StateError } from '../../src/base/errors.ts'
import { outcomeOf, unwrap } from '../../src/runtime/plain-errors.ts'

describe('outcomes', () => {
  it('carry errors of every class through a structured clone', async () => {
    const thrown = new InputError({ where: 'x', expected: 'a', got: 'b', todo: 'c' })
    const outcome = structuredClone(await outcomeOf(() => Promise.reject(thrown)))
    let caught: unknown
    try {
      unwrap(outcome)
    } catch (error) {
      caught = error
    }
    expect(caught).toBeInstanceOf(InputError)
    expect(String(caught)).toBe(String(thrown))
  })

  it('turn what is not ours into a StateError that keeps the message', async () => {
    const outcome = await outcomeOf(() => {
      throw new RangeError('out of range')
    })
    expect(() => unwrap(outcome)).toThrow(StateError)
    expect(() => unwrap(outcome)).toThrow('RangeError: out of range')
  })

  it('carry values', async () => {
    expect(unwrap(await outcomeOf(() => 7))).toBe(7)
    expect(unwrap(await outcomeOf(() => undefined))).toBe(undefined)
  })
})
