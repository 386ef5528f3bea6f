// SPDX-License-Identifier: Apache-2.0
/** The error function in double precision, for references. */

/** From here on erf is 1 to the last bit of a double. */
const one = 6

/**
 * erf(x) = 2 / sqrt(pi) * exp(-x^2) * sum of 2^n x^(2n+1) / (2n+1)!! (Abramowitz & Stegun 7.1.6): all terms have one
 * sign, so nothing cancels. NaN for NaN.
 */
export function erf(x: number): number {
  const square = x * x
  if (square >= one * one) return Math.sign(x)
  let term = x
  let sum = x
  for (let n = 1; Math.abs(term) > Math.abs(sum) * 1e-17; n++) {
    term *= (2 * square) / (2 * n + 1)
    sum += term
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-square) * sum
}
