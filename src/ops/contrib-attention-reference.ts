// SPDX-License-Identifier: Apache-2.0
/** What the references of ONNX Runtime's attention operators share, in double precision. Only `references` use this file. */
import { broadcastStrides } from '../tensor/shape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { type Bias, type Heads, appended, attendHeads, swapped } from './attention-reference.ts'
import type { Attributes } from './define.ts'
import { integersOf } from './elements.ts'
import { lowest } from './lower-multi-head.ts'
import { numbersOf } from './numeric.ts'

/** What a mask adds to scores. */
function maskOf(mask: Tensor | null | undefined, [batch, sequence, total]: readonly number[], filter: number): Bias {
  if (!mask) return () => 0
  const values = integersOf(mask)
  const { length } = mask.dims
  return (b, _, i, j) => {
    if (length === 2) return values[b * total + j] > 0 ? 0 : filter
    if (length === 3) return values[(b * sequence + i) * total + j] > 0 ? 0 : filter
    const first = values.length === 2 * batch ? values[batch + b] : 0
    return j >= values[b] || j < first ? filter : 0
  }
}

interface Extras {
  readonly mask?: Tensor | null | undefined
  readonly bias?: Tensor | null | undefined
  readonly pastKey?: Tensor | null | undefined
  readonly pastValue?: Tensor | null | undefined
}

/** All of it but where queries, keys and values come from. Output 0 as [B, S, Dv]. */
export function attend([q, newKeys, newValues]: readonly Heads[], extras: Extras, attributes: Attributes) {
  const [k, v] = [appended(extras.pastKey, newKeys), appended(extras.pastValue, newValues)]
  const [batch, heads, sequence, size] = q.dims
  const [, , total, width] = v.dims
  const scoreDims = [batch, heads, sequence, total]
  const masks = maskOf(extras.mask, [batch, sequence, total], attributes.mask_filter_value as number)
  const strides = extras.bias ? broadcastStrides(extras.bias.dims, scoreDims) : []
  const biases = extras.bias ? numbersOf(extras.bias) : []
  const offset = total - newKeys.dims[2]
  const isCausal = attributes.unidirectional === 1 && sequence > 1
  const scale = attributes.scale as number
  const { y, handed } = attendHeads(q, k, v, {
    scale: scale === 0 ? 1 / Math.sqrt(size) : scale,
    bias(b, h, i, j) {
      if (isCausal && j > i + offset) return lowest
      const added = extras.bias ? biases[b * strides[0] + h * strides[1] + i * strides[2] + j * strides[3]] : 0
      return masks(b, h, i, j) + added
    },
    handed: 'biased',
  })
  const data = swapped(y.data, batch, heads, sequence, width)
  return { y: { data, dims: [batch, sequence, heads * width] }, k, v, scores: { data: handed, dims: scoreDims } }
}
