// SPDX-License-Identifier: Apache-2.0
/**
 * Finds hard sigmoid and hard swish spelled out: clip(x + 3, 0, 6) / 6 becomes HardSigmoid, and x times that, factors in
 * any order, becomes HardSwish; so does x * HardSigmoid(x) with its slope of 1/6. Howard et al., arXiv:1905.02244.
 */
import type { Node } from '../ir/graph.ts'
import type { Rule, View } from '../ir/rewrite.ts'
import { clipBounds, isNear } from './operands.ts'
import { rulesPass } from './pass.ts'
import { factorsOf, isReadOnlyBy, sumWithConstant } from './products.ts'

/** What a value is when it is `height` * HardSigmoid of x with slope 1/6 and offset 1/2. */
interface Gate {
  readonly x: string
  readonly height: number
}

/** Reads clip(x + 3, 0, 6), clip(x / 6 + 0.5, 0, 1), HardSigmoid(x); undefined for anything else. */
function gateOf(view: View, value: string): Gate | undefined {
  const node = view.producer(value, 'Clip', 'HardSigmoid')
  if (node?.op === 'HardSigmoid') {
    const { alpha, beta } = view.attributes(node)
    return isNear(alpha as number, 1 / 6) && isNear(beta as number, 0.5) ? { x: node.inputs[0], height: 1 } : undefined
  }
  const [low, high] = (node && clipBounds(view, node)) ?? []
  const [term, offset] = sumWithConstant(view, view.producer(node?.inputs[0], 'Add')) ?? []
  if (node === undefined || low !== 0 || high === undefined || term === undefined || offset === undefined)
    return undefined
  if (!isReadOnlyBy(view, node.inputs[0], [node]) || !isNear(offset, high / 2)) return undefined
  // the slope of x before the clip: 1 when clipped at 6, 1/6 when clipped at 1
  const slope = high / 6
  if (isNear(1, slope)) return { x: term, height: high }
  const { constant, values } = factorsOf(view, term)
  return values.length === 1 && isNear(constant, slope) ? { x: values[0], height: high } : undefined
}

function written(node: Node, op: string, x: string, attributes: Node['attributes']): { nodes: Node[] } {
  return { nodes: [{ name: node.name, op, inputs: [x], outputs: [node.outputs[0]], attributes }] }
}

const hardSwish: Rule = {
  name: 'hard-swish',
  ops: ['Mul', 'Div'],
  match(node, view) {
    const { constant, values, nodes } = factorsOf(view, node.outputs[0])
    if (values.length !== 2) return undefined
    for (const [x, other] of [values, [...values].reverse()]) {
      const gate = gateOf(view, other)
      if (gate?.x === x && isNear(constant * gate.height, 1) && isReadOnlyBy(view, other, nodes)) {
        return written(node, 'HardSwish', x, {})
      }
    }
    return undefined
  },
}

const hardSigmoid: Rule = {
  name: 'hard-sigmoid',
  ops: ['Mul', 'Div', 'Clip'],
  match(node, view) {
    const { constant, values, nodes } = factorsOf(view, node.outputs[0])
    const gate = values.length === 1 ? gateOf(view, values[0]) : undefined
    if (gate === undefined || view.dtype(gate.x) !== 'float32' || !isNear(constant * gate.height, 1)) return undefined
    if (node.op !== 'Clip' && !isReadOnlyBy(view, values[0], nodes)) return undefined
    return written(node, 'HardSigmoid', gate.x, { alpha: 1 / 6, beta: 0.5 })
  },
}

/** See the head of this file. */
export const recogniseHardSwish = rulesPass('recognise-hard-swish', [hardSwish, hardSigmoid], {
  writes: ['HardSwish', 'HardSigmoid'],
})
