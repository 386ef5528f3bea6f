// SPDX-License-Identifier: Apache-2.0
/** BitCast: the same bytes as another type of the same width. https://onnx.ai/onnx/operators/onnx__BitCast.html */
import { dtypeOfOnnx, dtypes } from '../tensor/dtype.ts'
import { Tensor, bytesOf, tensorFromBytes } from '../tensor/tensor.ts'
import { type Reference, type Sample, type Samples, defineOps } from './define.ts'
import { complaint, needed } from './infer.ts'
import { floats } from './sample-tensors.ts'

export const ops = defineOps({
  BitCast: {
    inputs: [1, 1],
    attributes: { to: { kind: 'int', required: true } },
    infer([info], context) {
      const x = needed(context, info, 'input')
      const dtype = dtypeOfOnnx(context.attributes.to as number)
      if (dtype === undefined || dtypes[dtype].bits !== dtypes[x.dtype].bits || dtypes[dtype].bits === 0) {
        throw complaint(
          context,
          `a type of ${dtypes[x.dtype].bits} bits as attribute to`,
          dtype ?? String(context.attributes.to),
        )
      }
      return [{ dtype, dims: x.dims }]
    },
    lower(lowering) {
      if (dtypes[lowering.input(0)!.dtype].bits < 8) return false
      lowering.alias(0, 0)
      return true
    },
  },
})

export const references = {
  BitCast: ([x], { to }) => [tensorFromBytes(dtypeOfOnnx(to as number)!, (bytesOf(x!) as Uint8Array).slice(), x!.dims)],
} satisfies Record<string, Reference>

export const samples = {
  BitCast: (random): Sample[] => [
    { inputs: [floats(random, [2, 3])], attributes: { to: dtypes.int32.onnx } },
    { inputs: [new Tensor('int8', [-1, 5])], attributes: { to: dtypes.uint8.onnx } },
  ],
} satisfies Record<string, Samples>
