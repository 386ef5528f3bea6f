// SPDX-License-Identifier: Apache-2.0
/**
 * Folds an affine map into the layer behind it: x * scale + shift before a Conv, Gemm or MatMul with constant weights,
 * where that layer alone reads it. The scale goes into the weights of any layer; the shift goes into the bias, and so
 * only where no window reaches over the edge, since padding reads 0 and not the shift.
 */
import type { Rule } from '../ir/rewrite.ts'
import { affineOf } from './affine.ts'
import { layerOps, withInputsScaled } from './layer.ts'
import { rulesPass } from './pass.ts'

const intoNext: Rule = {
  name: 'affine-into-next',
  ops: layerOps,
  match(node, view) {
    const [value] = node.inputs
    const before = view.producer(value)
    const affine = before && view.isPrivate(value) ? affineOf(view, before) : undefined
    return affine && withInputsScaled(view, node, affine, affine.x)
  },
}

/** See the head of this file. */
export const foldAffineIntoNext = rulesPass('fold-affine-into-next', [intoNext], { needs: ['fold-batch-norm'] })
