// SPDX-License-Identifier: Apache-2.0
/**
 * A channels-last convolution of one tap that moves by one pixel is a matrix product of the pixels: whittle.Conv
 * becomes whittle.Gemm, epilogue and all. Nothing is computed otherwise in float32; quantised, each pixel gets a
 * scale of its own instead of one for the image.
 */
import type { Attributes } from '../ir/graph.ts'
import type { Rule } from '../ir/rewrite.ts'
import { Tensor } from '../tensor/tensor.ts'
import { sharedConstant } from './operands.ts'
import { rulesPass } from './pass.ts'

/** Attributes of the epilogue, which both operators have. */
const epilogue = ['activation', 'alpha', 'beta', 'post_scale', 'post_shift']

function isOnes(value: unknown): boolean {
  return value === undefined || (Array.isArray(value) && value.every((item) => item === 1))
}

function isZeros(value: unknown): boolean {
  return value === undefined || (Array.isArray(value) && value.every((item) => item === 0))
}

const pointwise: Rule = {
  name: 'pointwise',
  ops: ['whittle.Conv'],
  match(node, view) {
    const { group = 1, strides, pads } = node.attributes
    const [x, w, ...rest] = node.inputs
    const weight = view.tensor(w)
    if (group !== 1 || !isOnes(strides) || !isZeros(pads) || view.dims(x)?.length !== 4) return undefined
    if (weight?.type !== 'float32' || weight.dims.length !== 4 || weight.dims[1] !== 1 || weight.dims[2] !== 1)
      return undefined
    const matrix = new Tensor('float32', weight.data, [weight.dims[0], weight.dims[3]])
    const [rows, constants] = sharedConstant(view, `${w}/rows`, matrix)
    const attributes: Attributes = Object.fromEntries(
      epilogue.filter((key) => node.attributes[key] !== undefined).map((key) => [key, node.attributes[key]]),
    )
    return {
      constants,
      nodes: [{ ...node, op: 'whittle.Gemm', inputs: [x, rows, ...rest], attributes }],
    }
  },
}

/** See the head of this file. */
export const lowerPointwise = rulesPass('lower-pointwise', [pointwise], {
  needs: ['channels-last', 'fuse-epilogue'],
  writes: ['whittle.Gemm'],
})
