// SPDX-License-Identifier: Apache-2.0
/**
 * Folds affine maps into the layer before them: BatchNormalization, and Mul, Add, Sub, Div with one constant number or
 * one for each output channel, behind a Conv, ConvTranspose, Gemm or MatMul with constant weights that nothing else
 * reads. A BatchNormalization that is behind none of these becomes a Mul and an Add, which other passes can place.
 */
import type { Node } from '../ir/graph.ts'
import type { Patch } from '../ir/patch.ts'
import type { Rule, View } from '../ir/rewrite.ts'
import { Tensor } from '../tensor/tensor.ts'
import { type Affine, affineOf, affineOps } from './affine.ts'
import { layerOps, withOutputsScaled } from './layer.ts'
import { rulesPass } from './pass.ts'

function foldIntoLayer(node: Node, view: View): Patch | undefined {
  const affine = affineOf(view, node)
  const layer = view.producer(affine?.x, ...layerOps)
  if (affine === undefined || layer === undefined || !view.isPrivate(affine.x)) return undefined
  return withOutputsScaled(view, layer, affine, node.outputs[0])
}

const intoLayer: Rule = { name: 'affine-into-layer', ops: affineOps, match: foldIntoLayer }

const toMulAdd: Rule = {
  name: 'batch-norm-to-mul-add',
  ops: ['BatchNormalization'],
  match(node, view) {
    const affine = affineOf(view, node)
    const rank = view.dims(node.inputs[0])?.length
    return affine && rank !== undefined ? mulAdd(node, view, affine, rank) : undefined
  },
}

function mulAdd(node: Node, view: View, { x, scale, shift }: Affine, rank: number): Patch {
  const dims = [scale.length, ...new Array<number>(rank - 2).fill(1)]
  const [scaleName, shiftName, product] = ['scale', 'shift', 'scaled'].map((part) => view.fresh(`${node.name}/${part}`))
  return {
    constants: { [scaleName]: new Tensor('float32', scale, dims), [shiftName]: new Tensor('float32', shift, dims) },
    nodes: [
      { name: product, op: 'Mul', inputs: [x, scaleName], outputs: [product], attributes: {} },
      { name: node.name, op: 'Add', inputs: [product, shiftName], outputs: [node.outputs[0]], attributes: {} },
    ],
  }
}

/** See the head of this file. */
export const foldBatchNorm = rulesPass('fold-batch-norm', [intoLayer, toMulAdd], { writes: ['Mul', 'Add'] })
