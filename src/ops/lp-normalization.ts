// SPDX-License-Identifier: Apache-2.0
/**
 * LpNormalization: x / |x|_p along an axis, p 1 or 2, 0 where the norm is 0. MeanVarianceNormalization:
 * (x - mean) / sqrt(variance) over a set of axes, 1e-9 added to the deviation as ONNX's function body does. Sums of squares
 * are float32 as there: above 1.8e19 a norm or a deviation is infinite, and what is divided by it 0.
 * https://onnx.ai/onnx/operators/onnx__LpNormalization.html, onnx__MeanVarianceNormalization.html
 */
import { normalizeAxis, sizeOf, stridesOf } from '../tensor/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import { type Reference, type Sample, type Samples, defineOps } from './define.ts'
import { axesOf, axisOf, needed } from './infer.ts'
import { offsetsOf } from './elements.ts'
import { emitBinary, emitUnary, isFloat32 } from './lower-elementwise.ts'
import { emitReduce, gatherReduced } from './lower-reduce.ts'
import type { Ref } from './lower.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { floats } from './sample-tensors.ts'

export const ops = defineOps({
  LpNormalization: {
    inputs: [1, 1],
    attributes: { axis: { kind: 'int', default: -1 }, p: { kind: 'int', default: 2 } },
    numerics: { relative: 1e-5, absolute: 1e-6 },
    infer([info], context) {
      const { dtype, dims } = needed(context, info, 'input')
      if (dims !== null) axisOf(context, context.attributes.axis as number, dims.length)
      return [{ dtype, dims }]
    },
    lower(lowering, { attributes: { axis, p } }) {
      const [x, y] = [lowering.input(0)!, lowering.output(0)]
      if (!isFloat32(x)) return false
      if (x.size === 0) return true
      const at = normalizeAxis(axis as number, x.dims.length)
      const [outer, reduce, inner] = [sizeOf(x.dims.slice(0, at)), x.dims[at], sizeOf(x.dims.slice(at + 1))]
      const norms = { ref: lowering.scratch(outer * inner * 4), dims: [outer, 1, inner] }
      emitReduce(lowering, p === 1 ? 'l1' : 'l2', x.ref, norms.ref, { outer, reduce, inner })
      const least = { ref: lowering.table(new Float32Array([p === 1 ? leastL1 : leastL2])), dims: [] }
      emitBinary(lowering, 'binary_max_f32', norms, least, norms.ref, norms.dims)
      const dims = [outer, reduce, inner]
      return emitBinary(lowering, 'binary_div_f32', { ref: x.ref, dims }, norms, y.ref, dims)
    },
  },
  MeanVarianceNormalization: {
    inputs: [1, 1],
    attributes: { axes: { kind: 'ints', default: [0, 2, 3] } },
    numerics: { relative: 1e-5, absolute: 1e-6 },
    infer([info], context) {
      const { dtype, dims } = needed(context, info, 'X')
      if (dims !== null) axesOf(context, context.attributes.axes as number[], dims.length)
      return [{ dtype, dims }]
    },
    lower(lowering, { attributes }) {
      const [x, y] = [lowering.input(0)!, lowering.output(0)]
      if (!isFloat32(x)) return false
      if (x.size === 0) return true
      const { dims } = x
      const axes = (attributes.axes as number[]).map((axis) => normalizeAxis(axis, dims.length))
      const few = dims.map((d, axis) => (axes.includes(axis) ? 1 : d))
      const groups = sizeOf(few)
      const result = { ref: lowering.scratch(groups * 4), dims: few }
      const over = (reduction: 'mean' | 'sumSquare', ref: Ref): boolean => {
        const gathered = gatherReduced(lowering, ref, dims, axes)
        if (gathered) emitReduce(lowering, reduction, gathered.x, result.ref, gathered.shape)
        return gathered !== null
      }
      const centre = (ref: Ref): boolean =>
        over('mean', ref) && emitBinary(lowering, 'binary_sub_f32', { ref, dims }, result, y.ref, dims)
      // twice: what rounding left of the mean would be all there is of a group whose elements are alike
      if (!centre(x.ref) || !centre(y.ref) || !over('sumSquare', y.ref)) return false
      emitUnary(lowering, 'unary_affine_f32', result.ref, result.ref, groups, groups / x.size, 0)
      emitUnary(lowering, 'unary_sqrt_f32', result.ref, result.ref, groups)
      emitUnary(lowering, 'unary_affine_f32', result.ref, result.ref, groups, 1, 1e-9)
      return emitBinary(lowering, 'binary_div_f32', { ref: y.ref, dims }, result, y.ref, dims)
    },
  },
})

/** Least norms of elements that are not all zero, in float32: a group of zeros is divided by it. Smaller squares are 0. */
const [leastL1, leastL2] = [2 ** -149, 2 ** -75]

/** Replaces the elements that differ only in `axes` by what `map` makes of them, group by group. */
function overAxes(x: Parameters<Reference>[0][0], axes: readonly number[], map: (values: number[]) => number[]) {
  const { dims, type } = x!
  const strides = stridesOf(dims)
  const kept = [...dims.keys()].filter((axis) => !axes.includes(axis))
  const offsets = (of: readonly number[]): Int32Array =>
    offsetsOf(
      of.map((axis) => dims[axis]),
      of.map((axis) => strides[axis]),
    )
  const steps = offsets(axes)
  const values = Float64Array.from(numbersOf(x!))
  for (const start of offsets(kept)) {
    const results = map(Array.from(steps, (step) => values[start + step]))
    steps.forEach((step, i) => (values[start + step] = results[i]))
  }
  return [tensorOf(type, values, dims)]
}

const mean = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length

export const references = {
  LpNormalization([x], { axis, p }) {
    return overAxes(x, [normalizeAxis(axis as number, x!.dims.length)], (values) => {
      const norm =
        p === 1 ? values.reduce((sum, v) => sum + Math.abs(v), 0) : Math.sqrt(values.reduce((sum, v) => sum + v * v, 0))
      return values.map((v) => (norm === 0 ? 0 : v / norm))
    })
  },
  MeanVarianceNormalization([x], { axes }) {
    return overAxes(
      x,
      (axes as number[]).map((axis) => normalizeAxis(axis, x!.dims.length)),
      (values) => {
        const centre = mean(values)
        const deviation = Math.sqrt(mean(values.map((v) => (v - centre) ** 2))) + 1e-9
        return values.map((v) => (v - centre) / deviation)
      },
    )
  },
} satisfies Record<string, Reference>

export const samples = {
  LpNormalization: (random): Sample[] => [
    { inputs: [floats(random, [3, 5])] },
    { inputs: [floats(random, [2, 4, 3])], attributes: { axis: 1, p: 1 } },
    { inputs: [floats(random, [2, 3], 0, 0)] },
  ],
  MeanVarianceNormalization: (random): Sample[] => [
    { inputs: [floats(random, [2, 3, 4, 5])] },
    { inputs: [floats(random, [4, 6])], attributes: { axes: [1] } },
    { inputs: [new Tensor('float32', new Float32Array(21).fill(0.1), [3, 7])], attributes: { axes: [-1] } },
  ],
} satisfies Record<string, Samples>
