// SPDX-License-Identifier: Apache-2.0
/**
 * The tiles of blocks: the steps of the dense tiles, at the places of A that a list names, an int32 of each row and column to `c`. In the tall
 * ones `if (!p0) break` never breaks: it keeps the compiler from moving the sums of one group behind the loads
 * of the next, which takes more registers than there are.
 */
import { Mac } from '../gemm/mac'
import { dotBytes16 } from '../simd/dot'

/** Bytes of a block. */
export const BLOCK: usize = 64

/** 6 rows x 8 columns. */
export function blocks6x8<M extends Mac>(
  a: usize,
  lda: usize,
  b: usize,
  depths: usize,
  count: u32,
  c: usize,
  ldc: usize,
): void {
  const mac = changetype<M>(0)
  let c00 = i32x4.splat(0)
  let c01 = i32x4.splat(0)
  let c10 = i32x4.splat(0)
  let c11 = i32x4.splat(0)
  let c20 = i32x4.splat(0)
  let c21 = i32x4.splat(0)
  let c30 = i32x4.splat(0)
  let c31 = i32x4.splat(0)
  let c40 = i32x4.splat(0)
  let c41 = i32x4.splat(0)
  let c50 = i32x4.splat(0)
  let c51 = i32x4.splat(0)
  let x: v128, low: v128, high: v128
  const end = depths + (<usize>count << 2)
  while (depths != end) {
    const p0 = a + <usize>load<u32>(depths)
    const p1 = p0 + lda
    const p2 = p1 + lda
    const p3 = p2 + lda
    const p4 = p3 + lda
    const p5 = p4 + lda
    low = mac.low(b)
    high = mac.high(b)
    x = v128.load32_splat(p0)
    c00 = mac.mac(x, low, c00)
    c01 = mac.mac(x, high, c01)
    x = v128.load32_splat(p1)
    c10 = mac.mac(x, low, c10)
    c11 = mac.mac(x, high, c11)
    x = v128.load32_splat(p2)
    c20 = mac.mac(x, low, c20)
    c21 = mac.mac(x, high, c21)
    x = v128.load32_splat(p3)
    c30 = mac.mac(x, low, c30)
    c31 = mac.mac(x, high, c31)
    x = v128.load32_splat(p4)
    c40 = mac.mac(x, low, c40)
    c41 = mac.mac(x, high, c41)
    x = v128.load32_splat(p5)
    c50 = mac.mac(x, low, c50)
    c51 = mac.mac(x, high, c51)
    if (!p0) break
    low = mac.nextLow(b)
    high = mac.nextHigh(b)
    x = v128.load32_splat(p0, 4)
    c00 = mac.mac(x, low, c00)
    c01 = mac.mac(x, high, c01)
    x = v128.load32_splat(p1, 4)
    c10 = mac.mac(x, low, c10)
    c11 = mac.mac(x, high, c11)
    x = v128.load32_splat(p2, 4)
    c20 = mac.mac(x, low, c20)
    c21 = mac.mac(x, high, c21)
    x = v128.load32_splat(p3, 4)
    c30 = mac.mac(x, low, c30)
    c31 = mac.mac(x, high, c31)
    x = v128.load32_splat(p4, 4)
    c40 = mac.mac(x, low, c40)
    c41 = mac.mac(x, high, c41)
    x = v128.load32_splat(p5, 4)
    c50 = mac.mac(x, low, c50)
    c51 = mac.mac(x, high, c51)
    if (mac.shift == 1) {
      if (!p0) break
      low = mac.low(b + 2 * mac.step)
      high = mac.high(b + 2 * mac.step)
      x = v128.load32_splat(p0, 8)
      c00 = mac.mac(x, low, c00)
      c01 = mac.mac(x, high, c01)
      x = v128.load32_splat(p1, 8)
      c10 = mac.mac(x, low, c10)
      c11 = mac.mac(x, high, c11)
      x = v128.load32_splat(p2, 8)
      c20 = mac.mac(x, low, c20)
      c21 = mac.mac(x, high, c21)
      x = v128.load32_splat(p3, 8)
      c30 = mac.mac(x, low, c30)
      c31 = mac.mac(x, high, c31)
      x = v128.load32_splat(p4, 8)
      c40 = mac.mac(x, low, c40)
      c41 = mac.mac(x, high, c41)
      x = v128.load32_splat(p5, 8)
      c50 = mac.mac(x, low, c50)
      c51 = mac.mac(x, high, c51)
      if (!p0) break
      low = mac.nextLow(b + 2 * mac.step)
      high = mac.nextHigh(b + 2 * mac.step)
      x = v128.load32_splat(p0, 12)
      c00 = mac.mac(x, low, c00)
      c01 = mac.mac(x, high, c01)
      x = v128.load32_splat(p1, 12)
      c10 = mac.mac(x, low, c10)
      c11 = mac.mac(x, high, c11)
      x = v128.load32_splat(p2, 12)
      c20 = mac.mac(x, low, c20)
      c21 = mac.mac(x, high, c21)
      x = v128.load32_splat(p3, 12)
      c30 = mac.mac(x, low, c30)
      c31 = mac.mac(x, high, c31)
      x = v128.load32_splat(p4, 12)
      c40 = mac.mac(x, low, c40)
      c41 = mac.mac(x, high, c41)
      x = v128.load32_splat(p5, 12)
      c50 = mac.mac(x, low, c50)
      c51 = mac.mac(x, high, c51)
    }
    b += BLOCK
    depths += 4
  }
  v128.store(c, c00)
  v128.store(c, c01, 16)
  c += ldc
  v128.store(c, c10)
  v128.store(c, c11, 16)
  c += ldc
  v128.store(c, c20)
  v128.store(c, c21, 16)
  c += ldc
  v128.store(c, c30)
  v128.store(c, c31, 16)
  c += ldc
  v128.store(c, c40)
  v128.store(c, c41, 16)
  c += ldc
  v128.store(c, c50)
  v128.store(c, c51, 16)
}

/** 4 rows x 8 columns. */
export function blocks4x8<M extends Mac>(
  a: usize,
  lda: usize,
  b: usize,
  depths: usize,
  count: u32,
  c: usize,
  ldc: usize,
): void {
  const mac = changetype<M>(0)
  let c00 = i32x4.splat(0)
  let c01 = i32x4.splat(0)
  let c10 = i32x4.splat(0)
  let c11 = i32x4.splat(0)
  let c20 = i32x4.splat(0)
  let c21 = i32x4.splat(0)
  let c30 = i32x4.splat(0)
  let c31 = i32x4.splat(0)
  let x: v128, low: v128, high: v128
  const end = depths + (<usize>count << 2)
  while (depths != end) {
    const p0 = a + <usize>load<u32>(depths)
    const p1 = p0 + lda
    const p2 = p1 + lda
    const p3 = p2 + lda
    low = mac.low(b)
    high = mac.high(b)
    x = v128.load32_splat(p0)
    c00 = mac.mac(x, low, c00)
    c01 = mac.mac(x, high, c01)
    x = v128.load32_splat(p1)
    c10 = mac.mac(x, low, c10)
    c11 = mac.mac(x, high, c11)
    x = v128.load32_splat(p2)
    c20 = mac.mac(x, low, c20)
    c21 = mac.mac(x, high, c21)
    x = v128.load32_splat(p3)
    c30 = mac.mac(x, low, c30)
    c31 = mac.mac(x, high, c31)
    if (!p0) break
    low = mac.nextLow(b)
    high = mac.nextHigh(b)
    x = v128.load32_splat(p0, 4)
    c00 = mac.mac(x, low, c00)
    c01 = mac.mac(x, high, c01)
    x = v128.load32_splat(p1, 4)
    c10 = mac.mac(x, low, c10)
    c11 = mac.mac(x, high, c11)
    x = v128.load32_splat(p2, 4)
    c20 = mac.mac(x, low, c20)
    c21 = mac.mac(x, high, c21)
    x = v128.load32_splat(p3, 4)
    c30 = mac.mac(x, low, c30)
    c31 = mac.mac(x, high, c31)
    if (mac.shift == 1) {
      if (!p0) break
      low = mac.low(b + 2 * mac.step)
      high = mac.high(b + 2 * mac.step)
      x = v128.load32_splat(p0, 8)
      c00 = mac.mac(x, low, c00)
      c01 = mac.mac(x, high, c01)
      x = v128.load32_splat(p1, 8)
      c10 = mac.mac(x, low, c10)
      c11 = mac.mac(x, high, c11)
      x = v128.load32_splat(p2, 8)
      c20 = mac.mac(x, low, c20)
      c21 = mac.mac(x, high, c21)
      x = v128.load32_splat(p3, 8)
      c30 = mac.mac(x, low, c30)
      c31 = mac.mac(x, high, c31)
      if (!p0) break
      low = mac.nextLow(b + 2 * mac.step)
      high = mac.nextHigh(b + 2 * mac.step)
      x = v128.load32_splat(p0, 12)
      c00 = mac.mac(x, low, c00)
      c01 = mac.mac(x, high, c01)
      x = v128.load32_splat(p1, 12)
      c10 = mac.mac(x, low, c10)
      c11 = mac.mac(x, high, c11)
      x = v128.load32_splat(p2, 12)
      c20 = mac.mac(x, low, c20)
      c21 = mac.mac(x, high, c21)
      x = v128.load32_splat(p3, 12)
      c30 = mac.mac(x, low, c30)
      c31 = mac.mac(x, high, c31)
    }
    b += BLOCK
    depths += 4
  }
  v128.store(c, c00)
  v128.store(c, c01, 16)
  c += ldc
  v128.store(c, c10)
  v128.store(c, c11, 16)
  c += ldc
  v128.store(c, c20)
  v128.store(c, c21, 16)
  c += ldc
  v128.store(c, c30)
  v128.store(c, c31, 16)
}

/**
 * 3 rows x 8 columns of narrow blocks: the products of both groups are added in int16, which fewer rows leave the registers for.
 */
export function blocks3x8(
  a: usize,
  lda: usize,
  b: usize,
  depths: usize,
  count: u32,
  c: usize,
  ldc: usize,
): void {
  const ones = i16x8.splat(1)
  let c00 = i32x4.splat(0)
  let c01 = i32x4.splat(0)
  let c10 = i32x4.splat(0)
  let c11 = i32x4.splat(0)
  let c20 = i32x4.splat(0)
  let c21 = i32x4.splat(0)
  const end = depths + (<usize>count << 2)
  while (depths != end) {
    const p0 = a + <usize>load<u32>(depths)
    const p1 = p0 + lda
    const p2 = p1 + lda
    const low = v128.load(b)
    const high = v128.load(b, 16)
    const nextLow = v128.load(b, 32)
    const nextHigh = v128.load(b, 48)
    let x = v128.load32_splat(p0)
    let y = v128.load32_splat(p0, 4)
    c00 = i32x4.add(c00, i32x4.dot_i16x8_s(i16x8.add(dotBytes16(low, x), dotBytes16(nextLow, y)), ones))
    c01 = i32x4.add(c01, i32x4.dot_i16x8_s(i16x8.add(dotBytes16(high, x), dotBytes16(nextHigh, y)), ones))
    x = v128.load32_splat(p1)
    y = v128.load32_splat(p1, 4)
    c10 = i32x4.add(c10, i32x4.dot_i16x8_s(i16x8.add(dotBytes16(low, x), dotBytes16(nextLow, y)), ones))
    c11 = i32x4.add(c11, i32x4.dot_i16x8_s(i16x8.add(dotBytes16(high, x), dotBytes16(nextHigh, y)), ones))
    x = v128.load32_splat(p2)
    y = v128.load32_splat(p2, 4)
    c20 = i32x4.add(c20, i32x4.dot_i16x8_s(i16x8.add(dotBytes16(low, x), dotBytes16(nextLow, y)), ones))
    c21 = i32x4.add(c21, i32x4.dot_i16x8_s(i16x8.add(dotBytes16(high, x), dotBytes16(nextHigh, y)), ones))
    b += BLOCK
    depths += 4
  }
  v128.store(c, c00)
  v128.store(c, c01, 16)
  c += ldc
  v128.store(c, c10)
  v128.store(c, c11, 16)
  c += ldc
  v128.store(c, c20)
  v128.store(c, c21, 16)
}

/** 1 row x 8 columns; even and odd groups apart, for the latency of a step. */
export function blocks1x8<M extends Mac>(a: usize, b: usize, depths: usize, count: u32, c: usize): void {
  const mac = changetype<M>(0)
  let even0 = i32x4.splat(0)
  let even1 = i32x4.splat(0)
  let odd0 = i32x4.splat(0)
  let odd1 = i32x4.splat(0)
  for (; count != 0; --count) {
    let p = a + <usize>load<u32>(depths)
    depths += 4
    for (let turn: u32 = 0; turn <= mac.shift; ++turn) {
      const x = v128.load32_splat(p)
      even0 = mac.mac(x, mac.low(b), even0)
      even1 = mac.mac(x, mac.high(b), even1)
      const y = v128.load32_splat(p, 4)
      odd0 = mac.mac(y, mac.nextLow(b), odd0)
      odd1 = mac.mac(y, mac.nextHigh(b), odd1)
      b += 2 * mac.step
      p += 8
    }
  }
  v128.store(c, i32x4.add(even0, odd0))
  v128.store(c, i32x4.add(even1, odd1), 16)
}
