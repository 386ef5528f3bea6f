// SPDX-License-Identifier: Apache-2.0
/** Trilu: the upper or lower triangle of the last two axes, zeros elsewhere; k moves the diagonal to the right. */
import { Tensor } from '../tensor/tensor.ts'
import { type Reference, type Sample, type Samples, defineOps } from './define.ts'
import { needed } from './infer.ts'
import { integersOf } from './elements.ts'
import { pick } from './numeric.ts'
import { floats, integers } from './sample-tensors.ts'

export const ops = defineOps({
  Trilu: {
    inputs: [1, 2],
    attributes: { upper: { kind: 'int', default: 1 } },
    infer([x], context) {
      const { dtype, dims } = needed(context, x, 'input')
      return [{ dtype, dims }]
    },
  },
})

export const references = {
  Trilu: ([x, k], { upper }) => {
    const [rows, cols] = x!.dims.slice(-2)
    const diagonal = k ? integersOf(k)[0] : 0
    const kept = (i: number): boolean => {
      const across = (i % cols) - (Math.floor(i / cols) % rows)
      return upper === 0 ? across <= diagonal : across >= diagonal
    }
    return [pick(x!, x!.dims, (i) => (kept(i) ? i : -1))]
  },
} satisfies Record<string, Reference>

export const samples = {
  Trilu: (random): Sample[] => [
    { inputs: [floats(random, [2, 3, 4])] },
    { inputs: [integers(random, [4, 3], 1, 9, 'int64'), new Tensor('int64', [-1], [])], attributes: { upper: 0 } },
  ],
} satisfies Record<string, Samples>
