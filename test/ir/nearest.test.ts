// SPDX-License-Identifier: Apache-2.0
/** The nearest name is near, or there is none. */
import { describe, expect, it } from 'vitest'
import { editDistance, nearestName, nearestOperator } from '../../src/ir/nearest.ts'

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

describe('nearestOperator', () => {
  const known = ['Attention', 'Gelu', 'QuantizeLinear', 'com.microsoft.FastGelu', 'com.microsoft.Gelu', 'whittle.Silu']

  it('is the same of another domain before any other name', () => {
    expect(nearestOperator('FastGelu', known)).toBe('com.microsoft.FastGelu')
    expect(nearestOperator('com.microsoft.Attention', known)).toBe('Attention')
    expect(nearestOperator('ai.onnx.contrib.Gelu', known)).toBe('Gelu')
  })

  it('is the nearest name, of the same domain where there are two', () => {
    expect(nearestOperator('com.microsoft.Gelus', known)).toBe('com.microsoft.Gelu')
    expect(nearestOperator('Gelus', known)).toBe('Gelu')
    expect(nearestOperator('com.microsoft.QuantiseLinear', known)).toBe('QuantizeLinear')
  })

  it('is none of the operators that only whittle writes, nor one that is not near', () => {
    expect(nearestOperator('Silu', known.slice(-1))).toBeUndefined()
    expect(nearestOperator('Frobnicate', known)).toBeUndefined()
  })
})
