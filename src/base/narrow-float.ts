// SPDX-License-Identifier: Apache-2.0
/**
 * The floating-point formats of a byte and less, as bit patterns: the float8 family, float4e2m1 and float8e8m0
 * (those of 16 bits are in half.ts). A format is a row (mantissa bits, least exponent, largest value, special
 * patterns) and one codec reads the rows. Encoding rounds a double once, ties to even, so no value is rounded twice.
 */

/** A signed format of at most 8 bits whose subnormals continue the least exponent. */
export interface NarrowFloat {
  /** Bits of a pattern, the sign included. */
  readonly bits: number
  readonly mantissa: number
  /** Exponent of the smallest normal number. */
  readonly leastExponent: number
  readonly largest: number
  /** Pattern of +infinity; null where the format has none. */
  readonly infinity: number | null
  /** Pattern of the quiet NaN that encoding writes; null where the format has none. */
  readonly nan: number | null
  /** True where the negative zero's pattern is NaN instead (the "uz" formats). */
  readonly unsignedZero?: boolean
}

/** "FP8 Formats for Deep Learning" (Micikevicius et al. 2022): no infinity, one NaN pattern per sign. */
export const float8e4m3fn: NarrowFloat = {
  bits: 8,
  mantissa: 3,
  leastExponent: -6,
  largest: 448,
  infinity: null,
  nan: 0x7f,
}
/** "8-bit Numerical Formats for Deep Neural Networks" (Noune et al. 2022). */
export const float8e4m3fnuz: NarrowFloat = {
  bits: 8,
  mantissa: 3,
  leastExponent: -7,
  largest: 240,
  infinity: null,
  nan: 0x80,
  unsignedZero: true,
}
/** As float8e4m3fn's paper; IEEE specials. */
export const float8e5m2: NarrowFloat = {
  bits: 8,
  mantissa: 2,
  leastExponent: -14,
  largest: 57344,
  infinity: 0x7c,
  nan: 0x7e,
}
/** As float8e4m3fnuz's paper. */
export const float8e5m2fnuz: NarrowFloat = {
  bits: 8,
  mantissa: 2,
  leastExponent: -15,
  largest: 57344,
  infinity: null,
  nan: 0x80,
  unsignedZero: true,
}
/** OCP Microscaling Formats 1.0, FP4. */
export const float4e2m1: NarrowFloat = {
  bits: 4,
  mantissa: 1,
  leastExponent: 0,
  largest: 6,
  infinity: null,
  nan: null,
}

/** Nearest integer, ties to even. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value)
  const rest = value - floor
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1
  return floor % 2 === 0 ? floor : floor + 1
}

/** Floor of the base-2 logarithm of a positive normal double, exact. */
export function exponentOf(value: number): number {
  let exponent = Math.floor(Math.log2(value))
  if (2 ** exponent > value) exponent--
  else if (2 ** (exponent + 1) <= value) exponent++
  return exponent
}

/**
 * Bit pattern of a double in `format`.
 * @param saturate true: what is too large (infinity too) becomes the largest number; false: infinity, or NaN without one
 */
export function encodeNarrow(format: NarrowFloat, value: number, saturate = false): number {
  const signBit = 1 << (format.bits - 1)
  const sign = value < 0 || Object.is(value, -0) ? signBit : 0
  if (Number.isNaN(value)) return format.nan ?? 0
  const size = Math.abs(value)
  if (size === 0) return format.unsignedZero === true ? 0 : sign
  const bits = size === Infinity ? Infinity : nearestPattern(format, size)
  if (bits > nearestPattern(format, format.largest)) {
    if (saturate || (format.infinity === null && format.nan === null))
      return sign | nearestPattern(format, format.largest)
    if (format.infinity !== null) return sign | format.infinity
    return format.unsignedZero === true ? format.nan! : sign | format.nan!
  }
  return bits === 0 && format.unsignedZero === true ? 0 : sign | bits
}

/** Pattern of a positive number, rounded as if the format had no largest number. */
function nearestPattern(format: NarrowFloat, size: number): number {
  const exponent = Math.max(exponentOf(size), format.leastExponent)
  const quanta = roundHalfEven(size * 2 ** -(exponent - format.mantissa))
  return (exponent - format.leastExponent) * 2 ** format.mantissa + quanta
}

/** Value of a bit pattern. */
export function decodeNarrow(format: NarrowFloat, pattern: number): number {
  const signBit = 1 << (format.bits - 1)
  if (format.unsignedZero === true && pattern === signBit) return NaN
  const sign = pattern & signBit ? -1 : 1
  const bits = pattern & (signBit - 1)
  if (format.infinity !== null && bits >= format.infinity) return bits === format.infinity ? sign * Infinity : NaN
  if (format.nan !== null && format.unsignedZero !== true && bits === format.nan) return NaN
  const field = bits >> format.mantissa
  const fraction = bits & ((1 << format.mantissa) - 1)
  const quanta = field === 0 ? fraction : fraction + (1 << format.mantissa)
  return sign * quanta * 2 ** (Math.max(field - 1, 0) + format.leastExponent - format.mantissa)
}

/** Value of a float8e8m0 pattern: a power of two; 0xff is NaN (OCP Microscaling Formats 1.0). */
export function fromFloat8e8m0(pattern: number): number {
  return pattern === 0xff ? NaN : 2 ** (pattern - 127)
}

/**
 * float8e8m0 pattern of a double's size (the format has no sign; zero becomes the least number).
 * @param direction which power of two a number between two becomes
 */
export function toFloat8e8m0(value: number, saturate = true, direction: 'up' | 'down' | 'nearest' = 'up'): number {
  if (Number.isNaN(value)) return 0xff
  const size = Math.abs(value)
  if (size === Infinity) return saturate ? 0xfe : 0xff
  if (size < 2 ** -127) return 0
  const exponent = exponentOf(size)
  const share = size / 2 ** exponent
  const rounded = { up: share > 1, down: false, nearest: share >= 1.5 }[direction] ? exponent + 1 : exponent
  if (rounded > 127) return saturate ? 0xfe : 0xff
  return rounded + 127
}
