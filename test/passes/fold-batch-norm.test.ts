// SPDX-License-Identifier: Apache-2.0
/** Affine maps go into the layer before them, exactly where that is possible. */
import { describe, expect, it } from 'vitest'
import { foldBatchNorm } from '../../src/passes/fold-batch-norm.ts'
import { through } from './through.ts'

const x = 'input x: float32[n, 4, h, w]'
const conv = `${x} const k: float32[6, 4, 3, 3] = ... const b: float32[6] = ... c = Conv(x, k, b) {pads: [1, 1, 1, 1]}`
const norm = 'const g: float32[6] = ... const s: float32[6] = ... const m: float32[6] = ... const var: float32[6] = ...'
const out = 'output y: float32[...]'

describe('fold-batch-norm folds', () => {
  it("BatchNormalization into Conv, keeping the node's name and making a bias where there is none", async () => {
    const { ops, node } = await through(
      foldBatchNorm,
      `${x} const k: float32[6, 4, 1, 1] = ... ${norm}
      c = Conv(x, k) @conv1 y = BatchNormalization(c, g, s, m, var) {epsilon: 0.01} ${out}`,
    )
    expect(ops).toEqual(['Conv'])
    expect(node('Conv')).toMatchObject({ name: 'conv1', outputs: ['y'] })
    expect(node('Conv').inputs).toHaveLength(3)
  })

  it.each([
    ['Mul', 'c, v', '[1]'],
    ['Mul', 'v, c', '[]'],
    ['Mul', 'c, v', '[6, 1, 1]'],
    ['Add', 'c, v', '[1, 6, 1, 1]'],
    ['Add', 'v, c', '[1]'],
    ['Sub', 'c, v', '[6, 1, 1]'],
    ['Sub', 'v, c', '[6, 1, 1]'],
    ['Div', 'c, v', '[1, 1, 1]'],
  ])('%s(%s) with a constant of %s into Conv', async (op, inputs, dims) => {
    const { ops } = await through(foldBatchNorm, `${conv} const v: float32${dims} = ... y = ${op}(${inputs}) ${out}`)
    expect(ops).toEqual(['Conv'])
  })

  it('a chain of them', async () => {
    const { ops, fired } = await through(
      foldBatchNorm,
      `${conv} ${norm} const a: float32[1] = 3 const z: float32[1] = -2
      p = Mul(a, c) q = Add(p, z) r = BatchNormalization(q, g, s, m, var) y = Neg(r) ${out}`,
    )
    expect(ops).toEqual(['Conv'])
    expect(fired).toBe(4)
  })

  it('into grouped Conv and into ConvTranspose, whose weight has its outputs elsewhere', async () => {
    const grouped = await through(
      foldBatchNorm,
      `${x} const k: float32[6, 2, 3, 3] = ... ${norm} c = Conv(x, k) {group: 2}
      y = BatchNormalization(c, g, s, m, var) ${out}`,
    )
    expect(grouped.ops).toEqual(['Conv'])
    const up = await through(
      foldBatchNorm,
      `${x} const k: float32[4, 3, 2, 2] = ... ${norm} c = ConvTranspose(x, k) {group: 2, strides: [2, 2]}
      y = BatchNormalization(c, g, s, m, var) ${out}`,
    )
    expect(up.ops).toEqual(['ConvTranspose'])
  })

  it('into Gemm with alpha and beta, transposed or not', async () => {
    for (const [dims, transB] of [
      ['5, 6', 0],
      ['6, 5', 1],
    ]) {
      const { ops } = await through(
        foldBatchNorm,
        `input x: float32[n, 5] const k: float32[${dims}] = ... const b: float32[1, 6] = ... ${norm}
        c = Gemm(x, k, b) {alpha: 0.5, beta: 2, transB: ${transB}} y = BatchNormalization(c, g, s, m, var) ${out}`,
      )
      expect(ops).toEqual(['Gemm'])
    }
  })

  it('a factor into MatMul, which has no bias', async () => {
    const { ops } = await through(
      foldBatchNorm,
      `input x: float32[n, t, 5] const k: float32[5, 6] = ... const v: float32[6] = ... const a: float32[6] = ...
      c = MatMul(x, k) p = Mul(c, v) y = Add(p, a) ${out}`,
    )
    expect(ops).toEqual(['MatMul', 'Add'])
  })

  it('a BatchNormalization behind no layer into Mul and Add', async () => {
    const { ops } = await through(
      foldBatchNorm,
      `input x: float32[n, 6, w] ${norm} r = Relu(x) y = BatchNormalization(r, g, s, m, var) ${out}`,
    )
    expect(ops).toEqual(['Relu', 'Mul', 'Add'])
  })
})

describe('fold-batch-norm leaves alone', () => {
  it.each([
    [
      'a value that is read elsewhere',
      `${conv} const v: float32[1] = 2 y = Mul(c, v) z = Relu(c) ${out} output z: float32[...]`,
    ],
    ['a value that is a graph output', `${conv} const v: float32[1] = 2 y = Mul(c, v) output c: float32[...] ${out}`],
    ['operands that are not constant', `${conv} input v: float32[1] y = Mul(c, v) ${out}`],
    [
      'weights that are not constant',
      `${x} input k: float32[6, 4, 1, 1] const v: float32[1] = 2 c = Conv(x, k) y = Mul(c, v) ${out}`,
    ],
    [
      'weights that another node reads',
      `${conv} const v: float32[1] = 2 y = Mul(c, v) z = Conv(x, k) ${out} output z: float32[...]`,
    ],
    [
      'constants along another axis',
      `${x} const k: float32[6, 4, 1, 1] = ... const v: float32[1, 1, 6, 1] = ... c = Conv(x, k) y = Mul(c, v) ${out}`,
    ],
    [
      'constants that stretch the result',
      `input x: float32[n, 4, 1, 1] const k: float32[1, 4, 1, 1] = ... const v: float32[6, 1, 1] = ... c = Conv(x, k) y = Mul(c, v) ${out}`,
    ],
    ['constants of a higher rank', `${conv} const v: float32[1, 1, 1, 1, 1] = 2 y = Mul(c, v) ${out}`],
    ['a division by the layer', `${conv} const v: float32[1] = 2 y = Div(v, c) ${out}`],
    [
      'integers',
      `input x: int32[n, 3] const k: int32[3, 2] = ... const v: int32[1] = 3 c = MatMul(x, k) y = Mul(c, v) ${out.replace('float32', 'int32')}`,
    ],
  ])('%s', async (_, text) => {
    expect((await through(foldBatchNorm, text)).fired).toBe(0)
  })

  it('constants that would make the weights infinite', async () => {
    const { fired } = await through(foldBatchNorm, `${conv} const v: float32[1] = 0 y = Div(c, v) ${out}`)
    expect(fired).toBe(0)
  })
})
