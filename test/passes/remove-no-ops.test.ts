// SPDX-License-Identifier: Apache-2.0
/** Nodes that change nothing go; those that change a bit, a type or a shape stay. */
import { describe, expect, it } from 'vitest'
import { removeNoOps } from '../../src/passes/remove-no-ops.ts'
import { through } from './through.ts'

const x =
  'input x: float32[n, 3, w] const one: float32[1] = 1 const ones: float32[3, 1] = 1 1 1 const zero: float32[1] = 0 const z: float32[1] = -0'
const end = 'q = Relu(y) output q: float32[...]'

describe('remove-no-ops removes', () => {
  it.each([
    ['Identity', 'y = Identity(x)'],
    ['Dropout', 'y = Dropout(x)'],
    ['Dropout told not to train', 'const r: float32[] = 0.5 const f: bool[] = 0 y, _ = Dropout(x, r, f)'],
    ['Cast to the same type', 'y = Cast(x) {to: 1}'],
    ['x * 1', 'y = Mul(x, one)'],
    ['1 * x', 'y = Mul(ones, x)'],
    ['x / 1', 'y = Div(x, one)'],
    ['x ^ 1', 'y = Pow(x, one)'],
    ['x - 0', 'y = Sub(x, zero)'],
    ['x + -0', 'y = Add(x, z)'],
    ['Reshape to the same dims', 'const s: int64[3] = 0 3 -1 y = Reshape(x, s)'],
    ['Transpose in order', 'y = Transpose(x) {perm: [0, 1, 2]}'],
    ['Expand to the same dims', 's = Shape(x) y = Expand(x, s)'],
    [
      'Slice of everything',
      'const a: int64[1] = 0 const b: int64[1] = 9223372036854775807 const c: int64[1] = 2 y = Slice(x, a, b, c)',
    ],
    ['Concat of one', 'y = Concat(x) {axis: 1}'],
    ['Pad by nothing', 'const p: int64[6] = 0 0 0 0 0 0 y = Pad(x, p)'],
    ['Clip without bounds', 'y = Clip(x)'],
    ['Sum of one', 'y = Sum(x)'],
    ['two Transposes that cancel', 't = Transpose(x) {perm: [1, 2, 0]} y = Transpose(t) {perm: [2, 0, 1]}'],
    ['reshaping there and back', 'const a: int64[1] = 1 t = Unsqueeze(x, a) y = Squeeze(t, a)'],
  ])('%s', async (_, text) => {
    expect((await through(removeNoOps, `${x} ${text} ${end}`)).ops.filter((op) => op !== 'Shape')).toEqual(['Relu'])
  })

  it('chains of Transpose and of Reshape down to one', async () => {
    const transposes = await through(
      removeNoOps,
      `${x} t = Transpose(x) {perm: [1, 0, 2]} y = Transpose(t) {perm: [0, 2, 1]} ${end}`,
    )
    expect(transposes.ops).toEqual(['Transpose', 'Relu'])
    const reshapes = await through(
      removeNoOps,
      `${x} const s: int64[2] = 0 -1 const a: int64[1] = 1 t = Reshape(x, s) y = Unsqueeze(t, a) ${end}`,
    )
    expect(reshapes.ops).toEqual(['Reshape', 'Relu'])
  })

  it('a no-op that makes a graph output, by giving its name to what it read', async () => {
    const { lines } = await through(removeNoOps, 'input x: float32[2] a = Relu(x) y = Identity(a) output y: float32[2]')
    expect(lines()).toEqual(['y = Relu(x) @a'])
  })

  it('x + 0 and x - 0 of integers', async () => {
    const { ops } = await through(
      removeNoOps,
      'input x: int32[2] const z: int32[] = 0 a = Add(x, z) b = Sub(a, z) y = Neg(b) output y: int32[2]',
    )
    expect(ops).toEqual(['Neg'])
  })
})

describe('remove-no-ops leaves alone', () => {
  it.each([
    ['x + 0, which turns -0 into 0', 'y = Add(x, zero)'],
    ['0 - x', 'y = Sub(zero, x)'],
    ['1 / x', 'y = Div(one, x)'],
    ['a product that stretches x', 'const wide: float32[2, 1, 1, 1] = 1 1 y = Mul(x, wide)'],
    ['a factor that is not quite 1', 'const v: float32[1] = 1.0000001 y = Mul(x, v)'],
    ['factors that are not all 1', 'const v: float32[3, 1] = 1 2 1 y = Mul(x, v)'],
    ['Dropout in training', 'input r: float32[] input f: bool[] y = Dropout(x, r, f)'],
    ['Cast to another type', 'y = Cast(x) {to: 11}'],
    ['Reshape whose dims may differ', 'const s: int64[2] = 0 -1 y = Reshape(x, s)'],
    [
      'Slice backwards',
      'const a: int64[1] = -1 const b: int64[1] = -9223372036854775807 const c: int64[1] = 2 y = Slice(x, a, b, c, a)',
    ],
    ['Clip with a bound', 'y = Clip(x, zero)'],
  ])('%s', async (_, text) => {
    const { fired } = await through(
      removeNoOps,
      `${x} ${text} ${text.includes('to: 11') ? 'output y: float64[...]' : end}`,
    )
    expect(fired).toBe(0)
  })

  it('an Identity between an input and an output', async () => {
    expect((await through(removeNoOps, 'input x: float32[2] y = Identity(x) output y: float32[2]')).fired).toBe(0)
  })
})
