// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest'
import { fromFloat16 } from '../../src/base/half.ts'
import { syntheticInputs as made } from '../../src/compress/synthetic-inputs.ts'
import type { Graph } from '../../src/ir/graph.ts'
import { parseGraph } from '../../src/ir/text-parse.ts'

const syntheticInputs = (graph: Graph) => [...(made(graph) ?? [])]

const graphOf = (inputs: string, nodes = 'y = Identity(x)') =>
  parseGraph(`graph main opset 17 {
  ${inputs}
  const w: float32[7, 3] = ...
  ${nodes}
  output y: float32[...]
}`)

describe('syntheticInputs', () => {
  test('are the same each time, of the shapes that are declared', () => {
    const graph = graphOf('input x: float32[n, 3, 48, w]\n  input mask: bool[n, s]\n  input length: int64[]')
    const [first, ...others] = syntheticInputs(graph)
    expect(syntheticInputs(graph)[0]).toEqual(first)
    expect(Object.values(first).map(({ dims }) => dims)).toEqual([[1, 3, 48, 320], [1, 32], []])
    expect(others.every(({ x }) => Math.max(...(x.data as Float32Array)) <= 1)).toBe(true)
  })

  test('have the same size where a symbol is the same, and sums of symbols', () => {
    const [{ past, x }] = syntheticInputs(graphOf('input past: float32[n, 4, p, 8]\n  input x: float32[n, p + t]'))
    expect([past.dims, x.dims]).toEqual([
      [1, 4, 320, 8],
      [1, 352],
    ])
  })

  test('have halves that are numbers, and rows enough to say something', () => {
    const [{ x }] = syntheticInputs(graphOf('input x: float16[n, 4]'))
    expect(x.dims).toEqual([64, 4])
    const numbers = Array.from(x.data as Uint16Array, fromFloat16)
    expect(numbers.every((value) => Math.abs(value) <= 1)).toBe(true)
    expect(new Set(numbers.map(Math.sign))).toEqual(new Set([-1, 1]))
  })

  test('have integers that the tables they are looked up in have', () => {
    const [{ x }] = syntheticInputs(graphOf('input x: int64[n, t]', 'y = Gather(w, x)'))
    expect(new Set(Array.from(x.data as BigInt64Array, Number))).toEqual(new Set([0, 1, 2, 3, 4, 5, 6]))
    const [{ x: types }] = syntheticInputs(graphOf('input x: int64[n, t]'))
    expect(new Set(Array.from(types.data as BigInt64Array, Number))).toEqual(new Set([0, 1]))
  })

  test('are none where a rank is not known, or an input is text', () => {
    expect(syntheticInputs(graphOf('input x: float32[...]'))).toEqual([])
    expect(syntheticInputs(graphOf('input x: string[n]'))).toEqual([])
    expect(syntheticInputs(graphOf('input x: int4[4]'))).toEqual([])
    expect(syntheticInputs(graphOf('input x: uint8[65536, 65536]'))).toEqual([])
    expect(syntheticInputs(graphOf('input x: float32[1, n - 40]'))).toEqual([])
  })
})
