// SPDX-License-Identifier: Apache-2.0
/**
 * Shape and Size: an input's dims as data. Once dims are numbers their outputs are known before anything runs, so they
 * never need steps; with symbolic dims they start the chains of shape arithmetic that `content` follows.
 */
import * as dim from '../ir/dim.ts'
import { Tensor } from '../tensor/tensor.ts'
import { type Attributes, type Reference, type Samples, type Sample, defineOps } from './define.ts'
import { needed, valueOf } from './infer.ts'
import { floats } from './sample-tensors.ts'

/** The dims from `start` to before `end`; both count from the end when negative and are cut to the rank. */
function sliced<D>(dims: readonly D[], { start, end }: Attributes): D[] {
  const first = start as number
  const last = end as number | undefined
  return dims.slice(first, last)
}

export const ops = defineOps({
  Shape: {
    inputs: [1, 1],
    attributes: { start: { kind: 'int', default: 0 }, end: { kind: 'int' } },
    infer([x], context) {
      const { dims } = needed(context, x, 'data')
      if (dims === null) return [{ dtype: 'int64', dims: [dim.symbol(`${context.node.outputs[0]}.0`)] }]
      const content = sliced(dims, context.attributes)
      return [valueOf('int64', [content.length], content)]
    },
  },
  Size: {
    inputs: [1, 1],
    infer([x], context) {
      const { dims } = needed(context, x, 'data')
      return [valueOf('int64', [], dims && [dim.product(dims)])]
    },
  },
})

export const references = {
  Shape: ([x], attributes) => [new Tensor('int64', sliced(x!.dims, attributes))],
  Size: ([x]) => [new Tensor('int64', [x!.size], [])],
} satisfies Record<string, Reference>

export const samples = {
  Shape: (random): Sample[] => [
    { inputs: [floats(random, [2, 3, 4])] },
    { inputs: [floats(random, [2, 3, 4])], attributes: { start: -2, end: 9 } },
    { inputs: [floats(random, [2, 3, 4])], attributes: { start: 1, end: -1 } },
    { inputs: [floats(random, [])] },
  ],
  Size: (random) => [{ inputs: [floats(random, [2, 3, 4])] }, { inputs: [floats(random, [0])] }],
} satisfies Record<string, Samples>
