// SPDX-License-Identifier: Apache-2.0
/** Pools in double precision, channels first, any number of spatial axes. Only references use this file. */
import { sizeOf } from '../tensor/shape.ts'
import { type NumberArray, tapTable } from './convolve.ts'
import type { Window } from './window.ts'

/** Calls `visit` with the output's index, the start of its channel, and the positions its window reads (none in padding). */
function slide(
  image: NumberArray,
  window: Window<number>,
  visit: (i: number, channel: number, taps: readonly number[]) => void,
): void {
  const [images, channels, ...spatial] = image.dims
  const pixels = sizeOf(spatial)
  const places = sizeOf(window.out)
  const count = sizeOf(window.kernel)
  const table = tapTable(spatial, window)
  for (let channel = 0; channel < images * channels; channel++) {
    for (let place = 0; place < places; place++) {
      const taps = Array.from(table.subarray(place * count, (place + 1) * count)).filter((at) => at >= 0)
      visit(
        channel * places + place,
        channel,
        taps.map((at) => channel * pixels + at),
      )
    }
  }
}

function newResult(image: NumberArray, window: Window<number>): Float64Array {
  return new Float64Array(image.dims[0] * image.dims[1] * sizeOf(window.out))
}

/**
 * Maxima (minus infinity where a window holds padding alone) and where in the whole input they are: counted row-major,
 * or with `columnMajor` with the first spatial axis fastest inside each channel. The first of equal values counts.
 */
export function maxPool(
  image: NumberArray,
  window: Window<number>,
  columnMajor: boolean,
): { values: Float64Array; indices: Float64Array } {
  const values = newResult(image, window)
  const indices = new Float64Array(values.length)
  const spatial = image.dims.slice(2)
  const pixels = sizeOf(spatial)
  slide(image, window, (i, channel, taps) => {
    let best = -1
    for (const at of taps) if (best < 0 || image.data[at] > image.data[best]) best = at
    values[i] = best < 0 ? -Infinity : image.data[best]
    indices[i] = columnMajor && best >= 0 ? channel * pixels + columnMajorOf(best % pixels, spatial) : best
  })
  return { values, indices }
}

function columnMajorOf(position: number, dims: readonly number[]): number {
  let result = 0
  let step = sizeOf(dims)
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    step /= dims[axis]
    result += (position % dims[axis]) * step
    position = Math.floor(position / dims[axis])
  }
  return result
}

/** Means of the taps inside; with `includePad` the divisor is the window clipped to the padded input. */
export function averagePool(image: NumberArray, window: Window<number>, includePad: boolean): Float64Array {
  const values = newResult(image, window)
  const divisors = includePad ? paddedTaps(image.dims.slice(2), window) : null
  const places = sizeOf(window.out)
  slide(image, window, (i, _, taps) => {
    const sum = taps.reduce((total, at) => total + image.data[at], 0)
    values[i] = sum / (divisors ? divisors[i % places] : taps.length)
  })
  return values
}

/** For each place: taps that lie in the input or its padding (ceil_mode windows may reach further). */
function paddedTaps(spatial: readonly number[], window: Window<number>): number[] {
  const { kernel, begin, end, out } = window
  const padded = spatial.map((size, axis) => size + begin[axis] + end[axis])
  const table = tapTable(padded, { ...window, begin: begin.map(() => 0) })
  const count = sizeOf(kernel)
  return Array.from({ length: sizeOf(out) }, (_, place) => {
    return table.subarray(place * count, (place + 1) * count).reduce((n, at) => (at >= 0 ? n + 1 : n), 0)
  })
}

/** (sum of |x|^p)^(1/p). */
export function lpPool(image: NumberArray, window: Window<number>, p: number): Float64Array {
  const values = newResult(image, window)
  slide(image, window, (i, _, taps) => {
    values[i] = taps.reduce((sum, at) => sum + Math.abs(image.data[at]) ** p, 0) ** (1 / p)
  })
  return values
}
