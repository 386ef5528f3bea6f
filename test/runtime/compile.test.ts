// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import type { ValueInfo } from '../../src/ir/graph.ts'
import { inferGraph } from '../../src/ir/infer.ts'
import { parseGraph } from '../../src/ir/text-parse.ts'
import { operatorsOf } from '../../src/ops/evaluate.ts'
import { loadOps } from '../../src/ops/table.ts'
import { type Program, compile } from '../../src/runtime/compile.ts'

async function program(body: string, inputs: Record<string, readonly number[]>): Promise<Program> {
  const graph = parseGraph(`graph main opset 17 { ${body} }`)
  const ops = await loadOps(operatorsOf(graph))
  const known = new Map(
    graph.inputs.map(({ name, dtype }): [string, ValueInfo] => [name, { dtype, dims: inputs[name] }]),
  )
  const infos = inferGraph(graph, ops, { inputs: known })
  const host = { int8: 'pairs', threads: 1 } as const
  return compile({ graph, infos, ops, host, intern: (bytes) => `table ${bytes.join()}` })
}

const ops = ({ owners }: Program): string[] => [...new Set(owners.map(({ op }) => op))]

describe('compile', () => {
  it('leaves no step of shape arithmetic', async () => {
    const compiled = await program(
      `input x: float32[n, 6]
      const k: int64[1] = -1
      const i: int64[1] = 0
      s = Shape(x)
      d = Gather(s, i)
      t = Concat(d, k) {axis: 0}
      r = Reshape(x, t)
      y = Relu(r)
      output y: float32[n, m]`,
      { x: [4, 6] },
    )
    expect(ops(compiled)).toEqual(['Relu'])
    expect(compiled.segments).toEqual([{ kind: 'stretch', from: 0, to: compiled.steps.length }])
    expect(compiled.aliases.size).toBe(1)
  })

  it('hands out known results without a step', async () => {
    const compiled = await program(`input x: float32[n, 6] s = Shape(x) output s: int64[2]`, { x: [4, 6] })
    expect(compiled.steps).toEqual([])
    expect(compiled.segments).toEqual([])
    expect([...(compiled.known.get('s')!.data as BigInt64Array)]).toEqual([4n, 6n])
  })

  it('computes nothing that no result needs', async () => {
    const compiled = await program(
      `input x: float32[n]
      a = Relu(x)
      b = Sigmoid(x)
      output a: float32[n]`,
      { x: [4] },
    )
    expect(ops(compiled)).toEqual(['Relu'])
  })

  it('splits into stretches around host calls, and writes to the arena only what steps read', async () => {
    const compiled = await program(
      `input x: float32[n]
      a = Relu(x)
      b = Sinh(a)
      c = Sinh(b)
      d = Relu(c)
      output d: float32[n]
      output b: float32[n]`,
      { x: [4] },
    )
    const [first, second, third, fourth] = compiled.segments
    expect([first.kind, second.kind, third.kind, fourth.kind]).toEqual(['stretch', 'host', 'host', 'stretch'])
    expect(second.kind === 'host' && second.call.arenaWrites).toEqual([])
    expect(third.kind === 'host' && third.call.arenaWrites).toEqual(['c'])
  })

  it('ends before what depends on a shape only data tells', async () => {
    const compiled = await program(
      `input x: float32[n]
      input s: int64[2]
      a = Relu(x)
      r = Reshape(a, s)
      y = Sigmoid(r)
      output y: float32[p, q]
      output a: float32[n]`,
      { x: [6], s: [2] },
    )
    expect(compiled.segments.at(-1)!.kind).toBe('host')
    expect(compiled.rest!.graph.nodes.map(({ op }) => op)).toEqual(['Sigmoid'])
    expect(new Set(compiled.results)).toEqual(new Set(['r', 'a']))
  })

  it('asks for a weight once per layout', async () => {
    const compiled = await program(
      `input x: float32[n, 2]
      const w: float32[2, 2] = 1 2 3 4
      a = MatMul(x, w)
      b = MatMul(a, w)
      y = Add(b, w)
      output y: float32[n, 2]`,
      { x: [2, 2] },
    )
    expect([...compiled.weights.values()].map(({ constant, layout }) => [constant, layout !== undefined])).toEqual([
      ['w', true],
      ['w', false],
    ])
  })
})
