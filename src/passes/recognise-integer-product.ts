// SPDX-License-Identifier: Apache-2.0
/**
 * Finds MatMulInteger, cast to float32 and multiplied with the product of both scales, as dynamic quantisation by
 * onnxruntime.quantization writes it, and writes MatMulIntegerToFloat; then draws a constant bias in.
 */
import type { Rule, View } from '../ir/rewrite.ts'
import { rulesPass } from './pass.ts'
import { isReadOnlyBy } from './products.ts'

/** [scalar, other] of two operands, one of which has rank 0 or one element. */
function scalarFirst(view: View, [a, b]: readonly string[]): readonly [string, string] | undefined {
  const isScalar = (value: string): boolean => view.dims(value)?.every((size) => size === 1) === true
  // of two scalars the constant one belongs to the weights
  if (isScalar(a) && view.tensor(a) === undefined) return [a, b]
  if (isScalar(b) && view.tensor(b) === undefined) return [b, a]
  return isScalar(a) ? [a, b] : isScalar(b) ? [b, a] : undefined
}

const product: Rule = {
  name: 'integer-product',
  ops: ['Mul'],
  match(node, view) {
    for (const [value, factor] of [node.inputs, [...node.inputs].reverse()]) {
      const cast = view.producer(value, 'Cast')
      const sums = view.producer(cast?.inputs[0], 'MatMulInteger')
      const scales = view.producer(factor, 'Mul')
      if (!cast || !sums || !scales || view.dtype(value) !== 'float32') continue
      if (!isReadOnlyBy(view, value, [node]) || !isReadOnlyBy(view, cast.inputs[0], [cast])) continue
      const [a, b, aZero = '', bZero = ''] = sums.inputs
      const [aScale, bScale] = scalarFirst(view, scales.inputs) ?? []
      const columns = view.dims(b)?.at(-1)
      const size = bScale === undefined ? undefined : view.dims(bScale)
      if (aScale === undefined || bScale === undefined || size === undefined || size.length > 1) continue
      if (size.length === 1 && size[0] !== 1 && size[0] !== columns) continue
      if (aZero !== '' && view.dims(aZero)?.every((length) => length === 1) !== true) continue
      const inputs = [a, b, aScale, bScale, aZero, bZero]
      while (inputs[inputs.length - 1] === '') inputs.pop()
      return { nodes: [{ ...node, op: 'com.microsoft.MatMulIntegerToFloat', inputs, attributes: {} }] }
    }
    return undefined
  },
}

const bias: Rule = {
  name: 'integer-product-bias',
  ops: ['Add'],
  match(node, view) {
    for (const [value, other] of [node.inputs, [...node.inputs].reverse()]) {
      const sums = view.producer(value, 'com.microsoft.MatMulIntegerToFloat')
      const columns = view.dims(value)?.at(-1)
      const dims = view.tensor(other)?.dims
      if (!sums || dims?.length !== 1 || dims[0] !== columns || (sums.inputs[6] ?? '') !== '') continue
      if (!isReadOnlyBy(view, value, [node])) continue
      const inputs = [...sums.inputs]
      while (inputs.length < 6) inputs.push('')
      return { nodes: [{ ...sums, inputs: [...inputs.slice(0, 6), other], outputs: node.outputs }] }
    }
    return undefined
  },
}

/** See the head of this file. */
export const recogniseIntegerProduct = rulesPass('recognise-integer-product', [product, bias], {
  writes: ['com.microsoft.MatMulIntegerToFloat'],
})
