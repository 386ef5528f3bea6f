// SPDX-License-Identifier: Apache-2.0
/**
 * What this host does with the relaxed instructions, and how fast it can multiply: the exports of
 * src/kernels/probe.ts. Known-answer functions read their operands from memory, since a compiler may fold constants.
 * Peak loops keep all operands in registers and every accumulator in a chain of its own, long enough for the latency
 * of one step; each step depends on its accumulator, so that nothing can be shared or hoisted.
 */
import { DOT_IS_ONE, dotBytes16, dotNibbles, dotPairs, dotU8 } from './simd/dot'
import { sumLanes, sumLanesI32 } from './simd/lanes'
import { madd } from './simd/madd'

export function probe_dot(a: usize, b: usize, c: usize, out: usize): void {
  v128.store(out, dotU8(v128.load(a), v128.load(b), v128.load(c)))
}

export function probe_dot16(a: usize, b: usize, out: usize): void {
  v128.store(out, dotBytes16(v128.load(a), v128.load(b)))
}

export function probe_madd(a: usize, b: usize, c: usize, out: usize): void {
  v128.store(out, madd(v128.load(a), v128.load(b), v128.load(c)))
}

/** 10 chains x 4 lanes of acc = acc * c + c. */
export function peak_f32(iterations: u32): f32 {
  // Carried around the loop: a host may build constants, and compute what does not change, anew at each use.
  let c = f32x4.splat(1 / (<f32>iterations + 2))
  let s0 = f32x4.splat(0)
  let s1 = f32x4.splat(1)
  let s2 = f32x4.splat(2)
  let s3 = f32x4.splat(3)
  let s4 = f32x4.splat(4)
  let s5 = f32x4.splat(5)
  let s6 = f32x4.splat(6)
  let s7 = f32x4.splat(7)
  let s8 = f32x4.splat(8)
  let s9 = f32x4.splat(9)
  for (; iterations; iterations--) {
    c = f32x4.abs(c)
    s0 = madd(s0, c, c)
    s1 = madd(s1, c, c)
    s2 = madd(s2, c, c)
    s3 = madd(s3, c, c)
    s4 = madd(s4, c, c)
    s5 = madd(s5, c, c)
    s6 = madd(s6, c, c)
    s7 = madd(s7, c, c)
    s8 = madd(s8, c, c)
    s9 = madd(s9, c, c)
  }
  s0 = f32x4.add(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)), f32x4.add(f32x4.add(s4, s5), f32x4.add(s6, s7)))
  return sumLanes(f32x4.add(s0, f32x4.add(s8, s9)))
}

/** 10 chains x 16 products of byte dots; in simd builds as many products of pair steps. */
export function peak_s8(iterations: u32): i32 {
  if (!DOT_IS_ONE) return pairs12(iterations * 5 / 3)
  const a = i8x16.splat(<i8>(iterations & 15))
  const b = i8x16.splat(<i8>(iterations & 7))
  let s0 = i32x4.splat(0)
  let s1 = i32x4.splat(1)
  let s2 = i32x4.splat(2)
  let s3 = i32x4.splat(3)
  let s4 = i32x4.splat(4)
  let s5 = i32x4.splat(5)
  let s6 = i32x4.splat(6)
  let s7 = i32x4.splat(7)
  let s8 = i32x4.splat(8)
  let s9 = i32x4.splat(9)
  for (; iterations; iterations--) {
    s0 = dotU8(a, b, s0)
    s1 = dotU8(a, b, s1)
    s2 = dotU8(a, b, s2)
    s3 = dotU8(a, b, s3)
    s4 = dotU8(a, b, s4)
    s5 = dotU8(a, b, s5)
    s6 = dotU8(a, b, s6)
    s7 = dotU8(a, b, s7)
    s8 = dotU8(a, b, s8)
    s9 = dotU8(a, b, s9)
  }
  s0 = i32x4.add(i32x4.add(i32x4.add(s0, s1), i32x4.add(s2, s3)), i32x4.add(i32x4.add(s4, s5), i32x4.add(s6, s7)))
  return sumLanesI32(i32x4.add(s0, i32x4.add(s8, s9)))
}

export function peak_pairs(iterations: u32): i32 {
  return pairs12(iterations)
}

/** 12 chains x 8 products of acc = dot(acc, m) + c. */
function pairs12(iterations: u32): i32 {
  const m = i16x8.splat(<i16>(iterations & 3))
  const c = i32x4.splat(iterations & 127)
  let s0 = i32x4.splat(0)
  let s1 = i32x4.splat(1)
  let s2 = i32x4.splat(2)
  let s3 = i32x4.splat(3)
  let s4 = i32x4.splat(4)
  let s5 = i32x4.splat(5)
  let s6 = i32x4.splat(6)
  let s7 = i32x4.splat(7)
  let s8 = i32x4.splat(8)
  let s9 = i32x4.splat(9)
  let s10 = i32x4.splat(10)
  let s11 = i32x4.splat(11)
  for (; iterations; iterations--) {
    s0 = dotPairs(s0, m, c)
    s1 = dotPairs(s1, m, c)
    s2 = dotPairs(s2, m, c)
    s3 = dotPairs(s3, m, c)
    s4 = dotPairs(s4, m, c)
    s5 = dotPairs(s5, m, c)
    s6 = dotPairs(s6, m, c)
    s7 = dotPairs(s7, m, c)
    s8 = dotPairs(s8, m, c)
    s9 = dotPairs(s9, m, c)
    s10 = dotPairs(s10, m, c)
    s11 = dotPairs(s11, m, c)
  }
  s0 = i32x4.add(i32x4.add(i32x4.add(s0, s1), i32x4.add(s2, s3)), i32x4.add(i32x4.add(s4, s5), i32x4.add(s6, s7)))
  return sumLanesI32(i32x4.add(s0, i32x4.add(i32x4.add(s8, s9), i32x4.add(s10, s11))))
}

/** 12 chains x 16 products of acc += dot(acc, c) in int16, as sums of 4-bit weights that stay there. */
export function peak_short(iterations: u32): i32 {
  const c = i8x16.splat(<i8>(iterations & 7))
  let s0 = i32x4.splat(0)
  let s1 = i32x4.splat(1)
  let s2 = i32x4.splat(2)
  let s3 = i32x4.splat(3)
  let s4 = i32x4.splat(4)
  let s5 = i32x4.splat(5)
  let s6 = i32x4.splat(6)
  let s7 = i32x4.splat(7)
  let s8 = i32x4.splat(8)
  let s9 = i32x4.splat(9)
  let s10 = i32x4.splat(10)
  let s11 = i32x4.splat(11)
  for (; iterations; iterations--) {
    s0 = i16x8.add(s0, dotBytes16(s0, c))
    s1 = i16x8.add(s1, dotBytes16(s1, c))
    s2 = i16x8.add(s2, dotBytes16(s2, c))
    s3 = i16x8.add(s3, dotBytes16(s3, c))
    s4 = i16x8.add(s4, dotBytes16(s4, c))
    s5 = i16x8.add(s5, dotBytes16(s5, c))
    s6 = i16x8.add(s6, dotBytes16(s6, c))
    s7 = i16x8.add(s7, dotBytes16(s7, c))
    s8 = i16x8.add(s8, dotBytes16(s8, c))
    s9 = i16x8.add(s9, dotBytes16(s9, c))
    s10 = i16x8.add(s10, dotBytes16(s10, c))
    s11 = i16x8.add(s11, dotBytes16(s11, c))
  }
  s0 = i32x4.add(i32x4.add(i32x4.add(s0, s1), i32x4.add(s2, s3)), i32x4.add(i32x4.add(s4, s5), i32x4.add(s6, s7)))
  return sumLanesI32(i32x4.add(s0, i32x4.add(i32x4.add(s8, s9), i32x4.add(s10, s11))))
}

/** One packed vector of 32 nibbles, unpacked and multiplied with four rows. */
export function peak_s4(iterations: u32): i32 {
  const a0 = i8x16.splat(<i8>(iterations & 15))
  const a1 = i8x16.splat(<i8>(iterations & 31))
  const a2 = i8x16.splat(<i8>(iterations & 63))
  const a3 = i8x16.splat(<i8>(iterations & 127))
  let w = i8x16.splat(<i8>iterations)
  let s0 = i32x4.splat(0)
  let s1 = i32x4.splat(1)
  let s2 = i32x4.splat(2)
  let s3 = i32x4.splat(3)
  for (; iterations; iterations--) {
    w = i8x16.add(w, a3)
    s0 = dotNibbles(w, a0, s0)
    s1 = dotNibbles(w, a1, s1)
    s2 = dotNibbles(w, a2, s2)
    s3 = dotNibbles(w, a3, s3)
  }
  return sumLanesI32(i32x4.add(i32x4.add(s0, s1), i32x4.add(s2, s3)))
}
