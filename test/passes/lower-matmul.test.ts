// SPDX-License-Identifier: Apache-2.0
/** Products with a constant right side become whittle.Gemm. */
import { describe, expect, it } from 'vitest'
import { lowerMatmul } from '../../src/passes/lower-matmul.ts'
import { through } from './through.ts'

const out = 'output y: float32[...]'

describe('lower-matmul lowers', () => {
  it.each([
    ['MatMul of rows', 'input x: float32[n, t, 4] const k: float32[4, 6] = ... y = MatMul(x, k)', 2],
    ['MatMul of a vector', 'input x: float32[4] const k: float32[4, 6] = ... y = MatMul(x, k)', 2],
    ['Gemm', 'input x: float32[n, 4] const k: float32[4, 6] = ... y = Gemm(x, k)', 2],
    [
      'Gemm with a bias, transposed',
      'input x: float32[n, 4] const k: float32[6, 4] = ... const b: float32[6] = ... y = Gemm(x, k, b) {transB: 1}',
      3,
    ],
    [
      'Gemm with alpha, beta and one number for a bias',
      'input x: float32[n, 4] const k: float32[4, 6] = ... const b: float32[1, 1] = 2 y = Gemm(x, k, b) {alpha: 0.5, beta: 3}',
      3,
    ],
    [
      'Gemm with a bias that does not count',
      'input x: float32[n, 4] const k: float32[4, 6] = ... input b: float32[n, 6] y = Gemm(x, k, b) {beta: 0}',
      2,
    ],
  ])('%s', async (_, text, inputs) => {
    const { ops, node, graph } = await through(lowerMatmul, `${text} ${out}`)
    expect(ops).toEqual(['whittle.Gemm'])
    expect(node('whittle.Gemm').inputs).toHaveLength(inputs)
    expect(graph.constants.get(node('whittle.Gemm').inputs[1])!.dims).toEqual([6, 4])
  })

  it('a bias that is computed to an Add behind', async () => {
    const { ops } = await through(
      lowerMatmul,
      `input x: float32[n, 4] const k: float32[4, 6] = ... input b: float32[n, 6] y = Gemm(x, k, b) ${out}`,
    )
    expect(ops).toEqual(['whittle.Gemm', 'Add'])
  })

  it('two products with one weight, keeping one copy of it', async () => {
    const { graph } = await through(
      lowerMatmul,
      `input x: float32[n, 4] const k: float32[4, 6] = ... r = Relu(x) a = MatMul(x, k) b = MatMul(r, k) y = Add(a, b) ${out}`,
    )
    expect(graph.constants.size).toBe(1)
  })

  it('past a constant that has the name it would take', async () => {
    const { node, graph } = await through(
      lowerMatmul,
      `input x: float32[n, 4] const k: float32[4, 6] = ... const "k/rows": float32[6] = ... a = MatMul(x, k) y = Add(a, "k/rows") ${out}`,
    )
    expect(graph.constants.get(node('whittle.Gemm').inputs[1])!.dims).toEqual([6, 4])
  })
})

describe('lower-matmul leaves alone', () => {
  it.each([
    ['a right side that is computed', 'input x: float32[n, 4] input k: float32[4, 6] y = MatMul(x, k)'],
    ['a constant on the left', 'input x: float32[4, t] const k: float32[6, 4] = ... y = MatMul(k, x)'],
    ['batches of weights', 'input x: float32[2, n, 4] const k: float32[2, 4, 6] = ... y = MatMul(x, k)'],
    ['a transposed left side', 'input x: float32[4, n] const k: float32[4, 6] = ... y = Gemm(x, k) {transA: 1}'],
    ['other types', 'input x: float64[n, 4] const k: float64[4, 6] = ... z = MatMul(x, k) y = Cast(z) {to: 1}'],
    [
      'a bias that would be stretched and scaled',
      'input x: float32[n, 4] const k: float32[4, 6] = ... input b: float32[n, 1] y = Gemm(x, k, b) {beta: 2}',
    ],
  ])('%s', async (_, text) => {
    expect((await through(lowerMatmul, `${text} ${out}`)).fired).toBe(0)
  })
})
