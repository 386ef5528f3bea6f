// SPDX-License-Identifier: Apache-2.0
/**
 * The loop nests of 4-bit weights whose sums stay in int16 over 32 k: a step is one multiplication and one addition of
 * 16 bits, half of what sums of 32 bits cost where the byte dot is made of several instructions. Lane 2c (2c + 1) of a
 * sum has the first (last) two k of each four of column c. It starts at what the zero points add (short.ts), and wraps:
 * the sum of (q - zero) * (w - 8) over 16 k is below 2^15, so in the end it is exact whatever it was on the way.
 *
 * `sums` is 0 where a block is 32 k and weights have no zero points: a sum is then scaled and added to C at once. Else
 * it is added to 128 bytes of int32 there, which go to C at the end of a block. All columns of a panel are written.
 */
import { dotBytes16, dotPairs } from '../simd/dot'
import { setZero } from './scaled-sum'
import { RowParams, Scaled } from './views'

/** Bytes of eight groups of a panel of int8, and of the packed one: 32 k. */
const RUN: usize = 256
const PACKED_RUN: usize = 128

/** acc + w * a. */
// @ts-ignore: decorator
@inline
function mac(a: v128, w: v128, acc: v128): v128 {
  return i16x8.add(acc, dotBytes16(w, a))
}

/** A row's zero point in all lanes. */
// @ts-ignore: decorator
@inline
function zeroOf(params: usize): v128 {
  return v128.load16_splat(params, offsetof<RowParams>('zero'))
}

/** Adds a sum, scaled, to four float32 of C. */
// @ts-ignore: decorator
@inline
function add(c: usize, sum: v128, scale: v128): void {
  const whole = f32x4.convert_i32x4_s(i32x4.extadd_pairwise_i16x8_s(sum))
  v128.store(c, f32x4.add(v128.load(c), f32x4.mul(whole, scale)))
}

/** Adds a sum to four sums of the block. */
// @ts-ignore: decorator
@inline
function keep(sums: usize, sum: v128): void {
  v128.store(sums, i32x4.add(v128.load(sums), i32x4.extadd_pairwise_i16x8_s(sum)))
}

/**
 * The sums of a block, scaled, to C: `count` runs of 8 columns, at steps of C, of the scales (and zero points) and of
 * the row's words. The sums are zero again.
 */
function flush(
  sums: usize,
  count: u32,
  c: usize,
  cStep: usize,
  scales: usize,
  zeros: usize,
  scaleStep: usize,
  row: usize,
  rowStep: usize,
): void {
  for (; count != 0; --count) {
    for (let j: usize = 0; j < 32; j += 16) {
      let sum = v128.load(sums + j)
      if (zeros) sum = dotPairs(v128.load(zeros + j), v128.load32_splat(row), sum)
      const scaled = f32x4.mul(f32x4.convert_i32x4_s(sum), v128.load(scales + j))
      v128.store(c + j, f32x4.add(v128.load(c + j), scaled))
    }
    setZero(sums)
    sums += 32
    c += cStep
    scales += scaleStep
    if (zeros) zeros += scaleStep
    row += rowStep
  }
}

/** 4 rows x 8 columns. `b` is a panel of int8, w - 8. */
export function short4x8(
  s: Scaled,
  a: usize,
  lda: usize,
  b: usize,
  scales: usize,
  terms: usize,
  zeros: usize,
  params: usize,
  row: usize,
  groups: u32,
  c: usize,
  ldc: usize,
  sums: usize,
): void {
  let a0 = a
  let a1 = a0 + lda
  let a2 = a1 + lda
  let a3 = a2 + lda
  let due = s.block
  let x: v128, y: v128, low: v128, high: v128
  for (let p = c, end = c + 4 * ldc; p != end; p += ldc) setZero(p)
  const stop = b + (<usize>groups << 5)
  while (b != stop) {
    const end = min(b + RUN, stop)
    low = v128.load(terms)
    high = v128.load(terms, 16)
    x = zeroOf(params)
    let c00 = i16x8.mul(x, low)
    let c01 = i16x8.mul(x, high)
    x = zeroOf(params + offsetof<RowParams>())
    let c10 = i16x8.mul(x, low)
    let c11 = i16x8.mul(x, high)
    x = zeroOf(params + 2 * offsetof<RowParams>())
    let c20 = i16x8.mul(x, low)
    let c21 = i16x8.mul(x, high)
    x = zeroOf(params + 3 * offsetof<RowParams>())
    let c30 = i16x8.mul(x, low)
    let c31 = i16x8.mul(x, high)
    do {
      low = v128.load(b)
      high = v128.load(b, 16)
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
    } while (b != end)
    terms += 32
    if (sums) {
      keep(sums, c00)
      keep(sums + 16, c01)
      keep(sums + 32, c10)
      keep(sums + 48, c11)
      keep(sums + 64, c20)
      keep(sums + 80, c21)
      keep(sums + 96, c30)
      keep(sums + 112, c31)
      due -= 32
      if (due != 0 && b != stop) continue
      due = s.block
      flush(sums, 4, c, ldc, scales, zeros, 0, row, <usize>s.rowTermsRow << 2)
      row += <usize>s.rowTermsBlock << 2
      zeros += zeros ? 32 : 0
    } else {
      const scale0 = v128.load(scales)
      const scale1 = v128.load(scales, 16)
      let at = c
      add(at, c00, scale0)
      add(at + 16, c01, scale1)
      at += ldc
      add(at, c10, scale0)
      add(at + 16, c11, scale1)
      at += ldc
      add(at, c20, scale0)
      add(at + 16, c21, scale1)
      at += ldc
      add(at, c30, scale0)
      add(at + 16, c31, scale1)
    }
    scales += 32
  }
}

/** acc + the two groups of packed weights that share the bytes at `b`, times theirs of A. */
// @ts-ignore: decorator
@inline
function macHalves(b: usize, mask: v128, x: v128, y: v128, acc: v128): v128 {
  const w = v128.load(b)
  return mac(y, v128.and(i16x8.shr_u(w, 4), mask), mac(x, v128.and(w, mask), acc))
}

/**
 * 1 row x 32 columns of 4 packed panels, which are `panel` bytes apart; their terms are `side` bytes apart, their scales
 * and zero points `scaleSide`. `shifts` has the row's words for w - 8 (short.ts).
 */
export function short1x32(
  s: Scaled,
  a: usize,
  b: usize,
  panel: usize,
  scales: usize,
  scaleSide: usize,
  terms: usize,
  side: usize,
  zeros: usize,
  params: usize,
  shifts: usize,
  row: usize,
  groups: u32,
  c: usize,
  sums: usize,
): void {
  // A constant would be built anew at each use.
  const mask = i8x16.splat(<i8>min<u32>(s.block, 15))
  const zero = zeroOf(params)
  let b1 = b + panel
  let b2 = b1 + panel
  let b3 = b2 + panel
  let due = s.block
  for (let p = c, end = c + 128; p != end; p += 32) setZero(p)
  const stop = b + (<usize>groups << 4)
  while (b != stop) {
    const end = min(b + PACKED_RUN, stop)
    const shift = v128.load32_splat(shifts)
    const t1 = terms + side
    const t2 = t1 + side
    const t3 = t2 + side
    let c0 = i16x8.add(i16x8.mul(zero, v128.load(terms)), shift)
    let c1 = i16x8.add(i16x8.mul(zero, v128.load(terms, 16)), shift)
    let c2 = i16x8.add(i16x8.mul(zero, v128.load(t1)), shift)
    let c3 = i16x8.add(i16x8.mul(zero, v128.load(t1, 16)), shift)
    let c4 = i16x8.add(i16x8.mul(zero, v128.load(t2)), shift)
    let c5 = i16x8.add(i16x8.mul(zero, v128.load(t2, 16)), shift)
    let c6 = i16x8.add(i16x8.mul(zero, v128.load(t3)), shift)
    let c7 = i16x8.add(i16x8.mul(zero, v128.load(t3, 16)), shift)
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
    } while (b != end)
    shifts += 4
    terms += 32
    if (sums) {
      keep(sums, c0)
      keep(sums + 16, c1)
      keep(sums + 32, c2)
      keep(sums + 48, c3)
      keep(sums + 64, c4)
      keep(sums + 80, c5)
      keep(sums + 96, c6)
      keep(sums + 112, c7)
      due -= 32
      if (due != 0 && b != stop) continue
      due = s.block
      flush(sums, 4, c, 32, scales, zeros, scaleSide, row, 0)
      row += <usize>s.rowTermsBlock << 2
      zeros += zeros ? 32 : 0
    } else {
      const s1 = scales + scaleSide
      const s2 = s1 + scaleSide
      const s3 = s2 + scaleSide
      add(c, c0, v128.load(scales))
      add(c + 16, c1, v128.load(scales, 16))
      add(c + 32, c2, v128.load(s1))
      add(c + 48, c3, v128.load(s1, 16))
      add(c + 64, c4, v128.load(s2))
      add(c + 80, c5, v128.load(s2, 16))
      add(c + 96, c6, v128.load(s3))
      add(c + 112, c7, v128.load(s3, 16))
    }
    scales += 32
  }
}

/** 2 rows x 8 columns of a packed panel. `shifts` as above, those of the next row `shiftsRow` bytes on. */
export function short2x8(
  s: Scaled,
  a: usize,
  lda: usize,
  b: usize,
  scales: usize,
  terms: usize,
  zeros: usize,
  params: usize,
  nextParams: usize,
  shifts: usize,
  shiftsRow: usize,
  row: usize,
  rowStep: usize,
  groups: u32,
  c: usize,
  ldc: usize,
  sums: usize,
): void {
  const mask = i8x16.splat(<i8>min<u32>(s.block, 15))
  const zero0 = zeroOf(params)
  const zero1 = zeroOf(nextParams)
  let a1 = a + lda
  let due = s.block
  setZero(c)
  setZero(c + ldc)
  const stop = b + (<usize>groups << 4)
  while (b != stop) {
    const end = min(b + PACKED_RUN, stop)
    const low = v128.load(terms)
    const high = v128.load(terms, 16)
    const shift0 = v128.load32_splat(shifts)
    const shift1 = v128.load32_splat(shifts + shiftsRow)
    let c00 = i16x8.add(i16x8.mul(zero0, low), shift0)
    let c01 = i16x8.add(i16x8.mul(zero0, high), shift0)
    let c10 = i16x8.add(i16x8.mul(zero1, low), shift1)
    let c11 = i16x8.add(i16x8.mul(zero1, high), shift1)
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
    } while (b != end)
    shifts += 4
    terms += 32
    if (sums) {
      keep(sums, c00)
      keep(sums + 16, c01)
      keep(sums + 32, c10)
      keep(sums + 48, c11)
      due -= 32
      if (due != 0 && b != stop) continue
      due = s.block
      flush(sums, 2, c, ldc, scales, zeros, 0, row, rowStep)
      row += <usize>s.rowTermsBlock << 2
      zeros += zeros ? 32 : 0
    } else {
      const scale0 = v128.load(scales)
      const scale1 = v128.load(scales, 16)
      add(c, c00, scale0)
      add(c + 16, c01, scale1)
      add(c + ldc, c10, scale0)
      add(c + ldc + 16, c11, scale1)
    }
    scales += 32
  }
}
