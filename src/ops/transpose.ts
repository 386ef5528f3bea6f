// SPDX-License-Identifier: Apache-2.0
/** Transpose: output axis k is input axis perm[k]; without perm the axes are reversed. */
import { areKnown } from '../ir/dim.ts'
import { type Attributes, type OpContext, type Reference, type Samples, defineOps } from './define.ts'
import { complaint, needed, unknownDims, valueOf } from './infer.ts'
import { floats, integers } from './sample-tensors.ts'
import { emitView, transposeView, viewedContent } from './view.ts'
import { viewed } from './viewed.ts'

function permOf(attributes: Attributes, rank: number): readonly number[] {
  const perm = attributes.perm as readonly number[] | undefined
  return perm ?? Array.from({ length: rank }, (_, axis) => rank - 1 - axis)
}

function checkedPerm(context: OpContext, rank: number): readonly number[] {
  const perm = permOf(context.attributes, rank)
  if (perm.length !== rank || [...perm].sort((a, b) => a - b).some((axis, i) => axis !== i)) {
    throw complaint(context, `perm to order the axes 0..${rank - 1}`, `[${perm.join(', ')}]`)
  }
  return perm
}

export const ops = defineOps({
  Transpose: {
    inputs: [1, 1],
    attributes: { perm: { kind: 'ints' } },
    infer([x], context) {
      const info = needed(context, x, 'data')
      const { dtype, dims } = info
      if (dims === null) {
        const perm = context.attributes.perm as readonly number[] | undefined
        return [{ dtype, dims: perm ? unknownDims(context, perm.length) : null }]
      }
      const perm = checkedPerm(context, dims.length)
      const moved = perm.map((axis) => dims[axis])
      return [valueOf(dtype, moved, areKnown(dims) ? viewedContent(info, (own) => transposeView(own, perm)) : null)]
    },
    lower(lowering, { attributes }) {
      const { dims } = lowering.input(0)!
      return emitView(lowering, transposeView(dims, permOf(attributes, dims.length)))
    },
  },
})

export const references = {
  Transpose: ([x], attributes) => [viewed(x!, transposeView(x!.dims, permOf(attributes, x!.dims.length)))],
} satisfies Record<string, Reference>

export const samples = {
  Transpose: (random) => [
    { inputs: [floats(random, [2, 3, 4])] },
    { inputs: [floats(random, [1, 3, 9, 17])], attributes: { perm: [0, 2, 3, 1] } },
    { inputs: [floats(random, [2, 5, 1, 3, 4])], attributes: { perm: [2, 0, 3, 1, 4] } },
    { inputs: [floats(random, [19, 33])] },
    { inputs: [floats(random, [])] },
    { inputs: [floats(random, [0, 2])] },
    { inputs: [integers(random, [3, 4], -9, 9, 'int64')] },
    { inputs: [integers(random, [3, 2, 4], 0, 255, 'uint8')], attributes: { perm: [1, 0, 2] } },
  ],
} satisfies Record<string, Samples>
