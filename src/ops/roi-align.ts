// SPDX-License-Identifier: Apache-2.0
/**
 * RoiAlign: regions of an image, bilinearly sampled in the middle of the cells of a grid, averaged (or the largest corner
 * taken, each times its weight, as ONNX Runtime does). https://onnx.ai/onnx/operators/onnx__RoiAlign.html
 */
import { GraphError, UnsupportedError } from '../base/errors.ts'
import { type Attributes, type Reference, type Sample, type Samples, defineOps } from './define.ts'
import { complaint, needed, printDims } from './infer.ts'
import { integersOf } from './elements.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { floats, integers } from './sample-tensors.ts'

export const ops = defineOps({
  RoiAlign: {
    inputs: [3, 3],
    attributes: {
      coordinate_transformation_mode: { kind: 'string', default: 'half_pixel' },
      mode: { kind: 'string', default: 'avg' },
      output_height: { kind: 'int', default: 1 },
      output_width: { kind: 'int', default: 1 },
      sampling_ratio: { kind: 'int', default: 0 },
      spatial_scale: { kind: 'float', default: 1 },
    },
    numerics: { relative: 1e-5, absolute: 1e-6 },
    infer([info, rois, batches], context) {
      const x = needed(context, info, 'X')
      const regions = needed(context, rois, 'rois')
      needed(context, batches, 'batch_indices')
      const { output_height: height, output_width: width } = context.attributes as Record<string, number>
      if (x.dims !== null && x.dims.length !== 4) throw complaint(context, 'X of dims [N, C, H, W]', printDims(x.dims))
      if (
        regions.dims !== null &&
        (regions.dims.length !== 2 || (regions.dims[1] !== 4 && typeof regions.dims[1] === 'number'))
      )
        throw complaint(context, 'rois of dims [count, 4]', printDims(regions.dims))
      if (height < 0 || width < 0) throw complaint(context, 'output sizes >= 0', `${height} and ${width}`)
      if (x.dims === null || regions.dims === null) return [{ dtype: x.dtype, dims: null }]
      return [{ dtype: x.dtype, dims: [regions.dims[0], x.dims[1], height, width] }]
    },
  },
})

/** The four corners around a point and their weights; none outside the image. */
function cornersOf(
  y: number,
  x: number,
  height: number,
  width: number,
): readonly (readonly [at: number, weight: number])[] {
  if (y < -1 || y > height || x < -1 || x > width) return []
  const [down, right] = [Math.max(y, 0), Math.max(x, 0)]
  const [top, left] = [Math.min(Math.floor(down), height - 1), Math.min(Math.floor(right), width - 1)]
  const [bottom, far] = [Math.min(top + 1, height - 1), Math.min(left + 1, width - 1)]
  const [v, u] = [top === height - 1 ? 0 : down - top, left === width - 1 ? 0 : right - left]
  return [
    [top * width + left, (1 - v) * (1 - u)],
    [top * width + far, (1 - v) * u],
    [bottom * width + left, v * (1 - u)],
    [bottom * width + far, v * u],
  ]
}

/** Samples of a cell along one axis. */
const mostSamples = 1024

function samplesOf(start: number, size: number, cells: number, given: number): (cell: number) => number[] {
  const bin = size / cells
  const count = given > 0 ? given : Math.max(0, Math.ceil(bin))
  if (!(count <= mostSamples)) {
    throw new UnsupportedError({
      where: 'RoiAlign',
      expected: `at most ${mostSamples} points a cell`,
      got: String(count),
    })
  }
  return (cell) => Array.from({ length: count }, (_, i) => start + cell * bin + ((i + 0.5) * bin) / count)
}

function pooled(x: ArrayLike<number>, plane: number, corners: ReturnType<typeof cornersOf>[], mode: unknown): number {
  if (mode === 'max') {
    const values = corners.map((four) =>
      four.reduce((most, [at, weight]) => Math.max(most, x[plane + at] * weight), four.length > 0 ? -Infinity : 0),
    )
    return values.length === 0 ? 0 : values.reduce((a, b) => Math.max(a, b))
  }
  const total = corners.reduce((sum, four) => four.reduce((s, [at, weight]) => s + x[plane + at] * weight, sum), 0)
  return total / Math.max(1, corners.length)
}

export const references = {
  RoiAlign: ([x, rois, batches], attributes: Attributes) => {
    const [, channels, height, width] = x!.dims
    const {
      output_height: rows,
      output_width: cols,
      sampling_ratio: ratio,
      spatial_scale: scale,
    } = attributes as Record<string, number>
    const mode = attributes.coordinate_transformation_mode
    const [values, regions, owners] = [numbersOf(x!), numbersOf(rois!), integersOf(batches!)]
    const offset = mode === 'half_pixel' ? 0.5 : 0
    if (owners.length !== rois!.dims[0] || owners.some((owner) => owner < 0 || owner >= x!.dims[0])) {
      const expected = `${rois!.dims[0]} integers in [0, ${x!.dims[0]})`
      throw new GraphError({ where: 'batch_indices', expected, got: owners.slice(0, 9).join(', ') })
    }
    const result: number[] = []
    for (let r = 0; r < rois!.dims[0]; r++) {
      const [left, top, right, bottom] = [0, 1, 2, 3].map((i) => regions[4 * r + i] * scale - offset)
      const least = mode === 'half_pixel' ? -Infinity : 1
      const down = samplesOf(top, Math.max(bottom - top, least), rows, ratio)
      const across = samplesOf(left, Math.max(right - left, least), cols, ratio)
      for (let c = 0; c < channels; c++) {
        const plane = (owners[r] * channels + c) * height * width
        for (let i = 0; i < rows; i++) {
          for (let j = 0; j < cols; j++) {
            const corners = down(i).flatMap((v) => across(j).map((u) => cornersOf(v, u, height, width)))
            result.push(pooled(values, plane, corners, attributes.mode))
          }
        }
      }
    }
    return [tensorOf(x!.type, result, [rois!.dims[0], channels, rows, cols])]
  },
} satisfies Record<string, Reference>

export const samples = {
  RoiAlign: (random): Sample[] => [
    {
      inputs: [floats(random, [2, 3, 9, 8]), floats(random, [4, 4], 0, 8), integers(random, [4], 0, 1, 'int64')],
      attributes: { output_height: 3, output_width: 2, sampling_ratio: 2 },
    },
    {
      inputs: [floats(random, [1, 2, 9, 8]), floats(random, [2, 4], 0, 8), integers(random, [2], 0, 0, 'int64')],
      attributes: { mode: 'max', coordinate_transformation_mode: 'output_half_pixel', spatial_scale: 0.5 },
    },
  ],
} satisfies Record<string, Samples>
