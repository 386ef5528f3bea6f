// SPDX-License-Identifier: Apache-2.0
/**
 * Convolutions and pools over one and two spatial axes become those of the whittle domain, which are channels last:
 * the weight is permuted once, here, and Transposes stand around the operator. They are pushed on and cancelled by
 * sink-transposes. One spatial axis becomes two with a height of 1. Only float32; weights must be constants.
 */
import type { Attributes, Node } from '../ir/graph.ts'
import type { Patch } from '../ir/patch.ts'
import type { Rule, View } from '../ir/rewrite.ts'
import { Tensor } from '../tensor/tensor.ts'
import { nodeWithIntegers } from './operands.ts'
import { rulesPass } from './pass.ts'
import { permuteTensor, toChannelsFirst, toChannelsLast } from './permute-tensor.ts'

const transpose = (name: string, x: string, output: string, perm: readonly number[]): Node => ({
  name,
  op: 'Transpose',
  inputs: [x],
  outputs: [output],
  attributes: { perm },
})

/**
 * The nodes that do `main` on x channels last and give `node.outputs[0]` channels first; rank 3 or 4.
 * @param main makes a value from another one, both of rank 4
 */
export function channelsLastForm(
  view: View,
  node: Node,
  main: (x: string, y: string) => readonly Node[],
  rank: number,
): Patch {
  const name = (part: string): string => view.fresh(`${node.name}/${part}`)
  const [last, result] = [name('last'), name('result')]
  const before = transpose(last, node.inputs[0], last, toChannelsLast(rank))
  const after = (from: string): Node => transpose(name('first'), from, node.outputs[0], toChannelsFirst(rank))
  if (rank === 4) return { nodes: [before, ...main(last, result), after(result)] }
  const [plane, line] = [name('plane'), name('line')]
  const raised = nodeWithIntegers(view, { name: plane, op: 'Unsqueeze', outputs: [plane], attributes: {} }, last, [1])
  const lowered = nodeWithIntegers(view, { name: line, op: 'Squeeze', outputs: [line], attributes: {} }, result, [1])
  return {
    constants: { ...raised.constants, ...lowered.constants },
    nodes: [before, ...raised.nodes, ...main(plane, result), ...lowered.nodes, after(line)],
  }
}

/** The node that does `op` on x and these inputs, under the name of `node`. */
export function renamed(
  { name }: Node,
  op: string,
  more: readonly string[],
  attributes: Attributes,
): (x: string, y: string) => readonly Node[] {
  return (x, y) => [{ name, op, inputs: [x, ...more], outputs: [y], attributes }]
}

/** Rank of a float32 value with one or two spatial axes. */
export function imageRank(view: View, value: string): 3 | 4 | undefined {
  const rank = view.dims(value)?.length
  return view.dtype(value) === 'float32' && (rank === 3 || rank === 4) ? rank : undefined
}

/** Values in front of those of each list attribute that turn one spatial axis into two. */
const planeFill: Readonly<Record<string, number>> = { kernel_shape: 1, strides: 1, dilations: 1 }

/** Attributes of one spatial axis as those of two. */
export function planeAttributes(attributes: Attributes): Attributes {
  const changed: Record<string, Attributes[string]> = { ...attributes }
  for (const [name, value] of Object.entries(attributes)) {
    if (!Array.isArray(value) || value.length === 0) continue
    if (name in planeFill) changed[name] = [planeFill[name], ...(value as number[])]
    if (name === 'pads') changed[name] = [0, value[0] as number, 0, value[1] as number]
  }
  return changed
}

const conv: Rule = {
  name: 'conv',
  ops: ['Conv'],
  match(node, view) {
    const [x, w, ...bias] = node.inputs
    const rank = imageRank(view, x)
    const weight = view.tensor(w)
    if (rank === undefined || weight?.type !== 'float32' || weight.dims.length !== rank) return undefined
    const attributes = rank === 3 ? planeAttributes(node.attributes) : node.attributes
    const name = `${w}/last`
    const made = view.tensor(name) === undefined
    const weightName = made ? view.fresh(name) : name
    const patch = channelsLastForm(view, node, renamed(node, 'whittle.Conv', [weightName, ...bias], attributes), rank)
    return made ? { ...patch, constants: { ...patch.constants, [weightName]: weightLast(weight) } } : patch
  },
}

/** [Cout, Cin / group, kh, kw] to [Cout, kh, kw, Cin / group]; one spatial axis gets kh = 1. */
export function weightLast(weight: Tensor): Tensor {
  const [outputs, depth, ...kernel] = weight.dims
  const plane = kernel.length === 1 ? new Tensor(weight.type, weight.data, [outputs, depth, 1, kernel[0]]) : weight
  return permuteTensor(plane, toChannelsLast(4))
}

const pool: Rule = {
  name: 'pool',
  ops: ['MaxPool', 'AveragePool'],
  match(node, view) {
    const rank = imageRank(view, node.inputs[0])
    if (rank === undefined || node.outputs.slice(1).some((output) => output !== '')) return undefined
    const { storage_order: _, ...attributes } = node.attributes
    const form = rank === 3 ? planeAttributes(attributes) : attributes
    return channelsLastForm(view, node, renamed(node, `whittle.${node.op}`, [], form), rank)
  },
}

/** See the head of this file. */
export const channelsLast = rulesPass('channels-last', [conv, pool], {
  needs: ['fold-batch-norm', 'fold-affine-into-next'],
  writes: ['whittle.Conv', 'whittle.MaxPool', 'whittle.AveragePool', 'Transpose', 'Squeeze', 'Unsqueeze'],
})
