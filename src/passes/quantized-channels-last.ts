// SPDX-License-Identifier: Apache-2.0
/**
 * channels-last for bytes: QLinearConv and ConvInteger with constant weights become those of the whittle domain, between
 * Transposes that sink-transposes pushes on. MaxPool of bytes becomes one of float32 between casts, for channels-last.
 */
import type { Node } from '../ir/graph.ts'
import type { Rule, View } from '../ir/rewrite.ts'
import { channelsLastForm, planeAttributes, renamed, weightLast } from './channels-last.ts'
import { dtypes } from '../tensor/dtype.ts'
import { sharedConstant } from './operands.ts'
import { rulesPass } from './pass.ts'

/** Rank of an image of bytes with one or two spatial axes. */
function imageRank(view: View, value: string): 3 | 4 | undefined {
  const [rank, dtype] = [view.dims(value)?.length, view.dtype(value)]
  return (dtype === 'int8' || dtype === 'uint8') && (rank === 3 || rank === 4) ? rank : undefined
}

/** A convolution whose weights are input `position`. */
function conv(op: string, position: number): Rule {
  return {
    name: op,
    ops: [op],
    match(node: Node, view: View) {
      const [x, ...more] = node.inputs
      const rank = imageRank(view, x)
      const weight = view.tensor(node.inputs[position])
      if (rank === undefined || weight?.dims.length !== rank) return undefined
      const attributes = rank === 3 ? planeAttributes(node.attributes) : node.attributes
      const [name, constants] = sharedConstant(view, `${node.inputs[position]}/last`, weightLast(weight))
      more[position - 1] = name
      const patch = channelsLastForm(view, node, renamed(node, `whittle.${op}`, more, attributes), rank)
      return { ...patch, constants: { ...patch.constants, ...constants } }
    },
  }
}

/** Extremes of bytes are those of the numbers they are. */
const pool: Rule = {
  name: 'MaxPool',
  ops: ['MaxPool'],
  match(node, view) {
    const [x, y] = [node.inputs[0], node.outputs[0]]
    if (imageRank(view, x) === undefined || node.outputs.slice(1).some((output) => output !== '')) return undefined
    const [numbers, largest] = ['numbers', 'largest'].map((part) => view.fresh(`${node.name}/${part}`))
    const cast = (from: string, to: string, dtype: 'float32' | 'int8' | 'uint8'): Node => ({
      name: view.fresh(`${node.name}/${dtype}`),
      op: 'Cast',
      inputs: [from],
      outputs: [to],
      attributes: { to: dtypes[dtype].onnx },
    })
    const { storage_order: _, ...attributes } = node.attributes
    return {
      nodes: [
        cast(x, numbers, 'float32'),
        { ...node, inputs: [numbers], outputs: [largest], attributes },
        cast(largest, y, view.dtype(x) as 'int8' | 'uint8'),
      ],
    }
  },
}

/** See the head of this file. */
export const quantizedChannelsLast = rulesPass(
  'quantized-channels-last',
  [conv('QLinearConv', 3), conv('ConvInteger', 1), pool],
  { writes: ['whittle.QLinearConv', 'whittle.ConvInteger', 'MaxPool', 'Cast', 'Transpose', 'Squeeze', 'Unsqueeze'] },
)
