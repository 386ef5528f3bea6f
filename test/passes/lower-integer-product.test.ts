// SPDX-License-Identifier: Apache-2.0
/** Products of bytes with constant weights become whittle.IntegerGemm, and what is behind them its epilogue. */
import { describe, expect, it } from 'vitest'
import { fuseEpilogue } from '../../src/passes/fuse-epilogue.ts'
import { lowerIntegerProduct } from '../../src/passes/lower-integer-product.ts'
import { recogniseIntegerProduct } from '../../src/passes/recognise-integer-product.ts'
import { through } from './through.ts'

const x = 'input x: float32[n, 3, 6]'
const w = 'const w: int8[6, 4] = ...'
const s = 'const s: float32[4] = 0.5 1 2 0.25'
const out = 'output y: float32[n, 3, 4]'
const dynamic = 'com.microsoft.DynamicQuantizeMatMul'
const toFloat = 'com.microsoft.MatMulIntegerToFloat'
const made = ['DynamicQuantizeLinear', 'whittle.IntegerGemm']

describe('lower-integer-product', () => {
  it.each([
    ['a scale per column', `${x} ${w} ${s} y = ${dynamic}(x, w, s) ${out}`],
    ['one scale', `${x} ${w} const s: float32[] = 0.5 y = ${dynamic}(x, w, s) ${out}`],
    ['a bias', `${x} ${w} ${s} const b: float32[4] = ... y = ${dynamic}(x, w, s, _, b) ${out}`],
    ['a bias that is computed', `${x} ${w} ${s} input b: float32[4] y = ${dynamic}(x, w, s, _, b) ${out}`],
    ['a zero point', `${x} ${w} ${s} const z: int8[] = 3 y = ${dynamic}(x, w, s, z) ${out}`],
    ['zero points per column', `${x} ${w} ${s} const z: int8[4] = 3 0 -5 2 y = ${dynamic}(x, w, s, z) ${out}`],
    [
      'bytes without a sign',
      `${x} const w: uint8[6, 4] = ${'0 255 128 90 '.repeat(6)} const s: float32[1] = 2 const z: uint8[] = 128 y = ${dynamic}(x, w, s, z) ${out}`,
    ],
  ])('takes DynamicQuantizeMatMul with %s', async (_, text) => {
    const { ops, graph, node } = await through(lowerIntegerProduct, text)
    expect(ops).toEqual(made)
    expect(graph.constants.get(node(made[1]).inputs[1])).toMatchObject({ dtype: 'int8', dims: [4, 6] })
    expect(graph.constants.get(node(made[1]).inputs[3])).toMatchObject({ dtype: 'float32', dims: [4] })
  })

  it('takes more than 64 columns', async () => {
    const text = `input x: float32[n, 6] const w: int8[6, 150] = ... const s: float32[150] = ... y = ${dynamic}(x, w, s) output y: float32[n, 150]`
    expect((await through(lowerIntegerProduct, text)).ops).toEqual(made)
  })

  it.each(['int8', 'uint8'])('takes MatMulIntegerToFloat of %s', async (type) => {
    const inputs = `input a: ${type}[n, 3, 6] input own: float32[1] input at: ${type}[] ${w} ${s} const z: int8[] = 0`
    const { ops, node } = await through(lowerIntegerProduct, `${inputs} y = ${toFloat}(a, w, own, s, at, z) ${out}`)
    expect(ops).toEqual(['whittle.IntegerGemm'])
    expect(node(ops[0]).inputs.filter((_, i) => i % 2 === 0)).toEqual(['a', 'own', 'at'])
  })

  it('makes what epilogues are drawn into', async () => {
    const chain = `q, own, at = DynamicQuantizeLinear(x) i = MatMulInteger(q, w, at) c = Cast(i) {to: 1} f = Mul(own, s) p = Mul(c, f)`
    for (const product of [chain, `p = ${dynamic}(x, w, s)`]) {
      const { ops, node } = await through(
        [recogniseIntegerProduct, lowerIntegerProduct, fuseEpilogue],
        `${x} ${w} ${s} input r: float32[n, 3, 4] const b: float32[4] = ... ${product} d = Add(p, b) t = Add(r, d) y = Relu(t) ${out}`,
      )
      expect(ops).toEqual(made)
      expect(node(ops[1])).toMatchObject({ outputs: ['y'], attributes: { activation: 'Relu' } })
      expect(node(ops[1]).inputs[6]).toBe('r')
    }
  })

  it.each([
    ['weights that are computed', `${x} input w: int8[6, 4] ${s} y = ${dynamic}(x, w, s) ${out}`],
    ['scales that are computed', `${x} ${w} input s: float32[4] y = ${dynamic}(x, w, s) ${out}`],
    ['batches of weights', `${x} const w: int8[1, 6, 4] = ... const s: float32[] = 2 y = ${dynamic}(x, w, s) ${out}`],
    [
      'differences that are no int8',
      `${x} const w: uint8[6, 4] = ${'0 255 128 90 '.repeat(6)} const s: float32[1] = 2 const z: uint8[] = 100 y = ${dynamic}(x, w, s, z) ${out}`,
    ],
  ])('leaves %s', async (_, text) => {
    expect((await through(lowerIntegerProduct, text)).fired).toBe(0)
  })
})
