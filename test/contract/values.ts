// SPDX-License-Identifier: Apache-2.0
/** Values that kernels are tried on: seeded random ones, and the ones at the edges of float32. */
import { randomNormal } from '../../src/base/rng.ts'

/** Normal numbers, rounded to float32. */
export function randomFloats(random: () => number, length: number, scale = 1): Float32Array {
  return Float32Array.from({ length }, () => randomNormal(random) * scale)
}

/** Integers of [min, max] in an array of the given class. */
export function randomIntegers<T extends { [i: number]: number }>(
  type: new (length: number) => T,
  random: () => number,
  length: number,
  min: number,
  max: number,
): T {
  const out = new type(length)
  for (let i = 0; i < length; i++) out[i] = min + Math.floor(random() * (max - min + 1))
  return out
}

/** Signed zeros, denormals, the ends of the range, infinities, NaN, and halves that rounding must get right. */
export const extremes: readonly number[] = [
  0,
  -0,
  1e-45,
  -1e-45,
  1.1754944e-38,
  -1.1754942e-38,
  3.4028235e38,
  -3.4028235e38,
  Infinity,
  -Infinity,
  NaN,
  0.5,
  -0.5,
  1.5,
  2.5,
  -2.5,
  1,
  -1,
  8388607.5,
  16777216,
  -16777217,
  2147483647,
  -2147483648,
  4294967296,
  88,
  -88,
  104,
  -104,
]

/** `length` values: random ones with the extremes strewn in. */
export function wildFloats(random: () => number, length: number, scale = 1): Float32Array {
  const out = randomFloats(random, length, scale)
  for (let i = 0; i < length; i++) {
    if (random() < 0.3) out[i] = extremes[Math.floor(random() * extremes.length)]!
  }
  return out
}
