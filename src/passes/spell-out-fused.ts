// SPDX-License-Identifier: Apache-2.0
/**
 * What ONNX Runtime's optimiser fused is spelled out again, so that the passes behind this one make of it what they make
 * of every graph: FusedConv is Conv, Add and an activation; FusedMatMul is Transposes, MatMul and a factor; what it makes
 * of encoders is in spell-out-encoder.ts.
 */
import type { Attributes, Node } from '../ir/graph.ts'
import type { Rule } from '../ir/rewrite.ts'
import { Tensor } from '../tensor/tensor.ts'
import { rulesPass } from './pass.ts'
import { attention, biasGelu, embedding, skipNormalization, written } from './spell-out-encoder.ts'

/** Activations with one parameter or two, by the names of their attributes, and those without. */
const activations: Readonly<Record<string, readonly string[]>> = {
  Relu: [],
  Sigmoid: [],
  Tanh: [],
  LeakyRelu: ['alpha'],
  HardSigmoid: ['alpha', 'beta'],
}

const conv: Rule = {
  name: 'fused-conv',
  ops: ['com.microsoft.FusedConv'],
  match(node, view) {
    const [x, w, bias = '', residual = ''] = node.inputs
    const { activation = '', activation_params: given = [], ...attributes } = node.attributes
    const parameters = given as readonly number[]
    const kind = activation as string
    if (kind !== '' && kind !== 'Clip' && activations[kind] === undefined) return undefined
    const constants: Record<string, Tensor> = {}
    const nodes: Node[] = []
    const add = (op: string, inputs: readonly string[], own: Attributes = {}): string => {
      const name = nodes.length === 0 ? node.name : view.fresh(`${node.name}/${op}`)
      const output = view.fresh(`${node.outputs[0]}/${op}`)
      nodes.push({ name, op, inputs, outputs: [output], attributes: own })
      return output
    }
    let y = add('Conv', bias === '' ? [x, w] : [x, w, bias], attributes)
    if (residual !== '') y = add('Add', [y, residual])
    if (kind === 'Clip') {
      const bounds = [0, 1].map((i) => {
        if (parameters[i] === undefined) return ''
        const name = view.fresh(`${node.name}/bound${i}`)
        constants[name] = new Tensor('float32', [parameters[i]], [])
        return name
      })
      add('Clip', [y, ...bounds])
    } else if (kind !== '') {
      const own = activations[kind].flatMap((name, i) => (parameters[i] === undefined ? [] : [[name, parameters[i]]]))
      add(kind, [y], Object.fromEntries(own) as Attributes)
    }
    const last = nodes[nodes.length - 1]
    return { constants, nodes: [...nodes.slice(0, -1), { ...last, outputs: node.outputs }] }
  },
}

const matMul: Rule = {
  name: 'fused-matmul',
  ops: ['com.microsoft.FusedMatMul'],
  match(node, view) {
    const { alpha = 1, transA, transB, transBatchA, transBatchB } = view.attributes(node)
    const flags = [transA, transB]
    const nodes: Node[] = []
    const sides = node.inputs.map((value, i) => {
      const rank = view.dims(value)?.length
      if (flags[i] !== 1 || rank === 1) return value
      if (rank === undefined) return undefined
      const perm = Array.from({ length: rank }, (_, axis) => axis)
      const name = view.fresh(`${node.name}/Transpose`)
      const attributes = { perm: [...perm.slice(0, -2), rank - 1, rank - 2] }
      nodes.push({ name, op: 'Transpose', inputs: [value], outputs: [name], attributes })
      return name
    })
    if (transBatchA === 1 || transBatchB === 1 || sides.includes(undefined)) return undefined
    const inputs = sides as string[]
    const product = { ...node, op: 'MatMul', inputs, attributes: {} }
    if (alpha === 1) return { nodes: [...nodes, product] }
    if (view.dtype(node.inputs[0]) !== 'float32') return undefined
    const [value, factor] = [view.fresh(`${node.outputs[0]}/MatMul`), view.fresh(`${node.name}/alpha`)]
    const scaled = {
      ...{ name: view.fresh(`${node.name}/Mul`), op: 'Mul', inputs: [value, factor] },
      ...{ outputs: node.outputs, attributes: {} },
    }
    return {
      constants: { [factor]: new Tensor('float32', [alpha as number], []) },
      nodes: [...nodes, { ...product, outputs: [value] }, scaled],
    }
  },
}

/** See the head of this file. */
export const spellOutFused = rulesPass(
  'spell-out-fused',
  [conv, matMul, attention, embedding, skipNormalization, biasGelu],
  {
    writes: [
      ...new Set(['Add', 'Clip', 'Conv', 'MatMul', 'Mul', 'Transpose', ...Object.keys(activations), ...written]),
    ],
  },
)
