// SPDX-License-Identifier: Apache-2.0
/** Arithmetic of grids: units are cut by quotients rounded up, which must not overflow at the ends of u32. */

/** Quotient rounded up; b > 0. */
// @ts-ignore: decorator
@inline
export function ceilDiv(a: u32, b: u32): u32 {
  return a / b + u32(a % b != 0)
}
