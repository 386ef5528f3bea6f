// SPDX-License-Identifier: Apache-2.0
/** Transposes are pushed on until they cancel; where that does not pay, the graph stays as it was. */
import { describe, expect, it } from 'vitest'
import { channelsLast } from '../../src/passes/channels-last.ts'
import { lowerMatmul } from '../../src/passes/lower-matmul.ts'
import { removeNoOps } from '../../src/passes/remove-no-ops.ts'
import { sinkTransposes } from '../../src/passes/sink-transposes.ts'
import { through } from './through.ts'

const head = 'input x: float32[n, h, w, 4] t = Transpose(x) {perm: [0, 3, 1, 2]}'
const back = 'y = Transpose(e) {perm: [0, 2, 3, 1]} output y: float32[...]'
const end = 'output y: float32[...]'

describe('sink-transposes cancels a pair of Transposes around', () => {
  it.each([
    ['an activation', 'e = Relu(t)'],
    ['Clip', 'const a: float32[] = 0 e = Clip(t, a)'],
    ['a chain', 'a = Sigmoid(t) b = Mul(t, a) e = Neg(b)'],
    ['a constant per channel', 'const c: float32[4, 1, 1] = ... e = Mul(t, c)'],
    ['a constant of the whole shape', 'const c: float32[1, 4, 6, 5] = ... e = Add(c, t)'],
    ['a constant along the last axis', 'const c: float32[5] = ... e = Add(t, c)'],
    ['one number', 'const c: float32[] = 2 e = Pow(t, c)'],
    ['two permuted operands', 'input z: float32[n, h, w, 4] u = Transpose(z) {perm: [0, 3, 1, 2]} e = Add(t, u)'],
    ['Where', 'const c: float32[1] = 0 l = Less(t, c) e = Where(l, c, t)'],
    ['Concat', 'input z: float32[n, h, w, 3] u = Transpose(z) {perm: [0, 3, 1, 2]} e = Concat(t, u) {axis: 1}'],
    ['Concat from behind', 'e = Concat(t, t) {axis: -1}'],
    ['a reduction', 'const a: int64[2] = 2 -1 e = ReduceMean(t, a)'],
    ['GlobalAveragePool', 'e = GlobalAveragePool(t)'],
    ['GlobalMaxPool', 'e = GlobalMaxPool(t)'],
    ['Pad', 'const p: int64[8] = 0 1 2 0 0 0 3 1 e = Pad(t, p)'],
    ['Resize', 'const f: float32[4] = 1 1 2 3 e = Resize(t, _, f)'],
    ['Resize of some axes', 'const s: int64[2] = 9 5 e = Resize(t, _, _, s) {axes: [-1, 2], mode: "linear"}'],
    ['Slice', 'const a: int64[2] = 1 0 const b: int64[2] = 3 4 const c: int64[2] = 1 -1 e = Slice(t, a, b, c)'],
    ['Slice of the first axes', 'const a: int64[2] = 0 1 const b: int64[2] = 9 3 e = Slice(t, a, b)'],
    ['Softmax over what becomes the last axis', 'e = Softmax(t) {axis: 1}'],
    ['a block of squeeze and excitation', 'g = GlobalAveragePool(t) s = HardSigmoid(g) e = Mul(t, s)'],
    ['Cast', 'i = Cast(t) {to: 11} e = Cast(i) {to: 1}'],
  ])('%s', async (_, text) => {
    const { ops } = await through(sinkTransposes, `${head} ${text} ${back}`)
    expect(ops).not.toContain('Transpose')
  })

  it('Squeeze and Unsqueeze', async () => {
    const squeezed = await through(
      sinkTransposes,
      'input x: float32[n, 1, w, 4] const a: int64[1] = 2 t = Transpose(x) {perm: [0, 3, 1, 2]} e = Squeeze(t, a) y = Transpose(e) {perm: [0, 2, 1]} output y: float32[n, w, 4]',
    )
    expect(squeezed.ops).toEqual(['Squeeze'])
    const raised = await through(
      sinkTransposes,
      'input x: float32[n, w, 4] const a: int64[1] = -2 t = Transpose(x) {perm: [0, 2, 1]} e = Unsqueeze(t, a) y = Transpose(e) {perm: [0, 2, 3, 1]} output y: float32[...]',
    )
    expect(raised.ops).not.toContain('Transpose')
  })

  it('Split into parts that all go back', async () => {
    const { ops } = await through(
      sinkTransposes,
      `${head} const s: int64[2] = 1 3 p, q = Split(t, s) {axis: 1} e = Relu(p) z = Transpose(q) {perm: [0, 2, 3, 1]} ${back} output z: float32[...]`,
    )
    expect(ops).toEqual(['Split', 'Relu'])
  })

  it('a reduction that drops its axes', async () => {
    const { ops } = await through(
      sinkTransposes,
      `${head} const a: int64[1] = 3 r = ReduceSum(t, a) {keepdims: 0} y = Transpose(r) {perm: [0, 2, 1]} ${end}`,
    )
    expect(ops).toEqual(['ReduceSum'])
  })

  it('Reshape that merges neighbours, and that splits an axis', async () => {
    const merged = await through(
      sinkTransposes,
      `${head} const s: int64[3] = 0 4 -1 r = Reshape(t, s) y = Transpose(r) {perm: [0, 2, 1]} ${end}`,
    )
    expect(merged.ops).toEqual(['Reshape'])
    const split = await through(
      sinkTransposes,
      `${head} const s: int64[5] = 0 2 2 6 5 r = Reshape(t, s) y = Transpose(r) {perm: [0, 3, 4, 1, 2]} ${end}`.replace(
        '[n, h, w, 4]',
        '[n, 6, 5, 4]',
      ),
    )
    expect(split.ops).toEqual(['Reshape'])
  })
})

describe('sink-transposes', () => {
  it('takes the Transpose before a flattening into the weight of a whittle.Gemm', async () => {
    const text = (flatten: string) =>
      `input x: float32[n, 3, 2, 4] const k: float32[24, 5] = ... const s: int64[2] = -1 24 t = Transpose(x) {perm: [0, 3, 1, 2]} f = ${flatten} y = MatMul(f, k) ${end}`
    for (const flatten of ['Reshape(t, s)', 'Flatten(t)']) {
      expect((await through([lowerMatmul, sinkTransposes], text(flatten))).ops).toEqual(['Reshape', 'whittle.Gemm'])
    }
  })

  it('leaves a chain of convolutions and pools with one Transpose at each end', async () => {
    const { ops } = await through(
      [channelsLast, sinkTransposes],
      `input x: float32[n, 3, h, w] const a: float32[4, 3, 3, 3] = ... const b: float32[4, 1, 3, 3] = ...
      c = Conv(x, a) {pads: [1, 1, 1, 1]} r = Relu(c) d = Conv(r, b) {group: 4, pads: [1, 1, 1, 1]} e = HardSwish(d) f = Add(e, c) y = MaxPool(f) {kernel_shape: [2, 2]} ${end}`,
    )
    expect(ops.filter((op) => op === 'Transpose')).toHaveLength(2)
  })

  it('leaves nothing between convolutions over one axis', async () => {
    const { ops } = await through(
      [channelsLast, sinkTransposes, removeNoOps],
      `input x: float32[n, 3, t] const a: float32[4, 3, 2] = ... const b: float32[4, 4, 1] = ... c = Conv(x, a) r = Relu(c) y = Conv(r, b) ${end}`,
    )
    expect(ops).toEqual(['Unsqueeze', 'Transpose', 'whittle.Conv', 'Relu', 'whittle.Conv', 'Squeeze', 'Transpose'])
  })

  it('says a Transpose that moves no element as a Reshape', async () => {
    const { ops } = await through(
      sinkTransposes,
      `input x: float32[n, 1, w, 1] y = Transpose(x) {perm: [0, 3, 2, 1]} ${end}`,
    )
    expect(ops).toEqual(['Reshape'])
  })

  it('permutes an operand whose permutation moves no element', async () => {
    const { ops } = await through(sinkTransposes, `${head} input s: float32[n, 4, 1, 1] e = Mul(t, s) ${back}`)
    expect(ops).toEqual(['Reshape', 'Mul'])
  })

  it.each([
    ['of known sizes', '1, 1, 6, 5', 'Sub(x, d)', 0],
    ['of known sizes, last', '1, 1, 6, 5', 'Add(d, x)', 0],
    ['of an image of one row', 'n, 1, 1, w', 'Sub(x, d)', 0],
    ['of symbolic sizes, which no Reshape spells', 'n, 1, h, w', 'Sub(x, d)', 1],
  ])('settles where one channel comes out and meets an operand %s', async (_, dims, last, most) => {
    const { ops } = await through(
      [channelsLast, sinkTransposes],
      `input x: float32[${dims}] const a: float32[4, 1, 3, 3] = ... const b: float32[1, 4, 3, 3] = ...
      c = Conv(x, a) {pads: [1, 1, 1, 1]} r = Relu(c) d = Conv(r, b) {pads: [1, 1, 1, 1]} y = ${last} ${end}`,
    )
    expect(ops.slice(1).filter((op) => op === 'Transpose').length).toBeLessThanOrEqual(most)
  })

  it.each([
    [
      'a Slice of a value others read too',
      `${head} const a: int64[1] = 1 const b: int64[1] = 2 p = Slice(t, a, b, a) q = Slice(t, b, a, a) e = Concat(p, q) {axis: 1} y = Neg(e) ${end}`,
      2,
    ],
    ['an operand in another order', `${head} input z: float32[n, 4, h, w] y = Add(t, z) ${end}`, 1],
    [
      'operands permuted differently',
      `${head} input z: float32[n, w, h, 4] u = Transpose(z) {perm: [0, 3, 2, 1]} y = Add(t, u) ${end}`,
      2,
    ],
    ['Softmax over what would not be the last axis', `${head} y = Softmax(t) {axis: 2} ${end}`, 1],
    ['Reshape across the axes moved', `${head} const s: int64[2] = 0 -1 y = Reshape(t, s) ${end}`, 1],
    ['MatMul', `${head} input z: float32[w, 3] y = MatMul(t, z) ${end}`, 1],
    ['a constant that stretches the result', `${head} const c: float32[2, 1, 1, 1, 1] = 1 2 y = Mul(t, c) ${end}`, 1],
  ])('leaves %s alone', async (_, text, most) => {
    const { ops } = await through(sinkTransposes, text)
    expect(ops.filter((op) => op === 'Transpose').length).toBeLessThanOrEqual(most)
    expect(ops[0]).toBe('Transpose')
  })
})
