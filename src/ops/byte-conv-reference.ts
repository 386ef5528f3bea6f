// SPDX-License-Identifier: Apache-2.0
/** The oracle of convolutions of bytes, channels first: exact sums, and what quantising them again gives. */
import { sizeOf } from '../tensor/shape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Attributes } from './define.ts'
import { type NumberArray, convolve } from './convolve.ts'
import { numbersOf, saturate, tensorOf } from './numeric.ts'
import { multiplier } from './quantize.ts'
import { knownWindow } from './window.ts'

/** Elements less their zero point, which is one number or one for each index of axis 0. */
function centred(x: Tensor, zero: Tensor | null | undefined): NumberArray {
  const values = numbersOf(x)
  const shifts = zero ? numbersOf(zero) : [0]
  const run = shifts.length === 1 ? x.size : x.size / x.dims[0]
  return {
    data: Float64Array.from({ length: x.size }, (_, i) => values[i] - shifts[Math.floor(i / run)]),
    dims: x.dims,
  }
}

/** Sums of (x - x zero)(w - w zero); padding stands for the zero point. */
export function integerSums(
  x: Tensor,
  xZero: Tensor | null | undefined,
  w: Tensor,
  wZero: Tensor | null | undefined,
  attributes: Attributes,
): NumberArray {
  const window = knownWindow(x.dims.slice(2), w.dims.slice(2), attributes)
  return convolve(centred(x, xZero), centred(w, wZero), attributes.group as number, window)
}

/** (sum + bias) * (x scale * w scale / y scale) to the type of the zero point: float32 at every step, ties to even. */
export function requantizedSums(
  { data, dims }: NumberArray,
  [xScale, wScale, yScale]: readonly Tensor[],
  yZero: Tensor,
  bias: Tensor | null | undefined,
): Tensor {
  const scales = numbersOf(wScale)
  const shifts = bias ? numbersOf(bias) : null
  const [inScale, outScale, zero] = [xScale, yScale, yZero].map((tensor) => numbersOf(tensor)[0])
  const factors = Array.from(scales, (scale) => multiplier(inScale, scale, outScale))
  const pixels = sizeOf(dims.slice(2))
  const values = Array.from(data, (sum, i) => {
    const channel = Math.floor(i / pixels) % dims[1]
    const factor = factors[factors.length === 1 ? 0 : channel]
    const product = Math.fround(Math.fround(sum + (shifts?.[channel] ?? 0)) * factor)
    return saturate(yZero.type, saturate('int32', product) + zero)
  })
  return tensorOf(yZero.type, values, dims)
}
