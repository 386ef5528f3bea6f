// SPDX-License-Identifier: Apache-2.0
/** Affine maps go into the layer behind them; shifts only where no padding is read. */
import { describe, expect, it } from 'vitest'
import { foldAffineIntoNext } from '../../src/passes/fold-affine-into-next.ts'
import { through } from './through.ts'

const x =
  'input x: float32[n, 4, h, w] const s: float32[4, 1, 1] = ... const t: float32[4, 1, 1] = ... const one: float32[1] = 0.7'
const out = 'output y: float32[...]'
const k1 = 'const k: float32[6, 4, 1, 1] = ...'
const k3 = 'const k: float32[6, 4, 3, 3] = ...'

describe('fold-affine-into-next folds', () => {
  it.each([
    ['scale and shift per channel into a 1x1 Conv', `${x} ${k1} a = Mul(x, s) b = Add(a, t) y = Conv(b, k) ${out}`],
    [
      'numbers into a Conv with a bias',
      `${x} ${k1} const z: float32[6] = ... a = Mul(one, x) b = Add(a, one) y = Conv(b, k, z) ${out}`,
    ],
    ['a shift into any Conv without padding', `${x} ${k3} a = Add(x, t) y = Conv(a, k) ${out}`],
    ['a scale into a Conv with padding', `${x} ${k3} a = Mul(x, s) y = Conv(a, k) {pads: [1, 1, 1, 1]} ${out}`],
    [
      'a scale into a grouped Conv',
      `${x} const k: float32[4, 1, 3, 3] = ... a = Mul(x, s) y = Conv(a, k) {group: 4, auto_pad: "SAME_UPPER"} ${out}`,
    ],
    [
      'a scale into ConvTranspose',
      `${x} const k: float32[4, 3, 2, 2] = ... a = Mul(x, s) y = ConvTranspose(a, k) ${out}`,
    ],
    [
      'both into Gemm with alpha',
      `input x: float32[n, 4] const s: float32[4] = ... const k: float32[4, 3] = ... a = Mul(x, s) b = Sub(a, s) y = Gemm(b, k) {alpha: 2} ${out}`,
    ],
    [
      'a scale into MatMul',
      `input x: float32[n, t, 4] const s: float32[4] = ... const k: float32[4, 3] = ... a = Mul(x, s) y = MatMul(a, k) ${out}`,
    ],
  ])('%s', async (_, text) => {
    const { ops } = await through(foldAffineIntoNext, text)
    expect(ops).toHaveLength(1)
  })
})

describe('fold-affine-into-next leaves alone', () => {
  it.each([
    ['a shift before padding', `${x} ${k3} a = Add(x, t) y = Conv(a, k) {pads: [0, 0, 1, 0]} ${out}`],
    ['a shift before automatic padding', `${x} ${k3} a = Add(x, t) y = Conv(a, k) {auto_pad: "SAME_LOWER"} ${out}`],
    [
      'a shift before MatMul',
      `input x: float32[n, 4] const s: float32[4] = ... const k: float32[4, 3] = ... a = Add(x, s) y = MatMul(a, k) ${out}`,
    ],
    ['a value read elsewhere', `${x} ${k1} a = Mul(x, s) y = Conv(a, k) z = Relu(a) ${out} output z: float32[...]`],
    ['a graph output', `${x} ${k1} a = Mul(x, s) y = Conv(a, k) ${out} output a: float32[...]`],
    ['an operand that is not constant', `${x} ${k1} input v: float32[4, 1, 1] a = Mul(x, v) y = Conv(a, k) ${out}`],
    ['numbers along another axis', `${x} ${k1} const v: float32[5] = ... a = Mul(x, v) y = Conv(a, k) ${out}`],
    [
      'a transposed left side',
      `input x: float32[4, n] const s: float32[1] = 2 const k: float32[4, 3] = ... a = Mul(x, s) y = Gemm(a, k) {transA: 1} ${out}`,
    ],
  ])('%s', async (_, text) => {
    expect((await through(foldAffineIntoNext, text)).fired).toBe(0)
  })
})
