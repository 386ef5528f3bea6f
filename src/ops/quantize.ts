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

/** Scale and zero point for values between `lo` and `hi` (either may be on the same side of 0). */
export function rangeOf(lo: number, hi: number): QuantizedRange {
  const low = Math.min(0, Math.fround(lo))
  const high = Math.max(0, Math.fround(hi))
  const scale = high === low ? 1 : Math.fround(Math.fround(high - low) / 255)
  return { scale, zero: clampByte(roundHalfEven(Math.fround(-low / scale))) }
}

/** q of each value of `x` under `range`. */
export function quantizeWith(x: ArrayLike<number>, { scale, zero }: QuantizedRange): Uint8Array {
  const inverse = Math.fround(1 / scale)
  const q = new Uint8Array(x.length)
  for (let i = 0; i < q.length; i++) {
    q[i] = clampByte(roundHalfEven(Math.fround(Math.fround(x[i]) * inverse)) + zero)
  }
  return q
}

/** Least and largest value of `x`; 0, 0 when empty. */
export function extentOf(x: ArrayLike<number>): readonly [number, number] {
  let lo = x.length === 0 ? 0 : Infinity
  let hi = x.length === 0 ? 0 : -Infinity
  for (let i = 0; i < x.length; i++) {
    lo = Math.min(lo, x[i])
    hi = Math.max(hi, x[i])
  }
  return [lo, hi]
}

/** Quantises each run of `size` numbers by its own extent; gives q - zero, the integers a product sums, and the scales. */
export function quantizeRuns(x: ArrayLike<number>, size: number): { centred: Int32Array; scales: Float64Array } {
  const runs = size === 0 ? 0 : x.length / size
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
