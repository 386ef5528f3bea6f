// SPDX-License-Identifier: Apache-2.0
/** 16-bit floats are computed with in float32; the graph's interface stays. */
import { describe, expect, it } from 'vitest'
import { widenHalf } from '../../src/passes/widen-half.ts'
import { through } from './through.ts'

describe('widen-half', () => {
  it('widens constants and values, and casts inputs and outputs', async () => {
    // values that 16 bits hold exactly, so that no rounding is left out
    const { ops, graph, fired } = await through(
      widenHalf,
      `input i: int64[2, 3] const w: float16[3, 2] = 1 2 3 4 5 6 x = Cast(i) {to: 10} h = MatMul(x, w) y = Relu(h) output y: float16[2, 2]`,
    )
    expect(ops).toEqual(['Cast', 'MatMul', 'Relu', 'Cast'])
    expect(fired).toBe(2)
    expect(graph.constants.get('w')!.dtype).toBe('float32')
    expect(graph.nodes[0].attributes.to).toBe(1)
  })

  it.each(['float16', 'bfloat16'])('keeps inputs and outputs of %s, and an input that is an output', async (dtype) => {
    const { ops, graph } = await through(
      widenHalf,
      `input x: ${dtype}[4] const c: ${dtype}[1] = 0 y = Max(x, c) output y: ${dtype}[4] output x: ${dtype}[4]`,
    )
    expect(ops).toEqual(['Cast', 'Max', 'Cast'])
    expect(graph.inputs[0].dtype).toBe(dtype)
  })

  it('goes into subgraphs and attributes', async () => {
    const { graph } = await through(
      widenHalf,
      `input p: bool[] input x: float16[2] y = If(p) {
        then_branch: graph t opset 21 { const c: float16[1] = 2 m = Max(x, c) output m: float16[2] },
        else_branch: graph e opset 21 { n = Abs(x) output n: float16[2] }
      } output y: float16[2]`,
    )
    expect(graph.nodes.map((node) => node.op)).toEqual(['Cast', 'If', 'Cast'])
  })

  it('leaves float32 graphs, casts at the border and what it wrote alone', async () => {
    const none = [
      `input x: float32[2] y = Relu(x) output y: float32[2]`,
      `input x: float16[2] a = Cast(x) {to: 1} b = Relu(a) y = Cast(b) {to: 10} output y: float16[2]`,
      `input x: float16[2] y = BitCast(x) {to: 5} output y: int16[2]`,
    ]
    for (const text of none) expect((await through(widenHalf, text)).fired).toBe(0)
  })
})
