// SPDX-License-Identifier: Apache-2.0
/**
 * Computes ahead what does not depend on the graph's inputs: nodes whose inputs are all constants, by the evaluator;
 * integer values inference knows to the number (a Shape of fixed dims), without evaluating anything; and the target of
 * a Reshape whose symbolic dims can be said as 0 ("as before") and one -1 ("the rest"), which frees the graph of most
 * shape arithmetic. Results that would be much larger than what they are made of stay computed.
 */
import { UnsupportedError } from '../base/errors.ts'
import { type Dim, areKnown } from '../ir/dim.ts'
import { type Node, subgraphsOf } from '../ir/graph.ts'
import type { Patch } from '../ir/patch.ts'
import type { Rule, View } from '../ir/rewrite.ts'
import { byteLengthOf } from '../tensor/dtype.ts'
import { sizeOf } from '../tensor/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import { nodeWithIntegers, reshapeOperand } from './operands.ts'
import { type Evaluate, rulesPass } from './pass.ts'

/** A result is kept when it has at most this many bytes, or at most `growth` times those of the inputs. */
const smallBytes = 1 << 20
const growth = 8

const foldContent: Rule = {
  name: 'known-content',
  ops: '*',
  match(node, view) {
    const [output, ...more] = node.outputs
    const info = view.info(output)
    if (info?.content === undefined || info.dims === null || more.length > 0) return undefined
    if (!areKnown(info.dims) || !areKnown(info.content)) return undefined
    return replaced(node, view, [new Tensor(info.dtype, info.content, info.dims)])
  },
}

function foldEvaluated(evaluate: Evaluate): Rule {
  return {
    name: 'constant-inputs',
    ops: '*',
    match(node, view) {
      if (view.isImpure(node) || subgraphsOf(node).length > 0) return undefined
      const inputs = node.inputs.map((name) => (name === '' ? null : (view.tensor(name) ?? undefined)))
      if (!inputs.every((tensor) => tensor !== undefined) || !isSmall(node, view, inputs)) return undefined
      try {
        return replaced(node, view, evaluate(node, inputs, view.opset))
      } catch (error) {
        if (error instanceof UnsupportedError) return undefined
        throw error
      }
    },
  }
}

function isSmall(node: Node, view: View, inputs: readonly (Tensor | null)[]): boolean {
  const given = inputs.reduce((sum, tensor) => sum + (tensor === null ? 0 : byteLengthOf(tensor.type, tensor.size)), 0)
  return node.outputs.every((output) => {
    const info = view.info(output)
    if (output === '') return true
    if (!info?.dims || !areKnown(info.dims)) return false
    return byteLengthOf(info.dtype, sizeOf(info.dims)) <= Math.max(smallBytes, growth * given)
  })
}

/** Constants in place of the node's outputs; graph outputs stay computed, since a graph's outputs are made by nodes. */
function replaced(node: Node, view: View, tensors: readonly Tensor[]): Patch | undefined {
  const constants: Record<string, Tensor> = {}
  const replace: Record<string, string> = {}
  for (const [i, output] of node.outputs.entries()) {
    if (output === '') continue
    if (view.isOutput(output) || tensors[i] === undefined) return undefined
    const name = view.fresh(`${output}/value`)
    constants[name] = tensors[i]
    replace[output] = name
  }
  return { constants, replace }
}

const foldReshape: Rule = {
  name: 'reshape-target',
  ops: ['Reshape'],
  match(node, view) {
    const [x, shape] = node.inputs
    const [source, target] = [view.dims(x), view.dims(node.outputs[0])]
    if (view.tensor(shape) !== undefined || source === undefined || target === undefined) return undefined
    const operand = reshapeOperand(source, target)
    if (operand === undefined || !isSaid(view, shape, target)) return undefined
    return nodeWithIntegers(view, { ...node, attributes: {} }, x, operand)
  },
}

/** True when inference knows every element of the shape operand, so that the target's dims are no mere guess. */
function isSaid(view: View, shape: string, target: readonly Dim[]): boolean {
  const content = view.info(shape)?.content
  return content !== undefined && content.length === target.length
}

/** See the head of this file. */
export const foldConstants = rulesPass('fold-constants', ({ evaluate }) => [
  foldContent,
  ...(evaluate === undefined ? [] : [foldEvaluated(evaluate)]),
  foldReshape,
])
