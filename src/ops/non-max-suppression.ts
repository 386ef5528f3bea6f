// SPDX-License-Identifier: Apache-2.0
/**
 * NonMaxSuppression: of boxes that overlap, per batch and class, the ones with the highest scores: rows of batch, class and
 * box. Of equal scores the lower index counts as higher. https://onnx.ai/onnx/operators/onnx__NonMaxSuppression.html
 */
import type { Tensor } from '../tensor/tensor.ts'
import { mayEqual } from './conv-types.ts'
import { type Attributes, type Reference, type Sample, type Samples, defineOps } from './define.ts'
import { complaint, needed, printDims, unknownDims } from './infer.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { floats, longs } from './sample-tensors.ts'

export const ops = defineOps({
  NonMaxSuppression: {
    inputs: [2, 5],
    attributes: { center_point_box: { kind: 'int', default: 0 } },
    infer([boxes, scores, ...more], context) {
      for (const [name, info] of Object.entries({ boxes, scores })) {
        const { dims } = needed(context, info, name)
        if (dims !== null && dims.length !== 3) throw complaint(context, `${name} of rank 3`, printDims(dims))
      }
      const corners = boxes!.dims?.[2]
      if (typeof corners === 'number' && corners !== 4) throw complaint(context, 'boxes of 4 numbers', String(corners))
      const [batches, count] = boxes!.dims ?? []
      const wanted = [batches, scores!.dims?.[1], count]
      if (boxes!.dims && scores!.dims && !scores!.dims.every((d, i) => mayEqual(d, wanted[i]!))) {
        throw complaint(context, `scores of ${count} boxes in ${batches} batches`, printDims(scores!.dims))
      }
      const tensors = [boxes, scores, ...more].map((info) => info && info.tensor)
      const known = tensors.every((tensor) => tensor !== undefined)
      const rows = known
        ? selected(tensors as (Tensor | null)[], context.attributes).length / 3
        : unknownDims(context, 1)[0]
      return [{ dtype: 'int64', dims: [rows, 3] }]
    },
  },
})

type Box = readonly [top: number, left: number, bottom: number, right: number]

function boxAt(values: ArrayLike<number>, at: number, isCentered: boolean): Box {
  const [a, b, c, d] = [0, 1, 2, 3].map((i) => values[at + i])
  if (isCentered) return [b - d / 2, a - c / 2, b + d / 2, a + c / 2]
  return [Math.min(a, c), Math.min(b, d), Math.max(a, c), Math.max(b, d)]
}

function overlap(a: Box, b: Box): number {
  const area = ([top, left, bottom, right]: Box): number => (bottom - top) * (right - left)
  const height = Math.min(a[2], b[2]) - Math.max(a[0], b[0])
  const width = Math.min(a[3], b[3]) - Math.max(a[1], b[1])
  if (height <= 0 || width <= 0 || area(a) <= 0 || area(b) <= 0) return 0
  const common = height * width
  return Math.fround(common / (area(a) + area(b) - common))
}

/** Batch, class and box of those kept, one after the other. */
function selected(
  [boxes, scores, mostInput, overlapInput, scoreInput]: readonly (Tensor | null | undefined)[],
  attributes: Attributes,
): number[] {
  const [corners, values] = [numbersOf(boxes!), numbersOf(scores!)]
  const [batches, classes, count] = scores!.dims
  const most = mostInput ? numbersOf(mostInput)[0] : 0
  const limit = overlapInput ? numbersOf(overlapInput)[0] : 0
  const least = scoreInput ? numbersOf(scoreInput)[0] : -Infinity
  const rows: number[] = []
  for (let batch = 0; batch < batches; batch++) {
    const all = Array.from({ length: count }, (_, i) =>
      boxAt(corners, (batch * count + i) * 4, attributes.center_point_box === 1),
    )
    for (let kind = 0; kind < classes; kind++) {
      const own = (batch * classes + kind) * count
      const order = all.map((_, i) => i).filter((i) => !scoreInput || values[own + i] > least)
      order.sort((a, b) => values[own + b] - values[own + a] || a - b)
      const kept: number[] = []
      for (const i of order) {
        if (kept.length >= most) break
        if (kept.every((other) => overlap(all[i], all[other]) <= limit)) kept.push(i)
      }
      for (const i of kept) rows.push(batch, kind, i)
    }
  }
  return rows
}

export const references = {
  NonMaxSuppression: (inputs, attributes) => {
    const rows = selected(inputs, attributes)
    return [tensorOf('int64', rows, [rows.length / 3, 3])]
  },
} satisfies Record<string, Reference>

export const samples = {
  NonMaxSuppression: (random): Sample[] => [
    {
      inputs: [
        floats(random, [2, 9, 4], 0, 1),
        floats(random, [2, 3, 9], 0, 1),
        longs(4),
        floats(random, [1], 0.1, 0.3),
      ],
    },
    {
      inputs: [
        floats(random, [1, 9, 4], 0, 1),
        floats(random, [1, 1, 9], 0, 1),
        longs(9),
        floats(random, [1], 0.1, 0.3),
        floats(random, [1], 0.4, 0.6),
      ],
      attributes: { center_point_box: 1 },
    },
    { inputs: [floats(random, [1, 3, 4], 0, 1), floats(random, [1, 1, 3], 0, 1)] },
  ],
} satisfies Record<string, Samples>
