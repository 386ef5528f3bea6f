// SPDX-License-Identifier: Apache-2.0
/** The nearest name is near, or there is none. */
import { describe, expect, it } from 'vitest'
import { editDistance, nearestName } from '../../src/ir/nearest.ts'

describe('nearestName', () => {
  it('finds slips of the pen, whatever the case', () => {
    expect(nearestName('Rellu', ['Relu', 'Elu', 'Gelu'])).toBe('Relu')
    expect(nearestName('CONV', ['Cos', 'Conv'])).toBe('Conv')
  })

  it('finds nothing where nothing is near', () => {
    expect(nearestName('Frobnicate', ['Relu'])).toBeUndefined()
    expect(nearestName('x', [])).toBeUndefined()
  })

  it('counts edits', () => {
    expect(editDistance('kitten', 'sitting')).toBe(3)
    expect(editDistance('', 'ab')).toBe(2)
  })
})
