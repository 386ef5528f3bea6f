// SPDX-License-Identifier: Apache-2.0
/**
 * The 16-bit floats as bit patterns: IEEE 754 binary16 (float16) and the upper half of binary32 (bfloat16), rows of
 * the codec in narrow-float.ts. Encoding rounds a double once, ties to even; what is too large becomes infinity.
 */
import { type NarrowFloat, decodeNarrow, encodeNarrow } from './narrow-float.ts'

/** IEEE 754 binary16. */
export const float16: NarrowFloat = {
  bits: 16,
  mantissa: 10,
  leastExponent: -14,
  largest: 65504,
  infinity: 0x7c00,
  nan: 0x7e00,
}

/** The upper half of binary32. */
export const bfloat16: NarrowFloat = {
  bits: 16,
  mantissa: 7,
  leastExponent: -126,
  largest: 3.3895313892515355e38,
  infinity: 0x7f80,
  nan: 0x7fc0,
}

/** Value of a float16 pattern. */
export function fromFloat16(pattern: number): number {
  return decodeNarrow(float16, pattern)
}

/** float16 pattern of a double. */
export function toFloat16(value: number): number {
  return encodeNarrow(float16, value)
}

/** Value of a bfloat16 pattern. */
export function fromBfloat16(pattern: number): number {
  return decodeNarrow(bfloat16, pattern)
}

/** bfloat16 pattern of a double. */
export function toBfloat16(value: number): number {
  return encodeNarrow(bfloat16, value)
}
