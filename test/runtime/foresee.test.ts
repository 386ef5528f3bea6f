// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import { parseGraph } from '../../src/ir/text-parse.ts'
import { operatorsOf } from '../../src/ops/evaluate.ts'
import { loadOps } from '../../src/ops/table.ts'
import { compileGuess, foreseenWeights } from '../../src/runtime/foresee.ts'

async function foreseen(body: string): Promise<string[]> {
  const graph = parseGraph(`graph main opset 17 { ${body} }`)
  const ops = await loadOps(operatorsOf(graph))
  const requests = foreseenWeights(
    graph,
    compileGuess(graph, ops, { int8: 'pairs', threads: 1 }, () => 'table'),
  )
  return requests.map(({ constant, layout }) => `${constant}${layout ? ' packed' : ''}`)
}

describe('foreseenWeights', () => {
  it('finds the layouts of streamed weights without knowing shapes', async () => {
    const wanted = await foreseen(`
      input x: float32[n, 8]
      const w: float32[8, 8] = ...
      const b: float32[8] = 1 2 3 4 5 6 7 8
      h = MatMul(x, w)
      y = Add(h, b)
      output y: float32[n, 8]`)
    expect(wanted).toEqual(['w packed'])
  })

  it('keeps as it is what no guess explains, what the host reads, and what is an output', async () => {
    const unguessable = await foreseen(`
      input x: float32[n]
      const s: int64[2] = -1 1009
      const w: float32[1009, 8] = ...
      r = Reshape(x, s)
      y = MatMul(r, w)
      output y: float32[m, 8]`)
    expect(unguessable).toEqual(['w'])
    const onHost = await foreseen(`
      input x: float32[4]
      const w: float32[4] = ...
      s = Sinh(w)
      y = Add(x, s)
      output y: float32[4]
      output w: float32[4]`)
    expect(onHost).toEqual(['w'])
  })

  it('leaves out what nobody uses', async () => {
    const unused = await foreseen(`
      input x: float32[4]
      const w: float32[4] = ...
      y = Relu(x)
      output y: float32[4]`)
    expect(unused).toEqual([])
  })
})
