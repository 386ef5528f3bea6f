// SPDX-License-Identifier: Apache-2.0
/**
 * LRN: y = x / (bias + alpha / size * sum of squares of `size` neighbouring channels)^beta, channels first.
 * https://onnx.ai/onnx/operators/onnx__LRN.html
 */
import { sizeOf } from '../tensor/shape.ts'
import { type Reference, type Sample, type Samples, defineOps } from './define.ts'
import { complaint, needed, printDims } from './infer.ts'
import { emitBinary, emitUnary, isFloat32, shifted } from './lower-elementwise.ts'
import { copyBytes } from './lower-move.ts'
import type { Ref } from './lower.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { floats } from './sample-tensors.ts'

export const ops = defineOps({
  LRN: {
    inputs: [1, 1],
    attributes: {
      alpha: { kind: 'float', default: 1e-4 },
      beta: { kind: 'float', default: 0.75 },
      bias: { kind: 'float', default: 1 },
      size: { kind: 'int', required: true },
    },
    numerics: { relative: 1e-5, absolute: 1e-6 },
    infer([info], context) {
      const { dtype, dims } = needed(context, info, 'X')
      const size = context.attributes.size as number
      if (size < 1) throw complaint(context, 'a size of at least 1', String(size))
      if (dims !== null && dims.length < 2) throw complaint(context, 'a batch and channels', printDims(dims))
      return [{ dtype, dims }]
    },
    lower(lowering, { attributes }) {
      const [x, y] = [lowering.input(0)!, lowering.output(0)]
      if (!isFloat32(x)) return false
      const [images, channels] = x.dims
      const pixels = sizeOf(x.dims.slice(2))
      const { alpha, beta, bias, size } = attributes as Record<string, number>
      const [before, after] = reachOf(size).map((reach) => Math.min(reach, channels - 1))
      if (x.size === 0) return true
      if (images * (before + after) > mostSteps) return false
      const [squares, sums] = [lowering.scratch(x.size * 4), lowering.scratch(x.size * 4)]
      const flat = (ref: Ref) => ({ ref, dims: [x.size] })
      emitBinary(lowering, 'binary_mul_f32', flat(x.ref), flat(x.ref), squares, [x.size])
      copyBytes(lowering, squares, sums, x.size * 4)
      for (let image = 0; image < images; image++) {
        for (let away = -before; away <= after; away++) {
          if (away === 0) continue
          // channels that have one `away` from them: a run of the image
          const first = image * channels + Math.max(0, -away)
          const dims = [(channels - Math.abs(away)) * pixels]
          const at = (ref: Ref, channel: number) => ({ ref: shifted(ref, channel * pixels * 4), dims })
          const sum = at(sums, first)
          emitBinary(lowering, 'binary_add_f32', sum, at(squares, first + away), sum.ref, dims)
        }
      }
      emitUnary(lowering, 'unary_affine_f32', sums, sums, x.size, alpha / size, bias)
      if (bias > 0 && alpha >= 0) {
        // powers of positive numbers, by kernels that are several times as fast as the one of any powers
        emitUnary(lowering, 'unary_log_f32', sums, sums, x.size)
        emitUnary(lowering, 'unary_affine_f32', sums, sums, x.size, -beta, 0)
        emitUnary(lowering, 'unary_exp_f32', sums, sums, x.size)
      } else {
        const power = { ref: lowering.table(new Float32Array([-beta])), dims: [] }
        emitBinary(lowering, 'binary_pow_f32', flat(sums), power, sums, [x.size])
      }
      return emitBinary(lowering, 'binary_mul_f32', flat(x.ref), flat(sums), y.ref, [x.size])
    },
  },
})

/** Most additions of neighbouring channels, of all images, that are worth writing as steps. */
const mostSteps = 4096

/** How many channels before and behind its own a channel takes in. */
function reachOf(size: number): [number, number] {
  return [Math.floor((size - 1) / 2), Math.ceil((size - 1) / 2)]
}

export const references = {
  LRN([x], attributes) {
    const { dims, type } = x!
    const { alpha, beta, bias, size } = attributes as Record<string, number>
    const channels = dims[1]
    const pixels = sizeOf(dims.slice(2))
    const [before, after] = reachOf(size)
    const data = numbersOf(x!)
    const values = Float64Array.from({ length: data.length }, (_, i) => {
      const channel = Math.floor(i / pixels) % channels
      const first = Math.max(0, channel - before)
      const last = Math.min(channels - 1, channel + after)
      let sum = 0
      for (let c = first; c <= last; c++) sum += data[i + (c - channel) * pixels] ** 2
      return data[i] / (bias + (alpha / size) * sum) ** beta
    })
    return [tensorOf(type, values, dims)]
  },
} satisfies Record<string, Reference>

export const samples = {
  LRN: (random): Sample[] => [
    { inputs: [floats(random, [2, 7, 3, 4])], attributes: { size: 3 } },
    { inputs: [floats(random, [1, 4, 6])], attributes: { size: 3, alpha: -1, beta: 2, bias: 1 } },
    { inputs: [floats(random, [2, 3, 5])], attributes: { size: 9, alpha: 2, beta: 1 } },
    { inputs: [floats(random, [1, 5, 2, 2])], attributes: { size: 4, alpha: 0.5, beta: 0.5, bias: 2 } },
  ],
} satisfies Record<string, Samples>
