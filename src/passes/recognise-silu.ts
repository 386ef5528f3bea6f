// SPDX-License-Identifier: Apache-2.0
/**
 * Finds x * sigmoid(alpha x), factors in any order, and writes Swish (alpha 1: the sigmoid linear unit). The factor
 * alpha may be left out, a Mul by a constant, or folded away. https://onnx.ai/onnx/operators/onnx__Swish.html
 */
import type { Attributes } from '../ir/graph.ts'
import type { Rule } from '../ir/rewrite.ts'
import { rulesPass } from './pass.ts'
import { factorsOf, isReadOnlyBy } from './products.ts'

const silu: Rule = {
  name: 'silu',
  ops: ['Mul'],
  match(node, view) {
    const [a, b] = node.inputs
    if (view.dtype(node.outputs[0]) !== 'float32' || a === b) return undefined
    for (const [x, gate] of [[a, b], [b, a]]) {
      const sigmoid = view.producer(gate, 'Sigmoid')
      if (sigmoid === undefined || !isReadOnlyBy(view, gate, [node])) continue
      const { constant: alpha, values } = sigmoid.inputs[0] === x ? { constant: 1, values: [x] } : factorsOf(view, sigmoid.inputs[0])
      if (values.length !== 1 || values[0] !== x) continue
      const attributes: Attributes = alpha === 1 ? {} : { alpha }
      return { nodes: [{ name: node.name, op: 'Swish', inputs: [x], outputs: node.outputs, attributes }] }
    }
    return undefined
  },
}

/** See the head of this file. */
export const recogniseSilu = rulesPass('recognise-silu', [silu], { writes: ['Swish'] })
