// SPDX-License-Identifier: Apache-2.0
/**
 * DynamicQuantizeLinear: x to uint8 by its own range, widened to hold 0: y, its scale and its zero point.
 * The rule divides by the scale in float32, as ONNX writes it. https://onnx.ai/onnx/operators/onnx__DynamicQuantizeLinear.html
 */
import { type Reference, type Sample, type Samples, defineOps } from './define.ts'
import { needed } from './infer.ts'
import { emitQuantize, emitRange, oneChannel } from './lower-bytes.ts'
import { isFloat32 } from './lower-elementwise.ts'
import { numbersOf, saturate, tensorOf } from './numeric.ts'
import { extentOf, rangeOf } from './quantize.ts'
import { floats } from './sample-tensors.ts'

export const ops = defineOps({
  DynamicQuantizeLinear: {
    inputs: [1, 1],
    outputs: [3, 3],
    infer([info], context) {
      const { dims } = needed(context, info, 'x')
      return [
        { dtype: 'uint8', dims },
        { dtype: 'float32', dims: [] },
        { dtype: 'uint8', dims: [] },
      ]
    },
    lower(lowering) {
      const [x, y, scale, zero] = [lowering.input(0)!, ...[0, 1, 2].map((i) => lowering.output(i))]
      if (!isFloat32(x) || x.size === 0) return false
      emitRange(lowering, x.ref, x.size, scale.ref, zero.ref)
      emitQuantize(lowering, [x.ref, y.ref], x.size, oneChannel(x.size), scale.ref, zero.ref, false)
      return true
    },
  },
})

export const references = {
  DynamicQuantizeLinear([x]) {
    const values = numbersOf(x!)
    const { scale, zero } = rangeOf(...extentOf(values))
    const q = Array.from(values, (v) => saturate('uint8', saturate('int32', Math.fround(v / scale)) + zero))
    return [tensorOf('uint8', q, x!.dims), tensorOf('float32', [scale], []), tensorOf('uint8', [zero], [])]
  },
} satisfies Record<string, Reference>

export const samples = {
  DynamicQuantizeLinear: (random): Sample[] => [
    { inputs: [floats(random, [3, 3000], -1, 5)], outputs: 3 },
    ...[
      [-2, 3],
      [1, 4],
      [-5, -1],
    ].map(([low, high]) => ({ inputs: [floats(random, [3, 4], low, high)], outputs: 3 })),
  ],
} satisfies Record<string, Samples>
