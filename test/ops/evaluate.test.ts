// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import { GraphError, UnsupportedError } from '../../src/base/errors.ts'
import { parseGraph } from '../../src/ir/text-parse.ts'
import { evaluateGraph, operatorsOf } from '../../src/ops/evaluate.ts'
import { loadReferences } from '../../src/ops/references.ts'
import { loadOps } from '../../src/ops/table.ts'
import { Tensor } from '../../src/tensor/tensor.ts'

async function evaluate(text: string, feeds: Record<string, Tensor>): Promise<Tensor[]> {
  const graph = parseGraph(`graph g opset 21 {${text}}`)
  const names = operatorsOf(graph)
  const evaluator = { ops: await loadOps(names), references: await loadReferences(names) }
  return evaluateGraph(evaluator, graph, new Map(Object.entries(feeds)))
}

const x = new Tensor('float32', [1, -2, 3])

describe('evaluateGraph', () => {
  it('runs nodes in order and gives the outputs in theirs', async () => {
    const text = 'input x: float32[n] a = Abs(x) y = Neg(a) output y: float32[n] output a: float32[n]'
    const [y, a] = await evaluate(text, { x })
    expect([...(y.data as Float32Array)]).toEqual([-1, -2, -3])
    expect([...(a.data as Float32Array)]).toEqual([1, 2, 3])
  })

  it('uses the defaults of attributes', async () => {
    const [y] = await evaluate('input x: float32[n] y = LeakyRelu(x) output y: float32[n]', { x })
    expect((y.data as Float32Array)[1]).toBeCloseTo(-0.02, 7)
  })

  it('lets the taken branch, nested too, read the names around it', async () => {
    const inner = 'graph i opset 21 { r = Add(h, x) output r: float32[n] }'
    const other = 'graph o opset 21 { s = Neg(x) output s: float32[n] }'
    const outer = `graph t opset 21 { h = Mul(x, x) q = If(c) {then_branch: ${inner}, else_branch: ${other}} output q: float32[n] }`
    const text = `input x: float32[n] input c: bool[] y = If(c) {then_branch: ${outer}, else_branch: ${other}} output y: float32[n]`
    const yes = await evaluate(text, { x, c: new Tensor('bool', [1], []) })
    const no = await evaluate(text, { x, c: new Tensor('bool', [0], []) })
    expect([...(yes[0].data as Float32Array)]).toEqual([2, 2, 12])
    expect([...(no[0].data as Float32Array)]).toEqual([-1, 2, -3])
  })

  it('a branch may give a name of the graph around it as its output', async () => {
    const branch = 'graph b opset 21 { output x: float32[n] }'
    const text = `input x: float32[n] input c: bool[] y = If(c) {then_branch: ${branch}, else_branch: ${branch}} output y: float32[n]`
    expect((await evaluate(text, { x, c: new Tensor('bool', [1], []) }))[0]).toBe(x)
  })

  it('makes an empty result without walking the axes that it has', async () => {
    const sizes = new Tensor('int64', [2 ** 30, 0])
    const text =
      'input x: float32[2, 3] input s: int64[2] y = Resize(x, "", "", s) {antialias: 1, mode: "linear"} output y: float32[a, b]'
    const [y] = await evaluate(text, { x: new Tensor('float32', [1, 2, 3, 4, 5, 6], [2, 3]), s: sizes })
    expect(y.dims).toEqual([2 ** 30, 0])
  })

  it('refuses to resample with taps without measure', async () => {
    const scales = new Tensor('float32', [1, 1e-9])
    const text =
      'input x: float32[1, 4] input s: float32[2] y = Resize(x, "", s) {antialias: 1, mode: "linear", coordinate_transformation_mode: "asymmetric"} output y: float32[a, b]'
    const wide = new Tensor('float32', [1, 2, 3, 4], [1, 4])
    await expect(evaluate(text, { x: wide, s: scales })).resolves.toHaveLength(1)
    const sizes =
      'input x: float32[1, 4] input s: int64[2] y = Resize(x, "", "", s) {mode: "linear"} output y: float32[a, b]'
    const large = new Tensor('int64', [1, 2 ** 24])
    await expect(evaluate(sizes, { x: wide, s: large })).rejects.toThrow(/taps/)
  })

  it('names the operator without a reference, and the value that is not there', async () => {
    const unknown = evaluate('input x: float32[n] y = Frobnicate(x) @odd output y: float32[n]', { x })
    await expect(unknown).rejects.toThrow(UnsupportedError)
    await expect(unknown).rejects.toThrow('Frobnicate "odd"')
    const hungry = evaluate('input x: float32[n] y = Abs(x) output y: float32[n]', {})
    await expect(hungry).rejects.toThrow(GraphError)
    await expect(hungry).rejects.toThrow(`Abs "y": expected a value for 'x', got none`)
  })

  it('puts the node before what its reference complains about', async () => {
    const text = 'input x: float32[n] const i: int64[1] = 7 y = Gather(x, i) @pick output y: float32[1]'
    await expect(evaluate(text, { x })).rejects.toThrow('Gather "pick" › indices: expected integers in [-3, 3), got 7')
  })
})
