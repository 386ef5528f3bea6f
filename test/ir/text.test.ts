// SPDX-License-Identifier: Apache-2.0
/** The text form: what is printed parses to the same graph. */
import { describe, expect, it } from 'vitest'
import { GraphError } from '../../src/base/errors.ts'
import { symbol } from '../../src/ir/dim.ts'
import { printGraph } from '../../src/ir/text.ts'
import { parseGraph } from '../../src/ir/text-parse.ts'
import { Tensor } from '../../src/tensor/tensor.ts'

const text = `graph main opset 17 {
  input x: float32[n, 2*w + 1, "batch size"]
  input "0": int64[]
  input r: float32[...]
  const w: float32[2, 2] = 0.1 -2 inf nan
  const i: int64[3] = -1 9223372036854775807 0
  const s: string[2] = "a b" "\\"c\\""
  const q: int4[5] = 17 2 3
  const big: float32[100, 100] = ...
  a, _ = Split(x, _, i) {axis: -1, names: ["u", "v"], empty: [], scale: 0.1, value: int32[2] = 1 2} @split_1
  y = com.microsoft.Gelu(a)
  z = If("0") {then_branch: graph then opset 17 {
    t = Relu(y)
    output t: float32[...]
  }, else_branch: graph else opset 17 {
    e = Neg(y) @"input"
    output e: float32[n]
  }}
  output z: float32[n, floordiv(w + 1, 2)]
}`

describe('text', () => {
  it('prints what it parsed', () => {
    expect(printGraph(parseGraph(text))).toBe(text)
  })

  it('parses names left out, dims, items and nested graphs into plain data', () => {
    const graph = parseGraph(text)
    expect(graph.inputs[0].dims?.[0]).toEqual(symbol('n'))
    expect(graph.inputs[2].dims).toBeNull()
    expect(graph.constants.get('i')?.tensor).toEqual(new Tensor('int64', [-1n, 9223372036854775807n, 0n], [3]))
    expect(graph.constants.get('big')).toEqual({ dtype: 'float32', dims: [100, 100] })
    expect(graph.nodes[0]).toMatchObject({ name: 'split_1', outputs: ['a', ''], inputs: ['x', '', 'i'] })
    expect(graph.nodes[2].attributes.else_branch).toMatchObject({ name: 'else', nodes: [{ name: 'input' }] })
  })

  it('leaves out large contents, and takes comments', () => {
    const graph = parseGraph('graph g opset 1 { # comment\n const c: float32[3] = 1 2 3 # more\n }')
    expect(printGraph(graph, { maxItems: 2 })).toContain('const c: float32[3] = ...')
  })

  it('keeps every float32 to the bit in its shortest text', () => {
    const values = [1 / 3, 1e-45, 3.4028234663852886e38, -0, 0.1, 16777217]
    const data = Float32Array.from(values)
    const graph = {
      ...parseGraph('graph g opset 1 { }'),
      constants: new Map([['c', { dtype: 'float32' as const, dims: [6], tensor: new Tensor('float32', data, [6]) }]]),
    }
    expect(parseGraph(printGraph(graph)).constants.get('c')!.tensor!.data).toEqual(data)
  })

  it('names the line of a mistake', () => {
    for (const [wrong, line] of [
      ['graph g opset 1 {', 1],
      ['graph g opset 1 {\n x = Add(a b)\n}', 2],
      ['graph g opset 1 {\n\n input x: float31[2]\n}', 3],
      ['graph g opset 1 {\n const c: float32[2] = 1\n}', 3],
      ['graph g opset 1 {\n const c: float32[n] = 1\n}', 2],
      ['graph g opset 1 { } more', 1],
    ] as const) {
      expect(() => parseGraph(wrong), wrong).toThrow(GraphError)
      expect(() => parseGraph(wrong), wrong).toThrow(`line ${line}`)
    }
  })
})
