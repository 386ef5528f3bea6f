// SPDX-License-Identifier: Apache-2.0
/** What does not depend on inputs is computed ahead, unless that would bloat the model. */
import { describe, expect, it } from 'vitest'
import { deadCode } from '../../src/passes/dead-code.ts'
import { foldConstants } from '../../src/passes/fold-constants.ts'
import { UnsupportedError } from '../../src/base/errors.ts'
import { tinyOps } from '../ir/tiny-ops.ts'
import { graphOf, through } from './through.ts'

describe('fold-constants', () => {
  it('computes nodes with constant inputs, one after the other', async () => {
    const { ops, graph } = await through(
      foldConstants,
      `input x: float32[2] const a: float32[2] = 1 2 b = Add(a, a) c = Neg(b) y = Mul(x, c) output y: float32[2]`,
    )
    expect(ops).toEqual(['Mul'])
    expect([...graph.constants.values()].map((constant) => Array.from(constant.tensor!.data as Float32Array))).toEqual([
      [-2, -4],
    ])
  })

  it('knows shapes that are fixed, though the values are not', async () => {
    const { ops } = await through(
      foldConstants,
      `input x: float32[n, 3, 8] const i: int64[1] = 1 const e: int64[1] = 3
      s = Shape(x) t = Slice(s, i, e) y = Mul(t, t) z = Add(y, t) o = Cast(z) {to: 1} q = Relu(o) output q: float32[2] output x: float32[n, 3, 8]`,
    )
    expect(ops).toEqual(['Relu'])
  })

  it('says the target of a Reshape with 0 and -1 where it can, freeing shape arithmetic', async () => {
    const text = (
      target: string,
    ) => `input x: float32[n, 3, w] const m: int64[1] = -1 const a: int64[1] = 0 const b: int64[1] = 1 const c: int64[1] = 3
      s = Shape(x) p = Slice(s, a, b) q = Slice(s, b, c) t = Concat(${target}) {axis: 0} y = Reshape(x, t) output y: float32[...]`
    const folded = await through([foldConstants, deadCode], text('p, m'))
    expect(folded.ops).toEqual(['Reshape'])
    expect(
      Array.from(folded.graph.constants.get(folded.node('Reshape').inputs[1])!.tensor!.data as BigInt64Array),
    ).toEqual([0n, -1n])
    const moved = await through(foldConstants, text('q, p'))
    expect(moved.ops).toContain('Concat')
  })

  it('keeps a node that makes a graph output', async () => {
    const { ops, fired } = await through(foldConstants, 'const a: float32[2] = 1 2 y = Neg(a) output y: float32[2]')
    expect([ops, fired]).toEqual([['Neg'], 0])
  })

  it('leaves alone what is impure', () => {
    const graph = graphOf('const a: float32[2] = 1 2 r = Random(a) y = Neg(r) output y: float32[2]')
    const evaluate = (): never => expect.unreachable()
    expect(foldConstants.run(graph, { opSet: tinyOps, evaluate }).fired).toBe(0)
  })

  it('leaves alone what has no reference', () => {
    const graph = graphOf('const a: float32[2] = 1 2 r = Neg(a) y = Neg(r) output y: float32[2]')
    const evaluate = (): never => {
      throw new UnsupportedError({ where: 'Neg', expected: 'a reference' })
    }
    expect(foldConstants.run(graph, { opSet: tinyOps, evaluate }).fired).toBe(0)
    expect(foldConstants.run(graph, { opSet: tinyOps }).fired).toBe(0)
  })

  it('leaves alone what would be much larger than its inputs', async () => {
    const large = await through(
      foldConstants,
      'input x: float32[1] const d: int64[2] = 1200 900 const a: float32[1] = 1 e = Expand(a, d) y = Mul(e, x) output y: float32[1200, 900]',
    )
    expect(large.ops).toEqual(['Expand', 'Mul'])
  })

  it('leaves alone what depends on an input', async () => {
    expect(
      (await through(foldConstants, 'input x: float32[2] const a: float32[2] = 1 2 y = Add(x, a) output y: float32[2]'))
        .fired,
    ).toBe(0)
  })
})
