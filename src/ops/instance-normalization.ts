// SPDX-License-Identifier: Apache-2.0
/**
 * InstanceNormalization and GroupNormalization, channels first: the pixels of a channel, or of a group of channels of
 * one image, are normalised together, then scaled and shifted by one number per channel (GroupNormalization below
 * opset 21: per group). Variances are those of the population.
 * https://onnx.ai/onnx/operators/onnx__InstanceNormalization.html, onnx__GroupNormalization.html
 */
import { equal, isKnown } from '../ir/dim.ts'
import { sizeOf } from '../tensor/shape.ts'
import { type OpContext, type Reference, type Sample, type Samples, type ValueInfo, defineOps } from './define.ts'
import { complaint, needed, printDims } from './infer.ts'
import { emitChannelAffine } from './lower-affine.ts'
import { isFloat32 } from './lower-elementwise.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { floats } from './sample-tensors.ts'

function inferNorm(context: OpContext, inputs: readonly (ValueInfo | null)[], groups: number | null): ValueInfo[] {
  const x = needed(context, inputs[0], 'X')
  if (x.dims !== null) {
    if (x.dims.length < 3) throw complaint(context, 'X of rank >= 3', printDims(x.dims))
    const channels = x.dims[1]
    if (groups !== null && (groups < 1 || (isKnown(channels) && channels % groups !== 0))) {
      throw complaint(
        context,
        `channels that divide into groups, at least one`,
        `${printDims([channels])} into ${groups}`,
      )
    }
    const allowed = groups === null ? [channels] : [channels, groups]
    for (const info of [needed(context, inputs[1], 'scale'), needed(context, inputs[2], 'bias')]) {
      const size = info.dims?.length === 1 ? info.dims[0] : null
      if (info.dims === null || (size !== null && !(isKnown(size) && isKnown(channels)))) continue
      if (size === null || !allowed.some((d) => equal(d, size))) {
        throw complaint(context, `scale and bias of dims ${printDims([channels])}`, printDims(info.dims))
      }
    }
  }
  return [{ dtype: x.dtype, dims: x.dims }]
}

export const ops = defineOps({
  GroupNormalization: {
    inputs: [3, 3],
    attributes: {
      epsilon: { kind: 'float', default: 1e-5 },
      num_groups: { kind: 'int', required: true },
      stash_type: { kind: 'int', default: 1 },
    },
    numerics: { relative: 1e-4, absolute: 1e-5 },
    infer: (inputs, context) => inferNorm(context, inputs, context.attributes.num_groups as number),
    lower(lowering, { attributes }) {
      const [x, scale, bias] = [0, 1, 2].map((i) => lowering.input(i)!)
      if (!isFloat32(x, scale, bias) || scale.size !== x.dims[1] || bias.size !== x.dims[1]) return false
      if (x.size === 0) return true
      const rows = x.dims[0] * (attributes.num_groups as number)
      const y = lowering.output(0).ref
      const args = {
        x: x.ref,
        y,
        scale: null,
        bias: null,
        rows,
        cols: x.size / rows,
        epsilon: attributes.epsilon as number,
      }
      lowering.step({ kernel: 'layer_norm_f32', units: rows, args })
      return emitChannelAffine(lowering, y, y, x.dims, scale.ref, bias.ref)
    },
  },
  InstanceNormalization: {
    inputs: [3, 3],
    attributes: { epsilon: { kind: 'float', default: 1e-5 } },
    numerics: { relative: 1e-4, absolute: 1e-5 },
    infer: (inputs, context) => inferNorm(context, inputs, null),
    lower(lowering, { attributes }) {
      const [x, scale, bias] = [0, 1, 2].map((i) => lowering.input(i)!)
      if (!isFloat32(x, scale, bias)) return false
      if (x.size === 0) return true
      const channels = x.dims[1]
      const rows = x.dims[0] * channels
      const sizes = { rows, cols: x.size / rows, channels, epsilon: attributes.epsilon as number }
      const args = { x: x.ref, y: lowering.output(0).ref, scale: scale.ref, bias: bias.ref, ...sizes }
      lowering.step({ kernel: 'instance_norm_f32', units: rows, args })
      return true
    },
  },
})

function normalize(groupsOf: (channels: number, groups: number) => number): Reference {
  return ([x, scale, bias], attributes) => {
    const { dims, type } = x!
    const [images, channels] = dims
    const pixels = sizeOf(dims.slice(2))
    const groups = groupsOf(channels, attributes.num_groups as number)
    const values = Float64Array.from(numbersOf(x!))
    const run = (channels / groups) * pixels
    const [factors, shifts] = [numbersOf(scale!), numbersOf(bias!)]
    // one entry per channel, or per group in older opsets
    const share = channels / factors.length
    for (let row = 0; row < images * groups; row++) {
      const part = values.subarray(row * run, (row + 1) * run)
      const mean = part.reduce((sum, v) => sum + v, 0) / run
      const variance = part.reduce((sum, v) => sum + (v - mean) ** 2, 0) / run
      const inverse = 1 / Math.sqrt(variance + (attributes.epsilon as number))
      part.forEach((v, i) => {
        const channel = (row % groups) * (channels / groups) + Math.floor(i / pixels)
        const at = Math.floor(channel / share)
        part[i] = (v - mean) * inverse * factors[at] + shifts[at]
      })
    }
    return [tensorOf(type, values, dims)]
  }
}

export const references = {
  GroupNormalization: normalize((_, groups) => groups),
  InstanceNormalization: normalize((channels) => channels),
} satisfies Record<string, Reference>

export const samples = {
  GroupNormalization: (random): Sample[] => [
    { inputs: [floats(random, [2, 4, 3, 5]), floats(random, [4]), floats(random, [4])], attributes: { num_groups: 2 } },
    {
      inputs: [floats(random, [1, 6, 7]), floats(random, [6]), floats(random, [6])],
      attributes: { num_groups: 6, epsilon: 0.01 },
    },
    { inputs: [floats(random, [1, 6, 7]), floats(random, [3]), floats(random, [3])], attributes: { num_groups: 3 } },
  ],
  InstanceNormalization: (random): Sample[] => [
    { inputs: [floats(random, [2, 3, 4, 5]), floats(random, [3]), floats(random, [3])] },
    { inputs: [floats(random, [1, 4, 9]), floats(random, [4]), floats(random, [4])], attributes: { epsilon: 0.01 } },
  ],
} satisfies Record<string, Samples>
