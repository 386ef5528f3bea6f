// SPDX-License-Identifier: Apache-2.0
/**
 * GridSample: an image of any number of spatial axes read at places given in [-1, 1], last axis first. Places between
 * pixels are interpolated; places outside read zeros, the border, or the image reflected.
 * https://onnx.ai/onnx/operators/onnx__GridSample.html
 */
import { roundHalfEven } from '../base/narrow-float.ts'
import { sizeOf, stridesOf } from '../tensor/shape.ts'
import { type Reference, type Sample, type Samples, defineOps } from './define.ts'
import { complaint, needed, printDims } from './infer.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { floats } from './sample-tensors.ts'

const modes = ['linear', 'nearest', 'cubic']
const paddings = ['zeros', 'border', 'reflection']

export const ops = defineOps({
  GridSample: {
    inputs: [2, 2],
    attributes: {
      align_corners: { kind: 'int', default: 0 },
      mode: { kind: 'string', default: 'linear' },
      padding_mode: { kind: 'string', default: 'zeros' },
    },
    numerics: { relative: 1e-5, absolute: 1e-5 },
    infer([x, grid], context) {
      const { dtype, dims } = needed(context, x, 'X')
      const places = needed(context, grid, 'grid').dims
      const { mode, padding_mode: padding } = context.attributes
      if (!modes.includes(mode as string)) throw complaint(context, `a mode of ${modes.join(', ')}`, String(mode))
      if (!paddings.includes(padding as string)) {
        throw complaint(context, `a padding_mode of ${paddings.join(', ')}`, String(padding))
      }
      if (dims === null || places === null) return [{ dtype, dims: null }]
      if (dims.length < 3 || places.length !== dims.length) {
        throw complaint(context, 'X and grid of one rank, at least 3', `${printDims(dims)} and ${printDims(places)}`)
      }
      return [{ dtype, dims: [dims[0], dims[1], ...places.slice(1, -1)] }]
    },
  },
})

/** Reflects a place into [low, high]. */
function reflected(x: number, low: number, high: number): number {
  const range = high - low
  if (range === 0) return low
  const away = Math.abs(x - low) % (2 * range)
  return low + (away > range ? 2 * range - away : away)
}

/** A pixel of an axis, or -1 for one that reads zero. */
function pixelOf(at: number, size: number, padding: string, aligned: boolean): number {
  if (at >= 0 && at < size) return at
  if (padding === 'zeros') return -1
  const inside = padding === 'border' ? at : reflected(at, aligned ? 0 : -0.5, aligned ? size - 1 : size - 0.5)
  return Math.min(Math.max(Math.trunc(inside), 0), size - 1)
}

/** Weights of the four pixels around a place with this fraction: Keys' kernel with a = -0.75. */
function cubicWeights(t: number): number[] {
  const a = -0.75
  const near = (x: number): number => ((a + 2) * x - (a + 3)) * x * x + 1
  const far = (x: number): number => ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
  return [far(t + 1), near(t), near(1 - t), far(2 - t)]
}

/** Pixels and weights of a place along an axis. */
function tapsOf(place: number, mode: string): { readonly first: number; readonly weights: readonly number[] } {
  if (mode === 'nearest') return { first: roundHalfEven(place), weights: [1] }
  const below = Math.floor(place)
  const t = place - below
  return mode === 'cubic' ? { first: below - 1, weights: cubicWeights(t) } : { first: below, weights: [1 - t, t] }
}

export const references = {
  GridSample: ([x, grid], attributes) => {
    const aligned = attributes.align_corners === 1
    const [mode, padding] = [attributes.mode as string, attributes.padding_mode as string]
    const [batch, channels, ...space] = x!.dims
    const out = grid!.dims.slice(1, -1)
    const [plane, count, rank] = [sizeOf(space), sizeOf(out), space.length]
    const strides = stridesOf(space)
    const [data, places] = [numbersOf(x!), numbersOf(grid!)]
    const result = new Float64Array(batch * channels * count)
    for (let n = 0; n < batch; n++) {
      for (let i = 0; i < count; i++) {
        // offsets (-1: zero) and weights of all pixels around the place, axis by axis
        let taps: (readonly [number, number])[] = [[0, 1]]
        for (let axis = 0; axis < rank; axis++) {
          const size = space[axis]
          const given = places[(n * count + i) * rank + rank - 1 - axis]
          const wanted = aligned ? ((given + 1) / 2) * (size - 1) : ((given + 1) * size - 1) / 2
          const [low, high] = aligned ? [0, size - 1] : [-0.5, size - 0.5]
          const clamped = Math.min(Math.max(wanted, 0), size - 1)
          const place =
            padding === 'border' ? clamped : padding === 'reflection' ? reflected(wanted, low, high) : wanted
          const { first, weights } = tapsOf(mode === 'cubic' ? wanted : place, mode)
          taps = taps.flatMap(([offset, weight]) =>
            weights.map((w, k): readonly [number, number] => {
              const pixel = pixelOf(first + k, size, padding, aligned)
              return [offset < 0 || pixel < 0 ? -1 : offset + pixel * strides[axis], weight * w]
            }),
          )
        }
        for (let c = 0; c < channels; c++) {
          let sum = 0
          for (const [offset, weight] of taps)
            if (offset >= 0) sum += weight * data[(n * channels + c) * plane + offset]
          result[(n * channels + c) * count + i] = sum
        }
      }
    }
    return [tensorOf(x!.type, result, [batch, channels, ...out])]
  },
} satisfies Record<string, Reference>

export const samples = {
  GridSample: (random): Sample[] => {
    const inputs = [floats(random, [2, 3, 4, 5]), floats(random, [2, 3, 2, 2], -1.4, 1.4)]
    const volume = [floats(random, [1, 2, 3, 4, 5]), floats(random, [1, 2, 2, 3, 3], -1.2, 1.2)]
    return [
      ...modes.flatMap((mode) => paddings.map((padding) => ({ inputs, attributes: { mode, padding_mode: padding } }))),
      { inputs, attributes: { align_corners: 1, padding_mode: 'reflection' } },
      { inputs: volume },
    ]
  },
} satisfies Record<string, Samples>
