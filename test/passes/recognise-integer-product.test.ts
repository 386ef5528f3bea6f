// SPDX-License-Identifier: Apache-2.0
/** MatMulInteger, cast and scaled, becomes MatMulIntegerToFloat, with its bias. */
import { describe, expect, it } from 'vitest'
import { recogniseIntegerProduct } from '../../src/passes/recognise-integer-product.ts'
import { through } from './through.ts'

/** As onnxruntime.quantization writes it; `tail` reads f = cast(a w) * (own * scale). */
const dynamic = (
  tail = 'output f: float32[n, 3, 4]',
  scale = 'float32[4] = 0.5 1 2 0.25',
  zero = 'int8[4] = 0 1 0 2',
): string =>
  `input x: float32[n, 3, 6] const w: int8[6, 4] = ... const scale: ${scale} const zero: ${zero}
  q, own, at = DynamicQuantizeLinear(x) i = MatMulInteger(q, w, at, zero) c = Cast(i) {to: 1} s = Mul(own, scale) f = Mul(c, s) ${tail}`

describe('recognise-integer-product', () => {
  it.each([
    ['a scale per column', dynamic()],
    ['one scale', dynamic(undefined, 'float32[] = 0.5', 'int8[] = 1')],
    ['one scale of rank 1', dynamic(undefined, 'float32[1] = 0.5', 'int8[1] = 1')],
  ])('takes %s', async (_, text) => {
    const { ops, node } = await through(recogniseIntegerProduct, text)
    expect(ops).toEqual(['DynamicQuantizeLinear', 'com.microsoft.MatMulIntegerToFloat'])
    expect(node('com.microsoft.MatMulIntegerToFloat').inputs).toEqual(['q', 'w', 'own', 'scale', 'at', 'zero'])
  })

  it('takes operands in the other order, without zero points', async () => {
    const { ops, node } = await through(
      recogniseIntegerProduct,
      `input a: int8[n, 6] input own: float32[] const w: int8[6, 4] = ... const scale: float32[4] = 1 2 3 4
      i = MatMulInteger(a, w) c = Cast(i) {to: 1} s = Mul(scale, own) f = Mul(s, c) output f: float32[n, 4]`,
    )
    expect(ops).toEqual(['com.microsoft.MatMulIntegerToFloat'])
    expect(node('com.microsoft.MatMulIntegerToFloat').inputs).toEqual(['a', 'w', 'own', 'scale'])
  })

  it('draws a constant bias in, once', async () => {
    const { ops, node } = await through(
      recogniseIntegerProduct,
      dynamic('const b: float32[4] = ... g = Add(b, f) y = Add(g, b) output y: float32[n, 3, 4]'),
    )
    expect(ops).toEqual(['DynamicQuantizeLinear', 'com.microsoft.MatMulIntegerToFloat', 'Add'])
    expect(node('com.microsoft.MatMulIntegerToFloat').inputs[6]).toBe('b')
  })

  it.each([
    ['a bias that is no constant', 'input b: float32[4] y = Add(f, b)'],
    ['a bias per row', 'const b: float32[3, 1] = ... y = Add(f, b)'],
    ['a bias where the product is read besides', 'const b: float32[4] = ... y = Add(f, b) output f: float32[n, 3, 4]'],
  ])('leaves %s', async (_, tail) => {
    const { ops } = await through(recogniseIntegerProduct, dynamic(`${tail} output y: float32[n, 3, 4]`))
    expect(ops.slice(-2)).toEqual(['com.microsoft.MatMulIntegerToFloat', 'Add'])
  })

  it.each([
    ['sums that something else reads', dynamic('output f: float32[n, 3, 4] output i: int32[n, 3, 4]')],
    [
      'numbers of them that something else reads',
      dynamic('e = Exp(c) output f: float32[n, 3, 4] output e: float32[n, 3, 4]'),
    ],
    ['a scale per row', dynamic(undefined, 'float32[3, 1] = 1 2 3', 'int8[] = 0')],
    [
      'a zero point per row',
      `input a: uint8[3, 6] input own: float32[] const at: uint8[3] = 1 0 2 const w: int8[6, 4] = ... const scale: float32[] = 2
      i = MatMulInteger(a, w, at) c = Cast(i) {to: 1} s = Mul(own, scale) f = Mul(c, s) output f: float32[3, 4]`,
    ],
    [
      'a cast to another type',
      `input a: uint8[3, 6] input own: float64[] const w: int8[6, 4] = ... const scale: float64[] = 2
      i = MatMulInteger(a, w) c = Cast(i) {to: 11} s = Mul(own, scale) f = Mul(c, s) output f: float64[3, 4]`,
    ],
  ])('leaves %s', async (_, text) => {
    expect((await through(recogniseIntegerProduct, text)).fired).toBe(0)
  })
})
