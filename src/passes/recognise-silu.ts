// SPDX-License-Identifier: Apache-2.0
/**
 * Finds x * sigmoid(x), factors in any order, and writes whittle.Silu; x * sigmoid(alpha x) with another constant alpha
 * becomes Swish. Elfwing et al., arXiv:1702.03118; https://onnx.ai/onnx/operators/onnx__Swish.html
 */
import type { Node } from '../ir/graph.ts'
import type { Rule } from '../ir/rewrite.ts'
import { rulesPass } from './pass.ts'
import { factorsOf, isReadOnlyBy } from './products.ts'

const silu: Rule = {
  name: 'silu',
  ops: ['Mul'],
  match(node, view) {
    const [a, b] = node.inputs
    if (view.dtype(node.outputs[0]) !== 'float32' || a === b) return undefined
    for (const [x, gate] of [
      [a, b],
      [b, a],
    ]) {
      const sigmoid = view.producer(gate, 'Sigmoid')
      if (sigmoid === undefined || !isReadOnlyBy(view, gate, [node])) continue
      const { constant: alpha, values } =
        sigmoid.inputs[0] === x ? { constant: 1, values: [x] } : factorsOf(view, sigmoid.inputs[0])
      if (values.length !== 1 || values[0] !== x) continue
      const plain = { name: node.name, inputs: [x], outputs: node.outputs }
      const swish: Node = { ...plain, op: 'Swish', attributes: { alpha } }
      return { nodes: [alpha === 1 ? { ...plain, op: 'whittle.Silu', attributes: {} } : swish] }
    }
    return undefined
  },
}

/** See the head of this file. */
export const recogniseSilu = rulesPass('recognise-silu', [silu], { writes: ['whittle.Silu', 'Swish'] })
