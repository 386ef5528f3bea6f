// SPDX-License-Identifier: Apache-2.0
/**
 * Convolution in double precision, any number of spatial axes: the arithmetic behind the references of Conv,
 * ConvTranspose and their channels-last forms. Only references use this file. Everything is channels-first here;
 * `permute` brings other layouts in and out.
 */
import { sizeOf, stridesOf } from '../tensor/shape.ts'
import { offsetsOf } from './elements.ts'
import type { Window } from './window.ts'

/** Flat data with dims. */
export interface NumberArray {
  readonly data: ArrayLike<number>
  readonly dims: readonly number[]
}

/** `array` with its axes in the order of `order`, as numpy.transpose. */
export function permute(array: NumberArray, order: readonly number[]): { data: Float64Array; dims: number[] } {
  const strides = stridesOf(array.dims)
  const dims = order.map((axis) => array.dims[axis])
  const offsets = offsetsOf(
    dims,
    order.map((axis) => strides[axis]),
  )
  return { data: Float64Array.from(offsets, (at) => array.data[at]), dims }
}

/** For each output position (rows) and kernel tap: the input position it reads, -1 in the padding. */
export function tapTable(spatial: readonly number[], window: Window<number>): Int32Array {
  const { kernel, strides, dilations, begin, out } = window
  const taps = sizeOf(kernel)
  const table = new Int32Array(sizeOf(out) * taps)
  const place = new Array<number>(out.length).fill(0)
  const tap = new Array<number>(out.length).fill(0)
  for (let i = 0; i < table.length; i++) {
    let at = 0
    for (let axis = 0; axis < out.length && at >= 0; axis++) {
      const position = place[axis] * strides[axis] + tap[axis] * dilations[axis] - begin[axis]
      at = position < 0 || position >= spatial[axis] ? -1 : at * spatial[axis] + position
    }
    table[i] = at
    advance(tap, kernel)
    if ((i + 1) % taps === 0) advance(place, out)
  }
  return table
}

function advance(index: number[], dims: readonly number[]): void {
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    if (++index[axis] < dims[axis]) return
    index[axis] = 0
  }
}

/** x [N, C, …], w [M, C / group, …kernel] → [N, M, …out]. Padding contributes 0. */
export function convolve(
  x: NumberArray,
  w: NumberArray,
  group: number,
  window: Window<number>,
): { data: Float64Array; dims: number[] } {
  const [images, channels, ...spatial] = x.dims
  const [outChannels, depth] = w.dims
  const pixels = sizeOf(spatial)
  const places = sizeOf(window.out)
  const taps = sizeOf(window.kernel)
  const table = tapTable(spatial, window)
  const perGroup = outChannels / group
  const data = new Float64Array(images * outChannels * places)
  for (let image = 0, at = 0; image < images; image++) {
    for (let m = 0; m < outChannels; m++) {
      const first = (image * channels + Math.floor(m / perGroup) * depth) * pixels
      for (let place = 0; place < places; place++, at++) {
        let sum = 0
        for (let tap = 0; tap < taps; tap++) {
          const from = table[place * taps + tap]
          if (from < 0) continue
          for (let c = 0; c < depth; c++)
            sum += x.data[first + c * pixels + from] * w.data[(m * depth + c) * taps + tap]
        }
        data[at] = sum
      }
    }
  }
  return { data, dims: [images, outChannels, ...window.out] }
}

/**
 * The transpose of `convolve`: x [N, C, …], w [C, M / group, …kernel] → [N, M, …window input], where `spatial` is the
 * shape of the result and `window` slides over it with one position per pixel of x.
 */
export function convolveTransposed(
  x: NumberArray,
  w: NumberArray,
  group: number,
  window: Window<number>,
  spatial: readonly number[],
): { data: Float64Array; dims: number[] } {
  const [images, channels] = x.dims
  const perGroup = w.dims[1]
  const depth = channels / group
  const outChannels = perGroup * group
  const pixels = sizeOf(spatial)
  const places = sizeOf(window.out)
  const taps = sizeOf(window.kernel)
  const table = tapTable(spatial, window)
  const data = new Float64Array(images * outChannels * pixels)
  for (let image = 0; image < images; image++) {
    for (let c = 0; c < channels; c++) {
      const firstOut = Math.floor(c / depth) * perGroup
      for (let m = 0; m < perGroup; m++) {
        const base = (image * outChannels + firstOut + m) * pixels
        for (let i = 0; i < places * taps; i++) {
          if (table[i] < 0) continue
          const place = Math.floor(i / taps)
          data[base + table[i]] +=
            x.data[(image * channels + c) * places + place] * w.data[(c * perGroup + m) * taps + (i % taps)]
        }
      }
    }
  }
  return { data, dims: [images, outChannels, ...spatial] }
}
