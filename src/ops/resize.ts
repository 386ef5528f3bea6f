// SPDX-License-Identifier: Apache-2.0
/**
 * Resize: an image resampled axis by axis, to given sizes or by given scales; nearest, linear and cubic, with and
 * without antialiasing. Which input positions an output position is made of is interpolation.ts.
 * https://onnx.ai/onnx/operators/onnx__Resize.html
 */
import { GraphError, UnsupportedError } from '../base/errors.ts'
import * as dim from '../ir/dim.ts'
import type { Dim } from '../ir/dim.ts'
import { sizeOf } from '../tensor/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import {
  type Attributes,
  type OpContext,
  type Reference,
  type Sample,
  type Samples,
  type ValueInfo,
  defineOps,
} from './define.ts'
import { axesOf, complaint, contentOf, needed, unknownDims } from './infer.ts'
import {
  type AxisPlan,
  type AxisRule,
  type ResizedAxis,
  axisTaps,
  coordinateModes,
  nearestModes,
} from './interpolation.ts'
import { lowerResize } from './lower-resize.ts'
import { integersOf, isFloat } from './elements.ts'
import { numbersOf, saturate, tensorOf } from './numeric.ts'
import { floats, longs } from './sample-tensors.ts'

const policies = ['stretch', 'not_larger', 'not_smaller']

function oneOf(context: OpContext, name: string, names: readonly string[]): void {
  const value = context.attributes[name] as string
  if (!names.includes(value)) throw complaint(context, `an attribute ${name} of ${names.join(', ')}`, value)
}

/** What a scale makes of a dim: exact for whole scales and their inverses, else unknown where the dim is. */
function scaled(d: Dim, scale: number, fallback: Dim): Dim {
  if (dim.isKnown(d)) return Math.floor(d * scale)
  if (Number.isInteger(scale)) return dim.mul(d, scale)
  return Number.isInteger(1 / scale) ? dim.floorDiv(d, 1 / scale) : fallback
}

function inferDims(inputs: readonly (ValueInfo | null)[], context: OpContext): Dim[] | null {
  const { dims } = needed(context, inputs[0], 'X')
  if (dims === null) return null
  const given = context.attributes.axes as number[] | undefined
  const axes = given ? axesOf(context, given, dims.length) : dims.map((_, axis) => axis)
  const fresh = unknownDims(context, dims.length)
  const result = dims.map((d, axis) => (axes.includes(axis) ? fresh[axis] : d))
  const scales = inputs[2]?.tensor
  const sizes = inputs[3] ? contentOf(inputs[3]) : null
  if (scales && scales.size > 0) {
    if (scales.size !== axes.length) throw complaint(context, `${axes.length} scales`, String(scales.size))
    const values = numbersOf(scales)
    axes.forEach((axis, i) => {
      if (!(values[i] > 0 && values[i] < Infinity)) throw complaint(context, 'scales above 0', String(values[i]))
      result[axis] = scaled(dims[axis], values[i], fresh[axis])
    })
  } else if (sizes !== null && sizes.length > 0) {
    if (sizes.length !== axes.length) throw complaint(context, `${axes.length} sizes`, String(sizes.length))
    const policy = context.attributes.keep_aspect_ratio_policy
    if (policy === 'stretch') axes.forEach((axis, i) => (result[axis] = sizes[i]))
    else if (dim.areKnown(sizes) && dim.areKnown(dims)) {
      const plan = planOf(dims, axes, null, sizes, policy as string)
      axes.forEach((axis, i) => (result[axis] = plan[i].output))
    }
  }
  return result
}

function planOf(
  dims: readonly number[],
  axes: readonly number[],
  scales: ArrayLike<number> | null,
  sizes: readonly number[] | null,
  policy: string,
): AxisPlan[] {
  if (scales !== null) {
    return axes.map((axis, i) => ({ axis, scale: scales[i], output: Math.floor(dims[axis] * scales[i]) }))
  }
  const ratios = axes.map((axis, i) => sizes![i] / dims[axis])
  if (policy === 'stretch') return axes.map((axis, i) => ({ axis, scale: ratios[i], output: sizes![i] }))
  const scale = policy === 'not_larger' ? Math.min(...ratios) : Math.max(...ratios)
  return axes.map((axis) => ({ axis, scale, output: Math.floor(dims[axis] * scale + 0.5) }))
}

/**
 * The axes that a node resamples, those left as they are dropped.
 * @throws GraphError when neither scales nor sizes are given, or not one for each axis
 */
export function resizedAxes(
  dims: readonly number[],
  attributes: Attributes,
  [roi, scales, sizes]: readonly (Tensor | null | undefined)[],
): ResizedAxis[] {
  const axes = ((attributes.axes as number[] | undefined) ?? [...dims.keys()]).map((axis) =>
    axis < 0 ? axis + dims.length : axis,
  )
  const factors = scales && scales.size > 0 ? numbersOf(scales) : null
  const wanted = sizes && sizes.size > 0 ? integersOf(sizes) : null
  const count = (factors ?? wanted)?.length
  if (count !== axes.length) {
    throw new GraphError({
      where: 'scales or sizes',
      expected: `${axes.length} numbers`,
      got: count === undefined ? 'neither' : String(count),
    })
  }
  if (factors !== null && !Array.from(factors).every((v) => v > 0 && v < Infinity)) {
    throw new GraphError({ where: 'scales', expected: 'numbers above 0', got: Array.from(factors).join(', ') })
  }
  const region = roi && roi.size === 2 * axes.length ? numbersOf(roi) : null
  const plan = planOf(dims, axes, factors, wanted, attributes.keep_aspect_ratio_policy as string)
  return plan.flatMap((one, i) => {
    const rule: AxisRule = {
      mode: attributes.mode as string,
      coordinates: attributes.coordinate_transformation_mode as string,
      nearest: attributes.nearest_mode as string,
      cubicA: attributes.cubic_coeff_a as number,
      antialias: attributes.antialias === 1,
      excludeOutside: attributes.exclude_outside === 1,
      roi: region ? [region[i], region[i + axes.length]] : [0, 1],
    }
    const cropped = rule.coordinates === 'tf_crop_and_resize' && (rule.roi[0] !== 0 || rule.roi[1] !== 1)
    if (one.scale === 1 && one.output === dims[one.axis] && !cropped) return []
    return [{ ...one, taps: axisTaps(dims[one.axis], one.output, one.scale, rule) }]
  })
}

export const ops = defineOps({
  Resize: {
    inputs: [1, 4],
    attributes: {
      antialias: { kind: 'int', default: 0 },
      axes: { kind: 'ints' },
      coordinate_transformation_mode: { kind: 'string', default: 'half_pixel' },
      cubic_coeff_a: { kind: 'float', default: -0.75 },
      exclude_outside: { kind: 'int', default: 0 },
      extrapolation_value: { kind: 'float', default: 0 },
      keep_aspect_ratio_policy: { kind: 'string', default: 'stretch' },
      mode: { kind: 'string', default: 'nearest' },
      nearest_mode: { kind: 'string', default: 'round_prefer_floor' },
    },
    numerics: { relative: 1e-5, absolute: 1e-5 },
    infer(inputs, context) {
      oneOf(context, 'mode', ['nearest', 'linear', 'cubic'])
      oneOf(context, 'coordinate_transformation_mode', coordinateModes)
      oneOf(context, 'nearest_mode', nearestModes)
      oneOf(context, 'keep_aspect_ratio_policy', policies)
      return [{ dtype: needed(context, inputs[0], 'X').dtype, dims: inferDims(inputs, context) }]
    },
    lower(lowering, { attributes }) {
      const tensors = [1, 2, 3].map((i) => lowering.input(i))
      if (tensors.some((operand) => operand !== null && operand.size > 0 && operand.tensor === undefined)) return false
      const x = lowering.input(0)!
      if (x.size === 0 || lowering.output(0).size === 0) return false
      const axes = resizedAxes(
        x.dims,
        attributes,
        tensors.map((operand) => operand?.tensor),
      )
      return lowerResize(lowering, axes)
    },
  },
})

/** Most elements after an axis: the result may be smaller again. */
const maxElements = 2 ** 24

/** Resamples one axis of a dense array. @throws UnsupportedError when that makes it too large */
function resample(data: Float64Array, dims: readonly number[], one: ResizedAxis, fill: number): Float64Array {
  const inner = sizeOf(dims.slice(one.axis + 1))
  const outer = sizeOf(dims.slice(0, one.axis))
  const input = dims[one.axis]
  const { count, indices, weights, outside } = one.taps
  const size = outer * one.output * inner
  if (!(size <= maxElements)) {
    const expected = `at most ${maxElements} elements between two axes`
    throw new UnsupportedError({ where: 'resampling', expected, got: String(size) })
  }
  const result = new Float64Array(size)
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < one.output; i++) {
      const to = (o * one.output + i) * inner
      if (outside[i] === 1) {
        result.fill(fill, to, to + inner)
        continue
      }
      for (let k = 0; k < count; k++) {
        const weight = weights[i * count + k]
        const from = (o * input + indices[i * count + k]) * inner
        if (weight === 0) continue
        for (let j = 0; j < inner; j++) result[to + j] += weight * data[from + j]
      }
    }
  }
  return result
}

export const references = {
  Resize: ([x, roi, scales, sizes], attributes) => {
    let data = Float64Array.from(numbersOf(x!))
    let dims: readonly number[] = x!.dims
    for (const one of resizedAxes(dims, attributes, [roi, scales, sizes])) {
      data = resample(data, dims, one, attributes.extrapolation_value as number) as typeof data
      dims = dims.map((d, axis) => (axis === one.axis ? one.output : d))
    }
    const values = isFloat(x!.type) ? data : data.map((v) => saturate(x!.type, v))
    return [tensorOf(x!.type, values, dims)]
  },
} satisfies Record<string, Reference>

const scale = (...values: number[]): Tensor => new Tensor('float32', values)

export const samples = {
  Resize: (random): Sample[] => {
    const image = floats(random, [2, 3, 4, 5])
    const by = (...values: number[]): (Tensor | null)[] => [image, null, scale(...values)]
    const to = (...values: number[]): (Tensor | null)[] => [image, null, null, longs(...values)]
    return [
      { inputs: by(1, 1, 2, 2) },
      { inputs: by(1, 1, 2, 2), attributes: { coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' } },
      { inputs: by(1, 1, 0.6, 1.7) },
      { inputs: by(1, 1, 2, 2), attributes: { mode: 'linear' } },
      { inputs: to(2, 3, 7, 3), attributes: { mode: 'linear', coordinate_transformation_mode: 'align_corners' } },
      { inputs: to(2, 3, 3, 9), attributes: { mode: 'linear', antialias: 1 } },
      { inputs: to(2, 3, 9, 9), attributes: { mode: 'cubic', exclude_outside: 1 } },
      { inputs: to(8, 8), attributes: { mode: 'linear', axes: [2, 3], keep_aspect_ratio_policy: 'not_larger' } },
      { inputs: to(2, 3, 4, 5), attributes: { mode: 'linear' } },
      {
        inputs: [image, scale(0.2, -0.1, 0.9, 1.2), null, longs(6, 6)],
        attributes: { axes: [2, 3], mode: 'linear', coordinate_transformation_mode: 'tf_crop_and_resize' },
      },
      { inputs: [new Tensor('uint8', [1, 2, 3, 4], [1, 1, 2, 2]), null, scale(1, 1, 2, 3)] },
      { inputs: [floats(random, [1, 4, 6, 8]), null, scale(1, 1, 2, 2)], attributes: { axes: [0, 3, 1, 2] } },
    ]
  },
} satisfies Record<string, Samples>
