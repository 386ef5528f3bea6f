// SPDX-License-Identifier: Apache-2.0
/**
 * The loop nests of 4-bit weights whose sums stay in int16 over 32 k: a step is one multiplication and one addition of
 * 16 bits, half of what sums of 32 bits cost where the byte dot is made of several instructions. Lane 2c (2c + 1) of a
 * sum has the first (last) two k of each four of column c. The sum of q * (w - 8) over 16 k is below 2^15, so in the end it is
 * exact whatever it was on the way.
 *
 * Sums go to `to`: scaled, to float32, where a block is 32 k and weights have no zero points; else `scales` is 0, and they go
 * to int32 there, which go to C at the end of a block. All columns of a panel are written.
 */
import { dotBytes16, dotPairs } from '../simd/dot'
import { addScaled } from './scaled-sum'

/** Bytes of eight groups of a panel of int8, and of the packed one: 32 k. */
const RUN: usize = 256
const PACKED_RUN: usize = 128

/** acc + w * a. */
// @ts-ignore: decorator
@inline
function mac(a: v128, w: v128, acc: v128): v128 {
  return i16x8.add(acc, dotBytes16(w, a))
}

/** Four float32 of C and a sum, scaled. */
// @ts-ignore: decorator
@inline
function add(c: v128, sum: v128, scale: v128): v128 {
  return addScaled(c, i32x4.extadd_pairwise_i16x8_s(sum), scale)
}

/** Four int32 of the block and a sum. */
// @ts-ignore: decorator
@inline
function keep(sums: v128, sum: v128): v128 {
  return i32x4.add(sums, i32x4.extadd_pairwise_i16x8_s(sum))
}

/**
 * The int32 of a block, scaled, to tiles of 8 columns in C, `bytes` of both, which are 32 bytes apart, their scales (and zero points) `side`,
 * the row's sums over the block `rowStep`. The int32 are zero again.
 */
export function flush(sums: usize, bytes: usize, c: usize, scales: usize, zeros: usize, side: usize, row: usize, rowStep: usize): void {
  for (const end = sums + bytes; sums != end; sums += 32) {
    for (let j: usize = 0; j < 32; j += 16) {
      let sum = v128.load(sums + j)
      if (zeros) sum = dotPairs(v128.load(zeros + j), v128.load32_splat(row), sum)
      v128.store(c + j, addScaled(v128.load(c + j), sum, v128.load(scales + j)))
      v128.store(sums + j, i32x4.splat(0))
    }
    c += 32
    scales += side
    if (zeros) zeros += side
    row += rowStep
  }
}

/**
 * 4 rows x 8 columns of a panel of int8, w - 8, whose part [b, end) is to be done. `to` are rows of 32 bytes in the thread's
 * scratch: numbers beside the pointers of the loop, and calls, would put those on the stack, each time round.
 */
export function short4x8(a: usize, lda: usize, b: usize, end: usize, scales: usize, to: usize): void {
  let a0 = a
  let a1 = a0 + lda
  let a2 = a1 + lda
  let a3 = a2 + lda
  let x: v128, y: v128
  do {
    const run = min(b + RUN, end)
    let c00 = i32x4.splat(0)
    let c01 = i32x4.splat(0)
    let c10 = i32x4.splat(0)
    let c11 = i32x4.splat(0)
    let c20 = i32x4.splat(0)
    let c21 = i32x4.splat(0)
    let c30 = i32x4.splat(0)
    let c31 = i32x4.splat(0)
    do {
      const low = v128.load(b)
      const high = v128.load(b, 16)
      const nextLow = v128.load(b, 32)
      const nextHigh = v128.load(b, 48)
      x = v128.load32_splat(a0)
      y = v128.load32_splat(a0, 4)
      c00 = mac(y, nextLow, mac(x, low, c00))
      c01 = mac(y, nextHigh, mac(x, high, c01))
      x = v128.load32_splat(a1)
      y = v128.load32_splat(a1, 4)
      c10 = mac(y, nextLow, mac(x, low, c10))
      c11 = mac(y, nextHigh, mac(x, high, c11))
      x = v128.load32_splat(a2)
      y = v128.load32_splat(a2, 4)
      c20 = mac(y, nextLow, mac(x, low, c20))
      c21 = mac(y, nextHigh, mac(x, high, c21))
      x = v128.load32_splat(a3)
      y = v128.load32_splat(a3, 4)
      c30 = mac(y, nextLow, mac(x, low, c30))
      c31 = mac(y, nextHigh, mac(x, high, c31))
      a0 += 8
      a1 += 8
      a2 += 8
      a3 += 8
      b += 64
    } while (b != run)
    if (scales) {
      const scale0 = v128.load(scales)
      const scale1 = v128.load(scales, 16)
      scales += 32
      v128.store(to, add(v128.load(to), c00, scale0))
      v128.store(to, add(v128.load(to, 16), c01, scale1), 16)
      v128.store(to, add(v128.load(to, 32), c10, scale0), 32)
      v128.store(to, add(v128.load(to, 48), c11, scale1), 48)
      v128.store(to, add(v128.load(to, 64), c20, scale0), 64)
      v128.store(to, add(v128.load(to, 80), c21, scale1), 80)
      v128.store(to, add(v128.load(to, 96), c30, scale0), 96)
      v128.store(to, add(v128.load(to, 112), c31, scale1), 112)
    } else {
      v128.store(to, keep(v128.load(to), c00))
      v128.store(to, keep(v128.load(to, 16), c01), 16)
      v128.store(to, keep(v128.load(to, 32), c10), 32)
      v128.store(to, keep(v128.load(to, 48), c11), 48)
      v128.store(to, keep(v128.load(to, 64), c20), 64)
      v128.store(to, keep(v128.load(to, 80), c21), 80)
      v128.store(to, keep(v128.load(to, 96), c30), 96)
      v128.store(to, keep(v128.load(to, 112), c31), 112)
    }
  } while (b != end)
}

/** acc + the two groups of packed weights that share the bytes at `b`, times theirs of A. */
// @ts-ignore: decorator
@inline
function macHalves(b: usize, mask: v128, x: v128, y: v128, acc: v128): v128 {
  const w = v128.load(b)
  return mac(y, v128.and(i16x8.shr_u(w, 4), mask), mac(x, v128.and(w, mask), acc))
}

/**
 * 1 row x 32 columns of 4 packed panels, which are `panel` bytes apart, their scales `side`. `shifts` has the row's words for
 * w - 8 (short.ts).
 */
export function short1x32(
  a: usize,
  b: usize,
  end: usize,
  panel: usize,
  scales: usize,
  side: usize,
  shifts: usize,
  to: usize,
): void {
  const mask = i8x16.splat(15)
  let b1 = b + panel
  let b2 = b1 + panel
  let b3 = b2 + panel
  do {
    const run = min(b + PACKED_RUN, end)
    const shift = v128.load32_splat(shifts)
    let c0 = shift
    let c1 = shift
    let c2 = shift
    let c3 = shift
    let c4 = shift
    let c5 = shift
    let c6 = shift
    let c7 = shift
    do {
      const x = v128.load32_splat(a)
      const y = v128.load32_splat(a, 4)
      c0 = macHalves(b, mask, x, y, c0)
      c1 = macHalves(b + 16, mask, x, y, c1)
      c2 = macHalves(b1, mask, x, y, c2)
      c3 = macHalves(b1 + 16, mask, x, y, c3)
      c4 = macHalves(b2, mask, x, y, c4)
      c5 = macHalves(b2 + 16, mask, x, y, c5)
      c6 = macHalves(b3, mask, x, y, c6)
      c7 = macHalves(b3 + 16, mask, x, y, c7)
      a += 8
      b += 32
      b1 += 32
      b2 += 32
      b3 += 32
    } while (b != run)
    shifts += 4
    if (scales) {
      let s = scales
      scales += 32
      v128.store(to, add(v128.load(to), c0, v128.load(s)))
      v128.store(to, add(v128.load(to, 16), c1, v128.load(s, 16)), 16)
      s += side
      v128.store(to, add(v128.load(to, 32), c2, v128.load(s)), 32)
      v128.store(to, add(v128.load(to, 48), c3, v128.load(s, 16)), 48)
      s += side
      v128.store(to, add(v128.load(to, 64), c4, v128.load(s)), 64)
      v128.store(to, add(v128.load(to, 80), c5, v128.load(s, 16)), 80)
      s += side
      v128.store(to, add(v128.load(to, 96), c6, v128.load(s)), 96)
      v128.store(to, add(v128.load(to, 112), c7, v128.load(s, 16)), 112)
    } else {
      v128.store(to, keep(v128.load(to), c0))
      v128.store(to, keep(v128.load(to, 16), c1), 16)
      v128.store(to, keep(v128.load(to, 32), c2), 32)
      v128.store(to, keep(v128.load(to, 48), c3), 48)
      v128.store(to, keep(v128.load(to, 64), c4), 64)
      v128.store(to, keep(v128.load(to, 80), c5), 80)
      v128.store(to, keep(v128.load(to, 96), c6), 96)
      v128.store(to, keep(v128.load(to, 112), c7), 112)
    }
  } while (b != end)
}

/** 2 rows x 8 columns of a packed panel. `shifts` as above, those of the next row `shiftsRow` bytes on; `to` as of 4 rows. */
export function short2x8(
  a: usize,
  lda: usize,
  b: usize,
  end: usize,
  scales: usize,
  shifts: usize,
  shiftsRow: usize,
  to: usize,
): void {
  const mask = i8x16.splat(15)
  let a1 = a + lda
  do {
    const run = min(b + PACKED_RUN, end)
    let c00 = v128.load32_splat(shifts)
    let c01 = c00
    let c10 = v128.load32_splat(shifts + shiftsRow)
    let c11 = c10
    do {
      const x0 = v128.load32_splat(a)
      const y0 = v128.load32_splat(a, 4)
      const x1 = v128.load32_splat(a1)
      const y1 = v128.load32_splat(a1, 4)
      let w = v128.load(b)
      let next = v128.and(i16x8.shr_u(w, 4), mask)
      w = v128.and(w, mask)
      c00 = mac(y0, next, mac(x0, w, c00))
      c10 = mac(y1, next, mac(x1, w, c10))
      w = v128.load(b, 16)
      next = v128.and(i16x8.shr_u(w, 4), mask)
      w = v128.and(w, mask)
      c01 = mac(y0, next, mac(x0, w, c01))
      c11 = mac(y1, next, mac(x1, w, c11))
      a += 8
      a1 += 8
      b += 32
    } while (b != run)
    shifts += 4
    if (scales) {
      const scale0 = v128.load(scales)
      const scale1 = v128.load(scales, 16)
      scales += 32
      v128.store(to, add(v128.load(to), c00, scale0))
      v128.store(to, add(v128.load(to, 16), c01, scale1), 16)
      v128.store(to, add(v128.load(to, 32), c10, scale0), 32)
      v128.store(to, add(v128.load(to, 48), c11, scale1), 48)
    } else {
      v128.store(to, keep(v128.load(to), c00))
      v128.store(to, keep(v128.load(to, 16), c01), 16)
      v128.store(to, keep(v128.load(to, 32), c10), 32)
      v128.store(to, keep(v128.load(to, 48), c11), 48)
    }
  } while (b != end)
}
