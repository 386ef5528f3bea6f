// SPDX-License-Identifier: Apache-2.0
/** Heads whose pairs of channels are turned by the angles of their places: the step, and the same in double precision. */
import type { Tensor } from '../tensor/tensor.ts'
import type { Heads } from './attention-reference.ts'
import { grainOf } from './grid.ts'
import type { Place } from './lower-attention.ts'
import type { Lowering, Operand, Ref } from './lower.ts'
import { numbersOf } from './numeric.ts'

export interface Turning {
  /** [rows, half], or [batch, sequence, half] where no places are given. */
  readonly cos: Operand
  readonly sin: Operand
  /** int64 [batch, sequence]: rows of cos and sin; null: they have one for each. */
  readonly places: Ref | null
  /** Where they go: laid out as the heads are. */
  readonly target: Ref
  readonly isInterleaved: boolean
}

/** Emits it. @returns false where there is no kernel for these tables */
export function emitRotation(lowering: Lowering, heads: Place, turning: Turning): boolean {
  const { cos, sin, places, target, isInterleaved } = turning
  const [batch, count, sequence, size] = heads.dims
  const half = cos.dims.at(-1) ?? 0
  const rows = half === 0 ? 0 : cos.size / half
  if (rows === 0 || 2 * half > size || sin.dims.at(-1) !== half || sin.size !== cos.size) return false
  if (!places && rows !== batch * sequence) return false
  const [batchStride, headStride, placeStride] = heads.strides
  lowering.step({
    kernel: 'rotary_f32',
    units: batch * sequence,
    grain: grainOf(count * size),
    args: {
      ...{ x: heads.ref, y: target, cos: cos.ref, sin: sin.ref, places, rows, sequence, heads: count, size, half },
      ...{ batchStride, placeStride, headStride, interleaved: Number(isInterleaved) },
    },
  })
  return true
}

/** Turned heads. @param how `placeAt`: the row of cos and sin for a place of a sequence, cut to those there are */
export function rotated(
  { data, dims }: Heads,
  how: {
    readonly cos: Tensor
    readonly sin: Tensor
    readonly isInterleaved: boolean
    placeAt(b: number, s: number): number
  },
): Heads {
  const [, heads, sequence, size] = dims
  const half = how.cos.dims.at(-1)!
  const rows = how.cos.size / half
  const [cosines, sines] = [numbersOf(how.cos), numbersOf(how.sin)]
  const result = data.slice()
  for (let place = 0; place < data.length / size; place++) {
    const [b, s] = [Math.floor(place / (heads * sequence)), place % sequence]
    const row = Math.min(Math.max(how.placeAt(b, s), 0), rows - 1) * half
    for (let i = 0; i < half; i++) {
      const [left, right] = (how.isInterleaved ? [2 * i, 2 * i + 1] : [i, i + half]).map((c) => place * size + c)
      result[left] = data[left] * cosines[row + i] - data[right] * sines[row + i]
      result[right] = data[left] * sines[row + i] + data[right] * cosines[row + i]
    }
  }
  return { data: result, dims }
}
