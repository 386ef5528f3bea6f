// SPDX-License-Identifier: Apache-2.0
/**
 * The flat loop nests of products whose weights have a scale per block of K: one or two rows, several panels at once as
 * in flat-tile.ts, a block at a time as in scaled-tile.ts. Panels are `panel` bytes apart, their scales and terms `side`.
 */
import { dotPairs } from '../simd/dot'
import { Mac } from './mac'
import { addScaled } from './scaled-sum'

/** Where the sums of a row begin, whose sum over the block is at `row`: what was added to the weights is taken off. */
// @ts-ignore: decorator
@inline
function startOf<M extends Mac>(row: usize): v128 {
  const mac = changetype<M>(0)
  return mac.offset ? i32x4.dot_i16x8_s(i32x4.splat(-mac.offset), v128.load32_splat(row)) : i32x4.splat(0)
}

/** 2 rows x 16 columns of 2 panels. */
export function scaled2x16<M extends Mac>(
  a: usize,
  lda: usize,
  b: usize,
  panel: usize,
  scales: usize,
  zeros: usize,
  side: usize,
  row: usize,
  rowStep: usize,
  groups: u32,
  blockGroups: u32,
  c: usize,
  ldc: usize,
): void {
  const mac = changetype<M>(0)
  let a0 = a
  let a1 = a0 + lda
  let b0 = b
  let b1 = b0 + panel
  const c1 = c + ldc
  let x0: v128, x1: v128, w: v128
  while (groups != 0) {
    let left = min(groups, blockGroups)
    groups -= left
    x0 = startOf<M>(row)
    x1 = startOf<M>(row + rowStep)
    let c00 = x0
    let c01 = x0
    let c02 = x0
    let c03 = x0
    let c10 = x1
    let c11 = x1
    let c12 = x1
    let c13 = x1
    if (mac.offset && zeros) {
      x0 = v128.load32_splat(row)
      x1 = v128.load32_splat(row + rowStep)
      const z1 = zeros + side
      w = v128.load(zeros)
      c00 = dotPairs(w, x0, c00)
      c10 = dotPairs(w, x1, c10)
      w = v128.load(zeros, 16)
      c01 = dotPairs(w, x0, c01)
      c11 = dotPairs(w, x1, c11)
      w = v128.load(z1)
      c02 = dotPairs(w, x0, c02)
      c12 = dotPairs(w, x1, c12)
      w = v128.load(z1, 16)
      c03 = dotPairs(w, x0, c03)
      c13 = dotPairs(w, x1, c13)
      zeros += 32
    }
    row += 4
    for (;;) {
      x0 = v128.load32_splat(a0)
      x1 = v128.load32_splat(a1)
      w = mac.low(b0)
      c00 = mac.mac(x0, w, c00)
      c10 = mac.mac(x1, w, c10)
      w = mac.high(b0)
      c01 = mac.mac(x0, w, c01)
      c11 = mac.mac(x1, w, c11)
      w = mac.low(b1)
      c02 = mac.mac(x0, w, c02)
      c12 = mac.mac(x1, w, c12)
      w = mac.high(b1)
      c03 = mac.mac(x0, w, c03)
      c13 = mac.mac(x1, w, c13)
      if (left == 1) {
        a0 += 4
        a1 += 4
        b0 += mac.step
        b1 += mac.step
        break
      }
      x0 = v128.load32_splat(a0, 4)
      x1 = v128.load32_splat(a1, 4)
      w = mac.nextLow(b0)
      c00 = mac.mac(x0, w, c00)
      c10 = mac.mac(x1, w, c10)
      w = mac.nextHigh(b0)
      c01 = mac.mac(x0, w, c01)
      c11 = mac.mac(x1, w, c11)
      w = mac.nextLow(b1)
      c02 = mac.mac(x0, w, c02)
      c12 = mac.mac(x1, w, c12)
      w = mac.nextHigh(b1)
      c03 = mac.mac(x0, w, c03)
      c13 = mac.mac(x1, w, c13)
      a0 += 8
      a1 += 8
      b0 += 2 * mac.step
      b1 += 2 * mac.step
      left -= 2
      if (left == 0) break
    }
    const s0 = scales
    const s1 = s0 + side
    v128.store(c, addScaled(v128.load(c), c00, v128.load(s0)))
    v128.store(c, addScaled(v128.load(c, 16), c01, v128.load(s0, 16)), 16)
    v128.store(c, addScaled(v128.load(c, 32), c02, v128.load(s1)), 32)
    v128.store(c, addScaled(v128.load(c, 48), c03, v128.load(s1, 16)), 48)
    v128.store(c1, addScaled(v128.load(c1), c10, v128.load(s0)))
    v128.store(c1, addScaled(v128.load(c1, 16), c11, v128.load(s0, 16)), 16)
    v128.store(c1, addScaled(v128.load(c1, 32), c12, v128.load(s1)), 32)
    v128.store(c1, addScaled(v128.load(c1, 48), c13, v128.load(s1, 16)), 48)
    scales += 32
  }
}

/** 1 row x 32 columns of 4 panels. */
export function scaled1x32<M extends Mac>(
  a: usize,
  b: usize,
  panel: usize,
  scales: usize,
  zeros: usize,
  side: usize,
  row: usize,
  groups: u32,
  blockGroups: u32,
  c: usize,
): void {
  const mac = changetype<M>(0)
  let b0 = b
  let b1 = b0 + panel
  let b2 = b1 + panel
  let b3 = b2 + panel
  let x: v128, w: v128
  while (groups != 0) {
    let left = min(groups, blockGroups)
    groups -= left
    x = startOf<M>(row)
    let c00 = x
    let c01 = x
    let c02 = x
    let c03 = x
    let c04 = x
    let c05 = x
    let c06 = x
    let c07 = x
    if (mac.offset && zeros) {
      x = v128.load32_splat(row)
      const z1 = zeros + side
      const z2 = z1 + side
      const z3 = z2 + side
      c00 = dotPairs(v128.load(zeros), x, c00)
      c01 = dotPairs(v128.load(zeros, 16), x, c01)
      c02 = dotPairs(v128.load(z1), x, c02)
      c03 = dotPairs(v128.load(z1, 16), x, c03)
      c04 = dotPairs(v128.load(z2), x, c04)
      c05 = dotPairs(v128.load(z2, 16), x, c05)
      c06 = dotPairs(v128.load(z3), x, c06)
      c07 = dotPairs(v128.load(z3, 16), x, c07)
      zeros += 32
    }
    row += 4
    for (;;) {
      x = v128.load32_splat(a)
      w = mac.low(b0)
      c00 = mac.mac(x, w, c00)
      w = mac.high(b0)
      c01 = mac.mac(x, w, c01)
      w = mac.low(b1)
      c02 = mac.mac(x, w, c02)
      w = mac.high(b1)
      c03 = mac.mac(x, w, c03)
      w = mac.low(b2)
      c04 = mac.mac(x, w, c04)
      w = mac.high(b2)
      c05 = mac.mac(x, w, c05)
      w = mac.low(b3)
      c06 = mac.mac(x, w, c06)
      w = mac.high(b3)
      c07 = mac.mac(x, w, c07)
      if (left == 1) {
        a += 4
        b0 += mac.step
        b1 += mac.step
        b2 += mac.step
        b3 += mac.step
        break
      }
      x = v128.load32_splat(a, 4)
      w = mac.nextLow(b0)
      c00 = mac.mac(x, w, c00)
      w = mac.nextHigh(b0)
      c01 = mac.mac(x, w, c01)
      w = mac.nextLow(b1)
      c02 = mac.mac(x, w, c02)
      w = mac.nextHigh(b1)
      c03 = mac.mac(x, w, c03)
      w = mac.nextLow(b2)
      c04 = mac.mac(x, w, c04)
      w = mac.nextHigh(b2)
      c05 = mac.mac(x, w, c05)
      w = mac.nextLow(b3)
      c06 = mac.mac(x, w, c06)
      w = mac.nextHigh(b3)
      c07 = mac.mac(x, w, c07)
      a += 8
      b0 += 2 * mac.step
      b1 += 2 * mac.step
      b2 += 2 * mac.step
      b3 += 2 * mac.step
      left -= 2
      if (left == 0) break
    }
    const s0 = scales
    const s1 = s0 + side
    const s2 = s1 + side
    const s3 = s2 + side
    v128.store(c, addScaled(v128.load(c), c00, v128.load(s0)))
    v128.store(c, addScaled(v128.load(c, 16), c01, v128.load(s0, 16)), 16)
    v128.store(c, addScaled(v128.load(c, 32), c02, v128.load(s1)), 32)
    v128.store(c, addScaled(v128.load(c, 48), c03, v128.load(s1, 16)), 48)
    v128.store(c, addScaled(v128.load(c, 64), c04, v128.load(s2)), 64)
    v128.store(c, addScaled(v128.load(c, 80), c05, v128.load(s2, 16)), 80)
    v128.store(c, addScaled(v128.load(c, 96), c06, v128.load(s3)), 96)
    v128.store(c, addScaled(v128.load(c, 112), c07, v128.load(s3, 16)), 112)
    scales += 32
  }
}

/** 1 row x 8 columns. */
export function scaled1x8<M extends Mac>(
  a: usize,
  b: usize,
  scales: usize,
  zeros: usize,
  row: usize,
  groups: u32,
  blockGroups: u32,
  c: usize,
): void {
  const mac = changetype<M>(0)
  let b0 = b
  let x: v128, w: v128
  while (groups != 0) {
    let left = min(groups, blockGroups)
    groups -= left
    let c00 = startOf<M>(row)
    let c01 = c00
    if (mac.offset && zeros) {
      x = v128.load32_splat(row)
      c00 = dotPairs(v128.load(zeros), x, c00)
      c01 = dotPairs(v128.load(zeros, 16), x, c01)
      zeros += 32
    }
    row += 4
    for (;;) {
      x = v128.load32_splat(a)
      w = mac.low(b0)
      c00 = mac.mac(x, w, c00)
      w = mac.high(b0)
      c01 = mac.mac(x, w, c01)
      if (left == 1) {
        a += 4
        b0 += mac.step
        break
      }
      x = v128.load32_splat(a, 4)
      w = mac.nextLow(b0)
      c00 = mac.mac(x, w, c00)
      w = mac.nextHigh(b0)
      c01 = mac.mac(x, w, c01)
      a += 8
      b0 += 2 * mac.step
      left -= 2
      if (left == 0) break
    }
    const s0 = scales
    v128.store(c, addScaled(v128.load(c), c00, v128.load(s0)))
    v128.store(c, addScaled(v128.load(c, 16), c01, v128.load(s0, 16)), 16)
    scales += 32
  }
}
