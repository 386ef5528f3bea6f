// SPDX-License-Identifier: Apache-2.0
/**
 * Resampling of one axis as taps: every output position is a weighted sum of `count` input positions. A resize of an
 * image is this done axis by axis. Positions outside are clamped to the border; weights of a position sum to 1. The
 * formulas are those of https://onnx.ai/onnx/operators/onnx__Resize.html.
 */
import { UnsupportedError } from '../base/errors.ts'

/** Taps of an axis: output i is the sum over k of weights[i * count + k] * input[indices[i * count + k]]. */
export interface AxisTaps {
  readonly count: number
  readonly indices: Int32Array
  readonly weights: Float64Array
  /** 1 where tf_crop_and_resize leaves the image and the extrapolation value is taken. */
  readonly outside: Uint8Array
}

/** An axis that changes: its scale and output size. */
export interface AxisPlan {
  readonly axis: number
  readonly scale: number
  readonly output: number
}

/** An axis with its taps. */
export interface ResizedAxis extends AxisPlan {
  readonly taps: AxisTaps
}

/** How an axis is resampled. */
export interface AxisRule {
  readonly mode: string
  readonly coordinates: string
  readonly nearest: string
  readonly cubicA: number
  readonly antialias: boolean
  readonly excludeOutside: boolean
  /** Start and end of the region of interest, as fractions of the axis. */
  readonly roi: readonly [number, number]
}

interface Axis {
  readonly input: number
  readonly output: number
  readonly scale: number
  readonly roi: readonly [number, number]
}

/** Length of the output before it is cut to a whole number; nearly whole where sizes are given. */
function lengthOf({ input, output, scale }: Axis): number {
  const length = scale * input
  return Math.abs(length - output) < 1e-4 ? output : length
}

const halfPixel = (x: number, { scale }: Axis): number => (x + 0.5) / scale - 0.5

/** Place in the input of output position x, by coordinate_transformation_mode. */
const coordinates: Readonly<Record<string, (x: number, axis: Axis) => number>> = {
  half_pixel: halfPixel,
  align_corners: (x, axis) => (axis.output === 1 ? 0 : (x * (axis.input - 1)) / (lengthOf(axis) - 1)),
  asymmetric: (x, { scale }) => x / scale,
  half_pixel_symmetric: (x, axis) => {
    const adjustment = axis.output / (axis.scale * axis.input)
    return (axis.input / 2) * (1 - adjustment) + halfPixel(x, axis)
  },
  pytorch_half_pixel: (x, axis) => (axis.output === 1 ? -0.5 : halfPixel(x, axis)),
  tf_crop_and_resize: (x, axis) => {
    const [start, end] = axis.roi
    const last = axis.input - 1
    if (axis.output === 1) return ((start + end) * last) / 2
    return start * last + (x * (end - start) * last) / (lengthOf(axis) - 1)
  },
  tf_half_pixel_for_nn: (x, { scale }) => (x + 0.5) / scale,
}

/** Names of the coordinate transformations. */
export const coordinateModes: readonly string[] = Object.keys(coordinates)

/** Position that nearest_mode takes for a place between two. */
const nearests: Readonly<Record<string, (place: number, scale: number) => number>> = {
  round_prefer_floor: (place) => Math.ceil(place - 0.5),
  round_prefer_ceil: (place) => Math.floor(place + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
  // what Resize of opset 10 did, for models whose scales are known only when they run
  ceil_where_shrinking: (place, scale) => (scale < 1 ? Math.ceil(place) : Math.floor(place)),
}

/** Names of the nearest modes. */
export const nearestModes: readonly string[] = Object.keys(nearests)

/** Weight of a point at this distance: the tent. */
function tent(distance: number): number {
  return Math.max(0, 1 - Math.abs(distance))
}

/** Keys' cubic convolution kernel; a is -0.75 or -0.5 in practice (Keys 1981). */
function cubic(a: number, distance: number): number {
  const x = Math.abs(distance)
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0
}

/** Most taps of an axis, which a small scale with antialiasing or a large output asks for: 13 bytes each. */
const maxTaps = 2 ** 24

/** Taps of an axis of `input` positions resampled to `output`; `scale` is output over input, not rounded. @throws UnsupportedError */
export function axisTaps(input: number, output: number, scale: number, rule: AxisRule): AxisTaps {
  const axis: Axis = { input, output, scale, roi: rule.roi }
  const place = coordinates[rule.coordinates]
  const shrink = rule.antialias ? Math.min(scale, 1) : 1
  const reach = rule.mode === 'cubic' ? 2 : 1
  const first = Math.floor(-reach / shrink) + 1
  const count = rule.mode === 'nearest' ? 1 : 2 * (1 - first)
  if (!(output * count <= maxTaps)) {
    const got = `${output} of ${count}`
    throw new UnsupportedError({ where: 'resampling', expected: `at most ${maxTaps} taps along an axis`, got })
  }
  const indices = new Int32Array(output * count)
  const weights = new Float64Array(output * count)
  const outside = new Uint8Array(output)
  for (let i = 0; i < output; i++) {
    const x = place(i, axis)
    outside[i] = Number(rule.coordinates === 'tf_crop_and_resize' && (x < 0 || x > input - 1))
    if (rule.mode === 'nearest') {
      indices[i] = clamp(nearests[rule.nearest](x, scale), input)
      weights[i] = 1
      continue
    }
    // a place on a position has that position on its right
    const base = Math.ceil(x) - 1
    let total = 0
    for (let k = 0; k < count; k++) {
      const at = base + first + k
      const distance = (at - x) * shrink
      const weight = rule.mode === 'cubic' ? cubic(rule.cubicA, distance) : tent(distance)
      const kept = rule.excludeOutside && (at < 0 || at >= input) ? 0 : weight
      indices[i * count + k] = clamp(at, input)
      weights[i * count + k] = kept
      total += kept
    }
    for (let k = 0; k < count; k++) weights[i * count + k] /= total
  }
  return { count, indices, weights, outside }
}

function clamp(at: number, size: number): number {
  return Math.min(Math.max(at, 0), size - 1)
}
