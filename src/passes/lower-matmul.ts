// SPDX-License-Identifier: Apache-2.0
/**
 * Matrix products with a constant right side become whittle.Gemm, whose weight has one row per output. alpha and beta
 * of ONNX's Gemm go into weight and bias; a bias that is no constant vector becomes an Add behind.
 */
import type { Node } from '../ir/graph.ts'
import type { Patch } from '../ir/patch.ts'
import type { Rule, View } from '../ir/rewrite.ts'
import { Tensor } from '../tensor/tensor.ts'
import { numbersOf, sameDims, sharedConstant } from './operands.ts'
import { rulesPass } from './pass.ts'
import { permuteTensor } from './permute-tensor.ts'

/** The rows [N, K] of a weight [K, N] (or [N, K] when transposed), times alpha; one copy for all nodes that want it. */
function rowsOf(
  view: View,
  name: string,
  transposed: boolean,
  alpha: number,
): readonly [name: string, added: Record<string, Tensor>] | undefined {
  const weight = view.tensor(name)
  if (weight?.type !== 'float32' || weight.dims.length !== 2) return undefined
  if (transposed && alpha === 1) return [name, {}]
  const rows = transposed ? weight : permuteTensor(weight, [1, 0])
  if (alpha === 1) return sharedConstant(view, `${name}/rows`, rows)
  const scaled = (rows.data as Float32Array).map((w) => w * alpha)
  return sharedConstant(view, `${name}/rows/${alpha}`, new Tensor('float32', scaled, rows.dims))
}

const matMul: Rule = {
  name: 'matmul',
  ops: ['MatMul'],
  match(node, view) {
    const [x, w] = node.inputs
    const rank = view.dims(x)?.length
    if (rank === undefined || view.dtype(x) !== 'float32') return undefined
    const [name, constants] = rowsOf(view, w, false, 1) ?? []
    if (name === undefined) return undefined
    return { constants, nodes: [{ ...node, op: 'whittle.Gemm', inputs: [x, name] }] }
  },
}

const gemm: Rule = {
  name: 'gemm',
  ops: ['Gemm'],
  match(node, view): Patch | undefined {
    const [x, w, c = ''] = node.inputs
    const { alpha = 1, beta = 1, transA, transB } = view.attributes(node)
    if (transA === 1 || view.dtype(x) !== 'float32') return undefined
    const [name, constants] = rowsOf(view, w, transB === 1, alpha as number) ?? []
    if (name === undefined) return undefined
    const plain: Node = { ...node, op: 'whittle.Gemm', inputs: [x, name], attributes: {} }
    if (c === '' || beta === 0) return { constants, nodes: [plain] }
    const bias = biasOf(view, c, view.dims(node.outputs[0])?.[1], beta as number)
    if (bias !== undefined) {
      const biasName = view.fresh(`${node.name}/bias`)
      return { constants: { ...constants, [biasName]: bias }, nodes: [{ ...plain, inputs: [x, name, biasName] }] }
    }
    if (beta !== 1 || !sameDims(view.dims(c), view.dims(node.outputs[0]))) return undefined
    const product = view.fresh(`${node.name}/product`)
    const add: Node = { name: node.name, op: 'Add', inputs: [product, c], outputs: node.outputs, attributes: {} }
    return { constants, nodes: [{ ...plain, name: product, outputs: [product] }, add] }
  },
}

/** beta times a constant that is one number, or one for each output, as a vector. */
function biasOf(view: View, name: string, outputs: unknown, beta: number): Tensor | undefined {
  const numbers = numbersOf(view, name)
  const dims = view.tensor(name)?.dims ?? []
  if (numbers === undefined || view.dtype(name) !== 'float32' || typeof outputs !== 'number') return undefined
  if (dims.slice(0, -1).some((dim) => dim !== 1) || (numbers.length !== outputs && numbers.length !== 1))
    return undefined
  const bias = Float32Array.from({ length: outputs }, (_, i) => beta * numbers[numbers.length === 1 ? 0 : i])
  return new Tensor('float32', bias, [outputs])
}

/** See the head of this file. */
export const lowerMatmul = rulesPass('lower-matmul', [matMul, gemm], {
  needs: ['fold-batch-norm'],
  writes: ['whittle.Gemm', 'Add'],
})
