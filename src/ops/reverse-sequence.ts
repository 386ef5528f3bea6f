// SPDX-License-Identifier: Apache-2.0
/** ReverseSequence: the first elements of each sequence of a batch in reverse. https://onnx.ai/onnx/operators/onnx__ReverseSequence.html */
import { GraphError } from '../base/errors.ts'
import { sizeOf, stridesOf } from '../tensor/shape.ts'
import { type Reference, type Sample, type Samples, defineOps } from './define.ts'
import { axisOf, complaint, needed, printDims } from './infer.ts'
import { integersOf } from './elements.ts'
import { pick } from './numeric.ts'
import { floats, longs } from './sample-tensors.ts'

export const ops = defineOps({
  ReverseSequence: {
    inputs: [2, 2],
    attributes: { batch_axis: { kind: 'int', default: 1 }, time_axis: { kind: 'int', default: 0 } },
    infer([info, lengths], context) {
      const x = needed(context, info, 'input')
      needed(context, lengths, 'sequence_lens')
      const { batch_axis: batch, time_axis: time } = context.attributes as Record<string, number>
      if (x.dims !== null) {
        if (x.dims.length < 2) throw complaint(context, 'input of rank >= 2', printDims(x.dims))
        if (axisOf(context, batch, x.dims.length) + axisOf(context, time, x.dims.length) !== 1) {
          throw complaint(context, 'batch_axis and time_axis 0 and 1', `${batch} and ${time}`)
        }
      }
      return [{ dtype: x.dtype, dims: x.dims }]
    },
  },
})

export const references = {
  ReverseSequence: ([x, lengthsInput], { time_axis: timeAxis }) => {
    const { dims } = x!
    const time = (timeAxis as number) < 0 ? (timeAxis as number) + dims.length : (timeAxis as number)
    const strides = stridesOf(dims)
    const lengths = integersOf(lengthsInput!)
    const inner = sizeOf(dims.slice(2))
    if (lengths.length !== dims[1 - time] || lengths.some((length) => length < 0 || length > dims[time])) {
      const expected = `${dims[1 - time]} integers in [0, ${dims[time]}]`
      throw new GraphError({ where: 'sequence_lens', expected, got: lengths.slice(0, 9).join(', ') })
    }
    return [
      pick(x!, dims, (i) => {
        const places = [Math.floor(i / strides[0]), Math.floor(i / inner) % dims[1]]
        const [at, length] = [places[time], lengths[places[1 - time]]]
        return at < length ? i + (length - 1 - 2 * at) * strides[time] : i
      }),
    ]
  },
} satisfies Record<string, Reference>

export const samples = {
  ReverseSequence: (random): Sample[] => [
    { inputs: [floats(random, [4, 3, 2]), longs(4, 2, 1)] },
    { inputs: [floats(random, [2, 5]), longs(3, 5)], attributes: { batch_axis: 0, time_axis: 1 } },
  ],
} satisfies Record<string, Samples>
