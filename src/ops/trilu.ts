// SPDX-License-Identifier: Apache-2.0
/** Trilu: the upper or lower triangle of the last two axes, zeros elsewhere; k moves the diagonal to the right. */
import { Tensor } from '../tensor/tensor.ts'
import { type Reference, type Sample, type Samples, defineOps } from './define.ts'
import { needed } from './infer.ts'
import { integersOf } from './elements.ts'
import { grainOf } from './grid.ts'
import { widthOf } from './lower-move.ts'
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
    lower(lowering, { attributes }) {
      const [x, diagonal, y] = [lowering.input(0)!, lowering.input(1), lowering.output(0)]
      const width = widthOf(x.dtype)
      if (width === null || (diagonal !== null && diagonal.tensor === undefined)) return false
      const [rows, cols] = x.dims.slice(-2)
      const k = diagonal ? Math.min(Math.max(integersOf(diagonal.tensor!)[0], -rows), cols) : 0
      const args = { x: x.ref, y: y.ref, rows, cols, width, k, upper: attributes.upper as number }
      if (x.size > 0) lowering.step({ kernel: 'triangle', args, units: x.size / cols, grain: grainOf(cols) })
      return true
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
    { inputs: [integers(random, [3, 2, 5], 1, 9, 'uint8'), new Tensor('int64', [99], [])] },
  ],
} satisfies Record<string, Samples>
