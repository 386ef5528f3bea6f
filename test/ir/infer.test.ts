// SPDX-License-Identifier: Apache-2.0
/** Inference follows shapes and small integer contents through a graph, and names what it cannot do. */
import { describe, expect, it } from 'vitest'
import { GraphError, UnsupportedError } from '../../src/base/errors.ts'
import { print, symbol } from '../../src/ir/dim.ts'
import { inferGraph } from '../../src/ir/infer.ts'
import { parseGraph } from '../../src/ir/text-parse.ts'
import { printType } from '../../src/ir/text.ts'
import { tinyOps } from './tiny-ops.ts'

const typesOf = (text: string, options = {}): Record<string, string> =>
  Object.fromEntries(
    [...inferGraph(parseGraph(`graph g opset 13 {${text}}`), tinyOps, options)].map(([name, info]) => [
      name,
      printType(info),
    ]),
  )

const chain = `
  input x: float32[n, 8, w]
  const minus: int64[1] = -1
  const two: int64[1] = 2
  s = Shape(x)
  t = Mul(s, two)
  c = Concat(two, minus) {axis: 0}
  y = Reshape(x, c)
  z = Concat(s, minus) {axis: 0}`

describe('inferGraph', () => {
  it('resolves shape arithmetic, symbolic and with numbers', () => {
    expect(typesOf(chain)).toMatchObject({ y: 'float32[2, 4*n*w]', z: 'int64[4]' })
    const inputs = new Map([['x', { dtype: 'float32' as const, dims: [3, 8, 5] }]])
    expect(typesOf(chain, { inputs })).toMatchObject({ y: 'float32[2, 60]' })
  })

  it('carries the content of small integer tensors', () => {
    const infos = inferGraph(parseGraph(`graph g opset 13 {${chain}}`), tinyOps)
    expect(infos.get('t')!.content!.map(print)).toEqual(['2*n', '16', '2*w'])
    expect(infos.get('minus')!.content).toEqual([-1])
    expect(infos.get('minus')!.tensor).toBeDefined()
  })

  it('sees the graphs around a subgraph', () => {
    const branch = (op: string): string => `graph b opset 13 { r${op} = ${op}(x) output r${op}: float32[...] }`
    const text = `input x: float32[n] input c: bool[] y = If(c) {then_branch: ${branch('Relu')}, else_branch: ${branch('Neg')}}`
    expect(typesOf(text).y).toBe('float32[n]')
  })

  it('names operator, domain, node and the nearest known operator', () => {
    const unknown = (op: string) => () => typesOf(`input x: float32[2] y = ${op}(x) @act`)
    expect(unknown('Rellu')).toThrow(UnsupportedError)
    expect(unknown('Rellu')).toThrow(
      'Rellu "act": expected an operator whittle knows, got Rellu of domain ai.onnx; the nearest known operator is Relu',
    )
    expect(unknown('com.acme.Frobnicate')).toThrow('got Frobnicate of domain com.acme')
  })

  it('rejects what contradicts itself, naming the node', () => {
    expect(() => typesOf('y = Relu(x)')).toThrow(
      `Relu "y" › input 'x': expected a value made by an earlier node, got none`,
    )
    expect(() => typesOf('input x: float32[2] input z: float32[3] y = Add(x, z)')).toThrow(GraphError)
    expect(() => typesOf('input x: float32[2] y, z = Relu(x)')).toThrow('at most 1, got 2')
    expect(() => typesOf('input x: float32[2] y = Concat(x) {axis: 0.5}')).toThrow(
      'Concat "y".axis: expected an integer, got 0.5',
    )
    expect(() => typesOf('input x: float32[2] y = Concat(x)')).toThrow(
      'Concat "y".axis: expected an integer, got nothing',
    )
    expect(() => typesOf('input x: float32[2] const s: int64[1] = -3 y = Reshape(x, s)')).toThrow(
      'dims that are integers >= 0, got -3',
    )
  })

  it('lets bindings stand in for symbols', () => {
    const inputs = new Map([['x', { dtype: 'float32' as const, dims: [symbol('b'), 8, 1] }]])
    expect(typesOf(chain, { inputs }).y).toBe('float32[2, 4*b]')
  })
})
