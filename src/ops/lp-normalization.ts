// SPDX-License-Identifier: Apache-2.0
/**
 * LpNormalization: x / |x|_p along an axis, p 1 or 2, 0 where the norm is 0. MeanVarianceNormalization:
 * (x - mean) / sqrt(variance) over a set of axes, 1e-9 added to the deviation as ONNX's function body does.
 * https://onnx.ai/onnx/operators/onnx__LpNormalization.html, onnx__MeanVarianceNormalization.html
 */
import { normalizeAxis, stridesOf } from '../tensor/shape.ts'
import { type Reference, type Sample, type Samples, defineOps } from './define.ts'
import { axesOf, axisOf, needed } from './infer.ts'
import { offsetsOf } from './elements.ts'
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
  },
})

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
  ],
} satisfies Record<string, Samples>
