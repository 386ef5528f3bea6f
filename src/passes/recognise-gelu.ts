// SPDX-License-Identifier: Apache-2.0
/**
 * Finds the Gaussian error linear unit spelled out and writes Gelu: 0.5 x (1 + erf(x / sqrt 2)), and its approximation
 * 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), factors in any order. Hendrycks & Gimpel, arXiv:1606.08415.
 */
import type { Attributes, Node } from '../ir/graph.ts'
import type { Rule, View } from '../ir/rewrite.ts'
import { isNear } from './operands.ts'
import { rulesPass } from './pass.ts'
import { factorsOf, isReadOnlyBy, sumWithConstant } from './products.ts'

const cubic = 0.044715

/** True when `value` is x / sqrt 2. */
function isErfArgument(view: View, value: string, x: string): boolean {
  const { constant, values } = factorsOf(view, value)
  return values.length === 1 && values[0] === x && isNear(constant, Math.SQRT1_2)
}

/** True when `value` is sqrt(2 / pi) (x + 0.044715 x^3), or the same with x factored out. */
function isTanhArgument(view: View, value: string, x: string): boolean {
  const { constant, values } = factorsOf(view, value)
  if (!isNear(constant, Math.sqrt(2 / Math.PI))) return false
  const isPower = (v: string, power: number): boolean => {
    const term = factorsOf(view, v)
    return term.values.length === power && term.values.every((f) => f === x) && isNear(term.constant, cubic)
  }
  if (values.length === 1) {
    const sum = view.producer(values[0], 'Add')
    const [a, b] = sum?.inputs ?? []
    return sum !== undefined && ((a === x && isPower(b, 3)) || (b === x && isPower(a, 3)))
  }
  const [inner] = values.filter((v) => v !== x)
  const [square, one] = sumWithConstant(view, view.producer(inner)) ?? []
  return values.length === 2 && values.includes(x) && one === 1 && square !== undefined && isPower(square, 2)
}

const gelu: Rule = {
  name: 'gelu',
  ops: ['Mul', 'Div'],
  match(node, view) {
    const { constant, values, nodes } = factorsOf(view, node.outputs[0])
    if (constant !== 0.5 || values.length !== 2) return undefined
    for (const [x, other] of [values, [...values].reverse()]) {
      const sum = view.producer(other, 'Add')
      const [inner, one] = sumWithConstant(view, sum) ?? []
      const curve = view.producer(inner, 'Erf', 'Tanh')
      if (one !== 1 || curve === undefined || sum === undefined) continue
      const [argument] = curve.inputs
      const matches = curve.op === 'Erf' ? isErfArgument(view, argument, x) : isTanhArgument(view, argument, x)
      if (matches && isAlone(view, other, inner!, nodes, sum)) {
        const attributes: Attributes = curve.op === 'Erf' ? {} : { approximate: 'tanh' }
        return { nodes: [{ name: node.name, op: 'Gelu', inputs: [x], outputs: node.outputs, attributes }] }
      }
    }
    return undefined
  },
}

function isAlone(view: View, sum: string, curve: string, product: readonly Node[], adder: Node): boolean {
  return isReadOnlyBy(view, sum, product) && isReadOnlyBy(view, curve, [adder])
}

/** See the head of this file. */
export const recogniseGelu = rulesPass('recognise-gelu', [gelu], { writes: ['Gelu'] })
