// SPDX-License-Identifier: Apache-2.0
/**
 * Clip: min(max(x, low), high), bounds being scalars that may be left out. Bounds are inputs (opset 11 and later); a
 * float32 Clip has a kernel where the bounds are known, and two broadcast steps where they are computed.
 */
import { Tensor } from '../tensor/tensor.ts'
import { type Reference, type Samples, defineOps } from './define.ts'
import { commonDtype, complaint, knownSize, needed, printDims } from './infer.ts'
import { emitBinary, emitUnary, isFloat32 } from './lower-elementwise.ts'
import type { Operand } from './lower.ts'
import { exactOf, numbersOf, tensorOf } from './numeric.ts'
import { floats } from './sample-tensors.ts'

export const ops = defineOps({
  Clip: {
    inputs: [1, 3],
    infer(infos, context) {
      const { dims } = needed(context, infos[0], 'input')
      for (const bound of infos.slice(1)) {
        const size = bound ? knownSize(bound.dims) : null
        if (size !== null && size !== 1) throw complaint(context, 'bounds of one element', printDims(bound!.dims))
      }
      return [{ dtype: commonDtype(context, infos), dims }]
    },
    lower(lowering) {
      const [x, low, high] = [lowering.input(0)!, lowering.input(1), lowering.input(2)]
      const y = lowering.output(0)
      if (!isFloat32(x)) return false
      const known = (bound: Operand | null): boolean => bound === null || bound.tensor !== undefined
      if (known(low) && known(high)) {
        emitUnary(lowering, 'unary_clip_f32', x.ref, y.ref, x.size, boundOf(low, -Infinity), boundOf(high, Infinity))
        return true
      }
      let place = x
      if (low) {
        emitBinary(lowering, 'binary_max_f32', place, low, y.ref, x.dims)
        place = y
      }
      if (high) emitBinary(lowering, 'binary_min_f32', place, high, y.ref, x.dims)
      return true
    },
  },
})

function boundOf(bound: Operand | null, fallback: number): number {
  return bound?.tensor === undefined ? fallback : numbersOf(bound.tensor)[0]
}

export const references = {
  Clip: ([x, low, high]) => {
    const least = low ? exactOf(low)[0] : -Infinity
    const most = high ? exactOf(high)[0] : Infinity
    const clip = (v: number | bigint): number | bigint => {
      const raised = v < least ? least : v
      return raised > most ? most : raised
    }
    return [tensorOf(x!.type, Array.from(exactOf(x!), clip), x!.dims)]
  },
} satisfies Record<string, Reference>

export const samples = {
  Clip: (random) => {
    const scalar = (value: number): Tensor => new Tensor('float32', [value], [])
    return [
      { inputs: [floats(random, [2, 3, 4], -3, 3), scalar(-1), scalar(1.5)] },
      { inputs: [floats(random, [7], -3, 3), null, scalar(0)] },
      { inputs: [floats(random, [4100], -3, 3), scalar(0)] },
      { inputs: [floats(random, [3])] },
      { inputs: [new Tensor('int64', [5n, -5n]), new Tensor('int64', [-2n], []), new Tensor('int64', [2n], [])] },
    ]
  },
} satisfies Record<string, Samples>
