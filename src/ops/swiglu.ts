// SPDX-License-Identifier: Apache-2.0
/** SwiGLU: a * sigmoid(alpha a) * b. https://onnx.ai/onnx/operators/onnx__SwiGLU.html */
import { type Reference, type Sample, type Samples, defineOps } from './define.ts'
import { commonDtype, broadcastOf, needed } from './infer.ts'
import { emitBinary, emitUnary, isFloat32 } from './lower-elementwise.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { floats } from './sample-tensors.ts'

export const ops = defineOps({
  SwiGLU: {
    inputs: [2, 2],
    attributes: { alpha: { kind: 'float', default: 1 } },
    numerics: { relative: 1e-5, absolute: 1e-6 },
    infer([a, b], context) {
      const inputs = [needed(context, a, 'A'), needed(context, b, 'B')]
      return [{ dtype: commonDtype(context, inputs), dims: broadcastOf(context, inputs) }]
    },
    lower(lowering, { attributes }) {
      const [a, b, y] = [lowering.input(0)!, lowering.input(1)!, lowering.output(0)]
      if (!isFloat32(a, b) || a.size !== y.size || b.size !== y.size) return false
      const gate = lowering.scratch(y.size * 4)
      emitUnary(lowering, 'unary_affine_f32', a.ref, gate, a.size, attributes.alpha as number, 0)
      emitUnary(lowering, 'unary_sigmoid_f32', gate, gate, a.size)
      const place = { ref: gate, dims: y.dims }
      return (
        emitBinary(lowering, 'binary_mul_f32', place, a, gate, y.dims) &&
        emitBinary(lowering, 'binary_mul_f32', place, b, y.ref, y.dims)
      )
    },
  },
})

export const references = {
  SwiGLU: ([a, b], { alpha }) => {
    const [left, right] = [numbersOf(a!), numbersOf(b!)]
    const values = Array.from(left, (x, i) => (x / (1 + Math.exp(-x * (alpha as number)))) * right[i])
    return [tensorOf(a!.type, values, a!.dims)]
  },
} satisfies Record<string, Reference>

export const samples = {
  SwiGLU: (random): Sample[] => [
    { inputs: [floats(random, [2, 5], -3, 3), floats(random, [2, 5])] },
    { inputs: [floats(random, [3], -3, 3), floats(random, [3])], attributes: { alpha: 0.5 } },
  ],
} satisfies Record<string, Samples>
