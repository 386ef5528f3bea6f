// SPDX-License-Identifier: Apache-2.0
/**
 * ONNX Runtime's products of bytes with constant weights become whittle.IntegerGemm, which takes epilogues: MatMulIntegerToFloat
 * as it is, DynamicQuantizeMatMul behind a DynamicQuantizeLinear, which is what it does first. Weights get one row per
 * output and are less their zero points; where such a difference is no int8 the operator stays.
 */
import type { Node } from '../ir/graph.ts'
import type { Patch } from '../ir/patch.ts'
import type { Rule, View } from '../ir/rewrite.ts'
import { Tensor } from '../tensor/tensor.ts'
import { numbersOf, sameDims, sharedConstant } from './operands.ts'
import { rulesPass } from './pass.ts'

interface Weights {
  /** Names of the weights [N, K] and their scales [N]. */
  readonly w: string
  readonly scale: string
  readonly columns: number
  readonly constants: Readonly<Record<string, Tensor>>
}

/** The constants that [K, N] weights with these scales and zero points are; undefined where they are none. */
function weightsOf(view: View, b: string, scaleName: string, zeroName: string): Weights | undefined {
  const [weight, scales] = [view.tensor(b), view.tensor(scaleName)]
  if (weight?.dims.length !== 2 || weight.size === 0 || scales?.type !== 'float32' || scales.dims.length > 1)
    return undefined
  const [depth, columns] = weight.dims
  const zeros = zeroName === '' ? [0] : numbersOf(view, zeroName)
  if (zeros === undefined || ![1, columns].includes(zeros.length) || ![1, columns].includes(scales.size))
    return undefined
  const rows = rowsLess(weight.data as Int8Array | Uint8Array, depth, columns, zeros)
  if (rows === undefined) return undefined
  const [w, codes] = sharedConstant(view, `${b}/rows`, new Tensor('int8', rows, [columns, depth]))
  const numbers = scales.data as Float32Array
  const each = numbers.length === columns ? numbers : new Float32Array(columns).fill(numbers[0])
  const [scale, added] = sharedConstant(view, `${scaleName}/rows`, new Tensor('float32', each, [columns]))
  return { w, scale, columns, constants: { ...codes, ...added } }
}

/** Columns as rows, less their zero points; undefined where a difference is no int8. */
function rowsLess(
  data: Int8Array | Uint8Array,
  depth: number,
  columns: number,
  zeros: ArrayLike<number>,
): Int8Array | undefined {
  const rows = new Int8Array(data.length)
  let seen = 0
  // a few columns at a time, so that a line of the cache is read once
  for (let from = 0; from < columns; from += 64) {
    const to = Math.min(columns, from + 64)
    for (let i = 0; i < depth; i++) {
      for (let j = from; j < to; j++) {
        const code = data[i * columns + j] - zeros[zeros.length === 1 ? 0 : j]
        rows[j * depth + i] = code
        seen |= code + 128
      }
    }
  }
  return seen >>> 8 === 0 ? rows : undefined
}

/** The product of a, its scale and its zero point ('': none), behind other nodes. */
function product(
  node: Node,
  view: View,
  [a, aScale, aZero]: readonly string[],
  { w, scale, columns, constants }: Weights,
  bias: string,
  before: readonly Node[] = [],
): Patch | undefined {
  if (bias !== '' && (view.dtype(bias) !== 'float32' || !sameDims(view.dims(bias), [columns]))) return undefined
  const inputs = [a, w, aScale, scale, aZero, bias]
  while (inputs[inputs.length - 1] === '') inputs.pop()
  return { constants, nodes: [...before, { ...node, op: 'whittle.IntegerGemm', inputs, attributes: {} }] }
}

const integer: Rule = {
  name: 'integer-to-float',
  ops: ['com.microsoft.MatMulIntegerToFloat'],
  match(node, view) {
    const [a, b, aScale, bScale, aZero = '', bZero = '', bias = ''] = node.inputs
    const isOne = (value: string): boolean => value === '' || view.dims(value)?.every((size) => size === 1) === true
    if (view.dtype(aScale) !== 'float32' || !isOne(aScale) || !isOne(aZero)) return undefined
    const weights = weightsOf(view, b, bScale, bZero)
    return weights && product(node, view, [a, aScale, aZero], weights, bias)
  },
}

const dynamic: Rule = {
  name: 'dynamic-quantize',
  ops: ['com.microsoft.DynamicQuantizeMatMul'],
  match(node, view) {
    const [x, b, bScale, bZero = '', bias = ''] = node.inputs
    const weights = view.dtype(x) === 'float32' ? weightsOf(view, b, bScale, bZero) : undefined
    if (weights === undefined) return undefined
    const parts = ['quantized', 'scale', 'zero'].map((part) => view.fresh(`${node.name}/${part}`))
    const op = 'DynamicQuantizeLinear'
    const quantize: Node = { name: parts[0], op, inputs: [x], outputs: parts, attributes: {} }
    return product(node, view, parts, weights, bias, [quantize])
  },
}

/** See the head of this file. */
export const lowerIntegerProduct = rulesPass('lower-integer-product', [integer, dynamic], {
  needs: ['recognise-integer-product', 'fuse-qdq'],
  writes: ['whittle.IntegerGemm', 'DynamicQuantizeLinear'],
})
