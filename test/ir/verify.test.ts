// SPDX-License-Identifier: Apache-2.0
/** Each row of the verifier finds its fault, and a sound graph passes. */
import { describe, expect, it } from 'vitest'
import { GraphError } from '../../src/base/errors.ts'
import { parseGraph } from '../../src/ir/text-parse.ts'
import { operatorViolations } from '../../src/ir/verify-operators.ts'
import { verifyGraph, violations } from '../../src/ir/verify.ts'
import { tinyOps } from './tiny-ops.ts'

const check = (text: string): string[] =>
  operatorViolations(parseGraph(`graph g opset 13 {${text}}`), tinyOps).map(({ row, message }) => `${row}: ${message}`)

describe('verify', () => {
  it('passes sound graphs', () => {
    expect(
      check(
        'input x: float32[n] const c: float32[1] = 1 y = Add(x, c) z = Relu(y) output z: float32[n] output x: float32[n]',
      ),
    ).toEqual([])
    expect(
      check(
        'input c: bool[] input x: float32[2] y = If(c) {then_branch: graph t opset 13 { a = Relu(x) output a: float32[2] }, else_branch: graph e opset 13 { output x: float32[2] }} output y: float32[2]',
      ),
    ).toEqual([])
  })

  it.each([
    ['input x: float32[2] x = Relu(x)', "a value has one definition: two definitions of 'x'"],
    ['input x: float32[2] y = Relu(x) @a z = Relu(x) @a', 'two nodes called "a"'],
    ['input x: float32[2] _ = Relu(x) @a', 'Relu "a" without outputs'],
    ['input x: float32[2] y = Relu(z) z = Relu(x)', `Relu "y" reads 'z', which a later node makes`],
    ['input x: float32[2] y = Relu(q)', `Relu "y" reads 'q', which nothing makes`],
    ['output q: float32[2]', `outputs are defined: output 'q', which nothing makes`],
    ['input x: float32[2] output x: float32[2] output x: float32[2]', `output 'x' twice`],
    ['input x: float32[2 - 5]', `dims are integers >= 0: dim -3 in 'x'`],
    ['input x: float32[2] y = Rel(x)', 'the nearest known operator is Relu'],
    ['input x: float32[2] y = Relu(x, x)', 'Relu "y" with 2 inputs, where 1 belong'],
    ['input x: float32[2] y, z = Relu(x)', 'Relu "y" with 2 outputs, where 1 belong'],
    ['input x: float32[2] y = Relu(x) {slope: 1}', 'Relu "y".slope is no attribute of Relu'],
    ['input x: float32[2] y = Concat(x) {axis: "a"}', 'expected an integer, got "a"'],
    ['input x: float32[2] y = Relu(x) output y: int32[2]', `types agree: output 'y' declared int32, made as float32`],
    [
      'input x: float32[2] input y: float32[3] z = Add(x, y)',
      'types agree: Add "z" › broadcast: expected equal dims or 1, got 2 and 3',
    ],
    [
      'input c: bool[] y = If(c) {then_branch: graph t opset 1 { c = Zeros() }, else_branch: graph e opset 1 { }}',
      `If "y" › 'c', which a graph around this one defines`,
    ],
  ])('finds what is wrong with %s', (text, message) => {
    expect(check(text).join('\n')).toContain(message)
  })

  it('does not count inputs left out at the end', () => {
    expect(check('input x: float32[2] y = Relu(x, _)')).toEqual([])
  })

  it('compares a constant with its tensor', () => {
    const graph = parseGraph('graph g opset 1 { const c: float32[2] = 1 2 }')
    const constants = new Map([['c', { ...graph.constants.get('c')!, dims: [1, 2], dtype: 'int32' as const }]])
    expect(violations({ ...graph, constants })).toHaveLength(2)
  })

  it('throws the first and counts the others', () => {
    expect(() => verifyGraph(parseGraph('graph g opset 1 { output a: float32[] output b: float32[] }'))).toThrow(
      GraphError,
    )
    expect(() => verifyGraph(parseGraph('graph g opset 1 { output a: float32[] output b: float32[] }'))).toThrow(
      '(and 1 more)',
    )
  })
})
