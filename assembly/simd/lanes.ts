// SPDX-License-Identifier: Apache-2.0
/**
 * Across and at the edge of the four lanes: horizontal folds in a fixed order, and loads and stores of one to three
 * lanes that touch no byte outside them.
 */

/** (x0 + x2) + (x1 + x3). */
// @ts-ignore: decorator
@inline
export function sumLanes(x: v128): f32 {
  const pair = f32x4.add(x, v128.shuffle<f32>(x, x, 2, 3, 0, 1))
  return f32x4.extract_lane(pair, 0) + f32x4.extract_lane(pair, 1)
}

/** Product of the four lanes. */
// @ts-ignore: decorator
@inline
export function productLanes(x: v128): f32 {
  const pair = f32x4.mul(x, v128.shuffle<f32>(x, x, 2, 3, 0, 1))
  return f32x4.extract_lane(pair, 0) * f32x4.extract_lane(pair, 1)
}

/** Largest lane; NaN if one is NaN. */
// @ts-ignore: decorator
@inline
export function maxLanes(x: v128): f32 {
  const pair = f32x4.max(x, v128.shuffle<f32>(x, x, 2, 3, 0, 1))
  return max<f32>(f32x4.extract_lane(pair, 0), f32x4.extract_lane(pair, 1))
}

/** Smallest lane; NaN if one is NaN. */
// @ts-ignore: decorator
@inline
export function minLanes(x: v128): f32 {
  const pair = f32x4.min(x, v128.shuffle<f32>(x, x, 2, 3, 0, 1))
  return min<f32>(f32x4.extract_lane(pair, 0), f32x4.extract_lane(pair, 1))
}

/** Sum of the four int32 lanes, wrapping. */
// @ts-ignore: decorator
@inline
export function sumLanesI32(x: v128): i32 {
  const pair = i32x4.add(x, v128.shuffle<i32>(x, x, 2, 3, 0, 1))
  return i32x4.extract_lane(pair, 0) + i32x4.extract_lane(pair, 1)
}

/** The first `count` (1..3) float32 at `p`; the other lanes are 0. */
// @ts-ignore: decorator
@inline
export function loadPart(p: usize, count: u32): v128 {
  if (count == 1) return v128.load32_zero(p)
  const two = v128.load64_zero(p)
  return count == 2 ? two : v128.load32_lane(p, two, 2, 8)
}

/** The first `count` float32 at `p`, four at most; the other lanes are 0. `count` is not 0. */
// @ts-ignore: decorator
@inline
export function loadUpTo4(p: usize, count: u32): v128 {
  return count >= 4 ? v128.load(p) : loadPart(p, count)
}

/** Writes the first `count` lanes of `x` to `p`, four at most. `count` is not 0. */
// @ts-ignore: decorator
@inline
export function storeUpTo4(p: usize, x: v128, count: u32): void {
  if (count >= 4) v128.store(p, x)
  else storePart(p, x, count)
}

/** Writes the first `count` (1..3) lanes of `x` to `p` and nothing else. */
// @ts-ignore: decorator
@inline
export function storePart(p: usize, x: v128, count: u32): void {
  if (count == 1) {
    v128.store32_lane(p, x, 0)
    return
  }
  v128.store64_lane(p, x, 0)
  if (count == 3) v128.store32_lane(p, x, 2, 8)
}

/** The first `count` (0..4) lanes of `x`; the other lanes are 0. */
// @ts-ignore: decorator
@inline
export function keepPart(x: v128, count: u32): v128 {
  return v128.and(x, i32x4.gt_u(i32x4.splat(count), i32x4(0, 1, 2, 3)))
}
