// SPDX-License-Identifier: Apache-2.0
/**
 * Operators between DequantizeLinear and QuantizeLinear become quantised ones. Scales are powers of two, so that the
 * form in float32 is exact and results are equal to the bit.
 */
import { describe, expect, it } from 'vitest'
import { fuseQdq } from '../../src/passes/fuse-qdq.ts'
import { through } from './through.ts'

const scales = `const s1: float32[] = 0.5 const s2: float32[] = 0.25 const s3: float32[] = 0.125 const z0: uint8[] = 0
  const z1: uint8[] = 1 const z2: uint8[] = 2 const zi: int8[] = 1 const si: float32[2] = 0.25 0.5 const low: int8[] = -128`

/** Two matrices of bytes, dequantised, and what makes f of them, quantised again. */
const quantized = (body: string, output = 'uint8[n, 6]', more = ''): string =>
  `input a: uint8[n, 6] input b: uint8[n, 6] ${scales} ${more} x = DequantizeLinear(a, s1, z1) x2 = DequantizeLinear(b, s2, z2)
  ${body} y = QuantizeLinear(f, s3, z1) output y: ${output}`

describe('fuse-qdq', () => {
  it.each([
    ['f = Add(x, x2)', 'com.microsoft.QLinearAdd'],
    ['f = Mul(x, x2)', 'com.microsoft.QLinearMul'],
    ['f = Sigmoid(x)', 'com.microsoft.QLinearSigmoid'],
    ['f = LeakyRelu(x) {alpha: 0.5}', 'com.microsoft.QLinearLeakyRelu'],
    ['f = Softmax(x) {axis: 1}', 'com.microsoft.QLinearSoftmax'],
  ])('%s', async (body, op) => {
    const { ops } = await through(fuseQdq, quantized(body))
    expect(ops.at(-1)).toBe(op)
    expect(ops).not.toContain('QuantizeLinear')
  })

  it('concatenates, with zero points that are left out', async () => {
    const { ops, node } = await through(
      fuseQdq,
      `input a: uint8[n, 3] input b: uint8[n, 2] ${scales} x = DequantizeLinear(a, s1) x2 = DequantizeLinear(b, s2)
      f = Concat(x, x2) {axis: 1} y = QuantizeLinear(f, s3) output y: uint8[n, 5]`,
    )
    expect(ops).toEqual(['com.microsoft.QLinearConcat'])
    expect(new Set([1, 4, 7].map((i) => node('com.microsoft.QLinearConcat').inputs[i])).size).toBe(1)
  })

  it('keeps int8 that no zero point says', async () => {
    const { ops, graph } = await through(
      fuseQdq,
      `input a: int8[n, 3] ${scales} x = DequantizeLinear(a, s1) f = Add(x, x) y = QuantizeLinear(f, s2) {output_dtype: 3} output y: int8[n, 3]`,
    )
    expect(ops).toEqual(['com.microsoft.QLinearAdd'])
    expect(graph.outputs[0].dtype).toBe('int8')
  })

  it.each([
    ['Conv with a scale per channel', 'si', 'bias', ['QLinearConv']],
    ['Conv with one scale', 's2', 'one', ['QLinearConv']],
  ])('%s and a bias', async (_, scale, bias, expected) => {
    const { ops, node } = await through(
      fuseQdq,
      `input a: uint8[n, 3, 5, 4] const k: int8[2, 3, 3, 3] = ... const c: int32[2] = 3 -40 ${scales}
      const biasScale: float32[2] = 0.125 0.25 const oneScale: float32[1] = 0.125 const zc: int32[2] = 0 0
      x = DequantizeLinear(a, s1, z1) w = DequantizeLinear(k, ${scale}) {axis: 0} v = DequantizeLinear(c, ${bias}Scale${bias === 'one' ? '' : ', zc'}) {axis: 0}
      f = Conv(x, w, v) {pads: [1, 1, 1, 1]} g = Relu(f) y = QuantizeLinear(g, s1, z0) output y: uint8[n, 2, 5, 4]`,
    )
    expect(ops).toEqual(expected)
    expect(node('QLinearConv').attributes).toMatchObject({ pads: [1, 1, 1, 1] })
  })

  it('MatMul of weights with a scale per column', async () => {
    const { ops } = await through(
      fuseQdq,
      `input a: uint8[n, 6] const k: int8[6, 2] = ... ${scales} x = DequantizeLinear(a, s1, z1) w = DequantizeLinear(k, si) {axis: -1}
      f = MatMul(x, w) y = QuantizeLinear(f, s1, z2) output y: uint8[n, 2]`,
    )
    expect(ops).toEqual(['QLinearMatMul'])
  })

  it.each([
    ['0', '[6, 2]', '1'],
    ['1', '[2, 6]', '0'],
  ])('Gemm with transB %s', async (transB, dims, axis) => {
    const { ops } = await through(
      fuseQdq,
      `input a: uint8[n, 6] const k: int8${dims} = ... const c: int32[2] = 5 -7 const sc: float32[2] = 0.125 0.25 ${scales}
      x = DequantizeLinear(a, s1, z1) w = DequantizeLinear(k, si) {axis: ${axis}} v = DequantizeLinear(c, sc) {axis: 0}
      f = Gemm(x, w, v) {transB: ${transB}} y = QuantizeLinear(f, s1, z2) output y: uint8[n, 2]`,
    )
    expect(ops).toEqual(['com.microsoft.QGemm'])
  })

  it.each([
    ['Transpose', 'f = Transpose(x) {perm: [1, 0]}', 'uint8[6, n]'],
    ['Reshape', 'f = Reshape(x, flat)', 'uint8[6 * n]'],
    ['Slice', 'f = Slice(x, two, five, one)', 'uint8[n, 3]'],
    ['Gather', 'f = Gather(x, two) {axis: 1}', 'uint8[n, 1]'],
    ['Unsqueeze', 'f = Unsqueeze(x, one)', 'uint8[n, 1, 6]'],
  ])('%s of bytes, where nothing is rounded anew', async (op, body, output) => {
    const text = `input a: uint8[n, 6] ${scales} const flat: int64[1] = -1 const one: int64[1] = 1 const two: int64[1] = 2
      const five: int64[1] = 5 const same: float32[] = 0.5 const zero: uint8[] = 1 x = DequantizeLinear(a, s1, z1) ${body}`
    const { ops } = await through(fuseQdq, `${text} y = QuantizeLinear(f, same, zero) output y: ${output}`)
    expect(ops).toEqual([op])
    expect((await through(fuseQdq, `${text} y = QuantizeLinear(f, s2, z1) output y: ${output}`)).fired).toBe(0)
  })

  it('takes the largest of bytes, and averages in QLinearAveragePool and QLinearGlobalAveragePool', async () => {
    const pooled = (body: string, dims: string): string =>
      `input a: uint8[n, 3, 4, 4] ${scales} x = DequantizeLinear(a, s1, z1) ${body} y = QuantizeLinear(f, s1, z1) output y: uint8[n, 3, ${dims}]`
    const shape = '{kernel_shape: [2, 2], strides: [2, 2]}'
    const opsOf = async (text: string): Promise<readonly string[]> => (await through(fuseQdq, text)).ops
    expect(await opsOf(pooled(`f = MaxPool(x) ${shape}`, '2, 2'))).toEqual(['MaxPool'])
    expect(await opsOf(pooled(`f = AveragePool(x) ${shape}`, '2, 2'))).toEqual(['com.microsoft.QLinearAveragePool'])
    expect(await opsOf(pooled('f = GlobalAveragePool(x)', '1, 1'))).toEqual(['com.microsoft.QLinearGlobalAveragePool'])
  })

  it('a product that stays float32 becomes MatMulIntegerToFloat', async () => {
    const { ops } = await through(
      fuseQdq,
      `input a: uint8[n, 6] const k: int8[6, 2] = ... ${scales} x = DequantizeLinear(a, s1, z1) w = DequantizeLinear(k, si) {axis: 1}
      y = MatMul(x, w) output y: float32[n, 2]`,
    )
    expect(ops).toEqual(['com.microsoft.MatMulIntegerToFloat'])
  })

  it('an activation goes where clamping does it: Clip to the range, not Relu above or Clip below it', async () => {
    const layer = (activation: string, zero: string): string =>
      `input a: uint8[n, 6] ${scales} const none: float32[] = 0 const top: float32[] = 127.5 const three: float32[] = 3
      x = DequantizeLinear(a, s1, z1) s = Add(x, x) ${activation} y = QuantizeLinear(f, s1, ${zero}) output y: uint8[n, 6]`
    const sum = ['com.microsoft.QLinearAdd']
    expect((await through(fuseQdq, layer('f = Relu(s)', 'z0'))).ops).toEqual(sum)
    expect((await through(fuseQdq, layer('f = Clip(s, none, top)', 'z0'))).ops).toEqual(sum)
    expect((await through(fuseQdq, layer('f = Relu(s)', 'z1'))).fired).toBe(0)
    expect((await through(fuseQdq, layer('f = Clip(s, none, three)', 'z0'))).fired).toBe(0)
  })

  it.each([
    ['a value something else reads', quantized('f = Add(x, x2) e = Exp(f)', 'uint8[n, 6] output e: float32[n, 6]')],
    ['a value that is an output', quantized('f = Add(x, x2)', 'uint8[n, 6] output f: float32[n, 6]')],
    ['an operand in float32', quantized('f = Add(x, g)', 'uint8[n, 6]', 'input g: float32[n, 6]')],
    ['an operator without a quantised form', quantized('f = Exp(x)')],
    [
      'int8 and uint8 in one sum',
      quantized('v = DequantizeLinear(q, s1, zi) f = Add(x, v)', 'uint8[n, 6]', 'input q: int8[n, 6]'),
    ],
    [
      'weights with a scale per row of depth',
      `input a: uint8[n, 2] const k: int8[2, 3] = ... ${scales} x = DequantizeLinear(a, s1, z1) w = DequantizeLinear(k, si) {axis: 0}
      f = MatMul(x, w) y = QuantizeLinear(f, s1, z2) output y: uint8[n, 3]`,
    ],
    [
      'a bias whose scale is not that of the products',
      `input a: uint8[n, 6] const k: int8[6, 2] = ... const c: int32[2] = 5 -7 ${scales} x = DequantizeLinear(a, s1, z1)
      w = DequantizeLinear(k, s1) v = DequantizeLinear(c, s1) f = Gemm(x, w, v) y = QuantizeLinear(f, s1, z2) output y: uint8[n, 2]`,
    ],
    [
      'a Gemm with a factor',
      `input a: uint8[n, 6] const k: int8[6, 2] = ... ${scales} x = DequantizeLinear(a, s1, z1) w = DequantizeLinear(k, s1)
      f = Gemm(x, w) {alpha: 2.0} y = QuantizeLinear(f, s1, z2) output y: uint8[n, 2]`,
    ],
    [
      'blocks',
      `input a: uint8[2, 4] const sb: float32[2, 2] = 0.5 0.25 0.5 1 ${scales} x = DequantizeLinear(a, sb) {block_size: 2, axis: 1}
      f = Sigmoid(x) y = QuantizeLinear(f, s3, z1) output y: uint8[2, 4]`,
    ],
    [
      'pools with dilations',
      `input a: uint8[n, 3, 4, 4] ${scales} x = DequantizeLinear(a, s1, z1) f = AveragePool(x) {kernel_shape: [2, 2], dilations: [2, 2]}
      y = QuantizeLinear(f, s1, z1) output y: uint8[n, 3, 2, 2]`,
    ],
  ])('leaves %s', async (_, text) => {
    expect((await through(fuseQdq, text)).fired).toBe(0)
  })
})
