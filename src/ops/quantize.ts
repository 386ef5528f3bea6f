// SPDX-License-Identifier: Apache-2.0
/**
 * The oracle of dynamic quantisation: what the kernels quantize_rows_* and quantize_image_* do, one number at a time
 * (rules: kernels/pack.ts). Every step is rounded to float32 as the kernels round it, so the integers are equal, not near.
 * Asymmetric 8 bits, the range is widened to hold 0, ties go to even.
 */
import { roundHalfEven } from '../base/narrow-float.ts'

/** Real value = (q - zero) * scale, q in 0..255. */
export interface QuantizedRange {
  readonly scale: number
  readonly zero: number
}

/** Largest finite and smallest normal float32. */
const largest = 3.4028234663852886e38
const smallestNormal = 1.1754943508222875e-38

/** Scale and zero point for values between `lo` and `hi` (either may be on the same side of 0, or infinite). */
export function rangeOf(lo: number, hi: number): QuantizedRange {
  const low = Math.max(Math.min(0, Math.fround(lo)), -largest)
  const high = Math.min(Math.max(0, Math.fround(hi)), largest)
  const wide = Math.fround(Math.min(Math.fround(high - low), largest) / 255)
  const scale = wide >= smallestNormal ? wide : 1
  return { scale, zero: clampByte(roundHalfEven(Math.fround(-low / scale))) }
}

/** q of each value of `x` under `range`; NaN becomes the zero point. */
export function quantizeWith(x: ArrayLike<number>, { scale, zero }: QuantizedRange): Uint8Array {
  const inverse = Math.fround(1 / scale)
  const q = new Uint8Array(x.length)
  for (let i = 0; i < q.length; i++) {
    const scaled = Number.isNaN(x[i]) ? 0 : Math.fround(Math.fround(x[i]) * inverse)
    q[i] = clampByte(roundHalfEven(scaled) + zero)
  }
  return q
}

/**
 * What int32 sums are multiplied with to be bytes of a result: x scale * w scale / y scale, float32 at every step as
 * ONNX Runtime has it.
 */
export function multiplier(x: number, w: number, y: number): number {
  return Math.fround(Math.fround(x * w) / y)
}

/** Least and largest value of `x`, NaN passed over; 0, 0 when there is none. */
export function extentOf(x: ArrayLike<number>): readonly [number, number] {
  let lo = Infinity
  let hi = -Infinity
  for (let i = 0; i < x.length; i++) {
    if (x[i] < lo) lo = x[i]
    if (x[i] > hi) hi = x[i]
  }
  return lo > hi ? [0, 0] : [lo, hi]
}

/** Quantises each of `runs` runs of `size` numbers by its own extent; gives q - zero, the integers a product sums, and the scales. */
export function quantizeRuns(
  x: ArrayLike<number>,
  size: number,
  runs: number,
): { centred: Int32Array; scales: Float64Array } {
  const centred = new Int32Array(x.length)
  const scales = new Float64Array(runs)
  for (let run = 0; run < runs; run++) {
    const part = Array.prototype.slice.call(x, run * size, (run + 1) * size) as number[]
    const range = rangeOf(...extentOf(part))
    scales[run] = range.scale
    quantizeWith(part, range).forEach((q, i) => (centred[run * size + i] = q - range.zero))
  }
  return { centred, scales }
}

function clampByte(value: number): number {
  return Math.min(255, Math.max(0, value))
}
