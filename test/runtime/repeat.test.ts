// SPDX-License-Identifier: Apache-2.0
/** Runs like the one before take a short way: it must give what the long one gives, and notice every difference. */
import { describe, expect, it } from 'vitest'
import { InputError } from '../../src/base/errors.ts'
import { parseGraph } from '../../src/ir/text-parse.ts'
import { operatorsOf } from '../../src/ops/evaluate.ts'
import { loadOps } from '../../src/ops/table.ts'
import { SessionCore } from '../../src/runtime/core.ts'
import { Modules } from '../../src/runtime/module.ts'
import { Repeat } from '../../src/runtime/repeat.ts'
import { Tensor } from '../../src/tensor/tensor.ts'

const text = `graph main opset 17 {
  input x: float32[n, 2]
  input k: int64[1]
  c = Cast(k) {to: 1}
  y = Mul(x, c)
  output y: float32[n, 2]
}`
const { inputs } = parseGraph(text)
const x = (...values: number[]): Tensor => new Tensor('float32', values, [values.length / 2, 2])
const k = (value: number): Tensor => new Tensor('int64', [BigInt(value)], [1])

describe('Repeat', () => {
  const like = new Repeat(inputs, new Map([['x', x(1, 2)], ['k', k(3)]]), (name) => name === 'k') // oxfmt-ignore

  it('knows feeds of the same types and shapes, in the order of the inputs', () => {
    const feeds = { k: k(3), x: x(5, 6) }
    expect(like.dataOf(feeds)).toEqual([feeds.x.data, feeds.k.data])
    const others = { k: k(3), x: { type: 'float32', data: new Float32Array(2), dims: [1, 2] } }
    expect(like.dataOf(others)).toEqual([others.x.data, others.k.data])
  })

  it.each<[string, unknown]>([
    ['another shape', { x: x(1, 2, 3, 4), k: k(3) }],
    ['another type', { x: new Tensor('int32', [1, 2], [1, 2]), k: k(3) }],
    ['another content where one was compiled for', { x: x(1, 2), k: k(4) }],
    ['another array', { x: { type: 'float32', data: new Int32Array(2), dims: [1, 2] }, k: k(3) }],
    ['numbers', { x: { type: 'float32', data: [1, 2], dims: [1, 2] }, k: k(3) }],
    ['dims that are none', { x: { type: 'float32', data: new Float32Array(2), dims: null }, k: k(3) }],
    ['no data', { x: { type: 'float32', dims: [1, 2] }, k: k(3) }],
    ['no tensor', { x: 1, k: k(3) }],
    ['null', { x: null, k: k(3) }],
    ['one missing', { x: x(1, 2) }],
    ['one more', { x: x(1, 2), k: k(3), z: k(3) }],
    ['another name', { x: x(1, 2), z: k(3) }],
    ['nothing', null],
    ['a list', [x(1, 2), k(3)]],
    [
      'what is inherited',
      Object.create({ x: x(1, 2), k: k(3) }, { a: { value: 1, enumerable: true }, b: { value: 2, enumerable: true } }),
    ],
  ])('does not know %s', (_, feeds) => {
    expect(like.dataOf(feeds)).toBeUndefined()
  })

  it('does not know data that was taken away', () => {
    const given = x(1, 2)
    structuredClone(given.data, { transfer: [(given.data as Float32Array).buffer] })
    expect(like.dataOf({ x: given, k: k(3) })).toBeUndefined()
  })
})

describe('a session', () => {
  it('gives the same results by the short way, new ones each time, and says what is wrong', async () => {
    const graph = parseGraph(text)
    const session = await SessionCore.create({
      graph,
      ops: await loadOps(operatorsOf(graph)),
      kernels: await new Modules().choose('auto', false),
      threads: 1,
      profile: false,
      bytes: () => 0,
    })
    const results: Tensor[] = []
    for (const [values, factor] of [
      [[1, 2], 3],
      [[4, 5], 3],
      [[6, 7], 3],
      [[6, 7], -2],
      [[6, 7, 8, 9], 1],
      [[1, 1], 5],
    ] as const) {
      const { y } = await session.run({ x: x(...values), k: k(factor) })
      expect([...(y.data as Float32Array)]).toEqual(values.map((value) => value * factor))
      results.push(y)
    }
    expect(new Set(results.map(({ data }) => (data as Float32Array).buffer)).size).toBe(results.length)
    await expect(session.run({ x: x(1, 1) })).rejects.toThrow(InputError)
    const [a, b] = await Promise.all([2, 3].map((factor) => session.run({ x: x(1, 1), k: k(factor) })))
    expect([...(a.y.data as Float32Array), ...(b.y.data as Float32Array)]).toEqual([2, 2, 3, 3])
    await session.dispose()
    await expect(session.run({ x: x(1, 1), k: k(5) })).rejects.toThrow('an open session')
  })
})
