// SPDX-License-Identifier: Apache-2.0
/**
 * The loop nests of 4-bit weights whose sums stay in int16 over 32 k: a step is one multiplication and one addition of
 * 16 bits, half of what sums of 32 bits cost where the byte dot is made of several instructions. Lane 2c (2c + 1) of a
 * sum has the first (last) two k of each four of column c. The sum of q * (w - 8) over 16 k is below 2^15, so in the end it is
 * exact whatever it was on the way. Then both are multiplied by the block's share, an int16, and added to the int32 of a tile, which is at `to`
 * in the thread's scratch: numbers beside the pointers of a loop, and calls, would put those on the stack, each time round.
 *
 * `shares` are those of 8 columns, the next 32 k have theirs `next` bytes on. All columns of a panel are written.
 */
import { dotBytes16, dotPairs } from '../simd/dot'
import { highShares, lowShares } from './shared-sum'

/** Bytes of eight groups of a panel of int8, and of the packed one: 32 k. */
const RUN: usize = 256
const PACKED_RUN: usize = 128

/** acc + w * a. */
// @ts-ignore: decorator
@inline
function mac(a: v128, w: v128, acc: v128): v128 {
  return i16x8.add(acc, dotBytes16(w, a))
}

/** What zero points of a block of weights take, times its shares, at `zeros`, is added to a tile; `row` is the row's sum over the block. */
export function keepZeros(sums: usize, bytes: usize, zeros: usize, side: usize, row: usize, rowStep: usize): void {
  for (const end = sums + bytes; sums != end; sums += 32) {
    const x = v128.load32_splat(row)
    const words = v128.load(zeros)
    v128.store(sums, dotPairs(x, lowShares(words), v128.load(sums)))
    v128.store(sums, dotPairs(x, highShares(words), v128.load(sums, 16)), 16)
    zeros += side
    row += rowStep
  }
}

/** 4 rows x 8 columns of a panel of int8, w - 8, whose part [b, end) is to be done; `to` are rows of 32 bytes. */
export function short4x8(a: usize, lda: usize, b: usize, end: usize, shares: usize, next: usize, to: usize): void {
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
    const low = lowShares(v128.load(shares))
    const high = highShares(v128.load(shares))
    shares += next
    v128.store(to, dotPairs(c00, low, v128.load(to)))
    v128.store(to, dotPairs(c01, high, v128.load(to, 16)), 16)
    v128.store(to, dotPairs(c10, low, v128.load(to, 32)), 32)
    v128.store(to, dotPairs(c11, high, v128.load(to, 48)), 48)
    v128.store(to, dotPairs(c20, low, v128.load(to, 64)), 64)
    v128.store(to, dotPairs(c21, high, v128.load(to, 80)), 80)
    v128.store(to, dotPairs(c30, low, v128.load(to, 96)), 96)
    v128.store(to, dotPairs(c31, high, v128.load(to, 112)), 112)
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
 * 1 row x 32 columns of 4 packed panels, which are `panel` bytes apart, their shares `side`. `shifts` has the row's words for
 * w - 8 (short.ts).
 */
export function short1x32(
  a: usize,
  b: usize,
  end: usize,
  panel: usize,
  shares: usize,
  next: usize,
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
    let s = v128.load(shares)
    v128.store(to, dotPairs(c0, lowShares(s), v128.load(to)))
    v128.store(to, dotPairs(c1, highShares(s), v128.load(to, 16)), 16)
    s = v128.load(shares + side)
    v128.store(to, dotPairs(c2, lowShares(s), v128.load(to, 32)), 32)
    v128.store(to, dotPairs(c3, highShares(s), v128.load(to, 48)), 48)
    s = v128.load(shares + 2 * side)
    v128.store(to, dotPairs(c4, lowShares(s), v128.load(to, 64)), 64)
    v128.store(to, dotPairs(c5, highShares(s), v128.load(to, 80)), 80)
    s = v128.load(shares + 3 * side)
    v128.store(to, dotPairs(c6, lowShares(s), v128.load(to, 96)), 96)
    v128.store(to, dotPairs(c7, highShares(s), v128.load(to, 112)), 112)
    shares += next
  } while (b != end)
}

/** 2 rows x 8 columns of a packed panel. `shifts` as above, those of the next row `shiftsRow` bytes on; `to` as of 4 rows. */
export function short2x8(
  a: usize,
  lda: usize,
  b: usize,
  end: usize,
  shares: usize,
  next: usize,
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
      let later = v128.and(i16x8.shr_u(w, 4), mask)
      w = v128.and(w, mask)
      c00 = mac(y0, later, mac(x0, w, c00))
      c10 = mac(y1, later, mac(x1, w, c10))
      w = v128.load(b, 16)
      later = v128.and(i16x8.shr_u(w, 4), mask)
      w = v128.and(w, mask)
      c01 = mac(y0, later, mac(x0, w, c01))
      c11 = mac(y1, later, mac(x1, w, c11))
      a += 8
      a1 += 8
      b += 32
    } while (b != run)
    shifts += 4
    const low = lowShares(v128.load(shares))
    const high = highShares(v128.load(shares))
    shares += next
    v128.store(to, dotPairs(c00, low, v128.load(to)))
    v128.store(to, dotPairs(c01, high, v128.load(to, 16)), 16)
    v128.store(to, dotPairs(c10, low, v128.load(to, 32)), 32)
    v128.store(to, dotPairs(c11, high, v128.load(to, 48)), 48)
  } while (b != end)
}
