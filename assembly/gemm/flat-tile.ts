// SPDX-License-Identifier: Apache-2.0
/**
 * The flat loop nests of the GEMM family: one or two rows. As in tile.ts a tile keeps its sums over the whole of K and
 * stores them raw. So few rows need several panels of B at once to have the 8 sums that hide the latency of a
 * multiply-add; panels are `panel` bytes apart.
 */
import { storeColumns } from './columns'
import { Mac } from './mac'

/** 2 rows x 16 columns of two whole panels. */
export function tile2x16<M extends Mac>(
  a: usize,
  lda: usize,
  b: usize,
  panel: usize,
  groups: u32,
  c: usize,
  ldc: usize,
): void {
  const mac = changetype<M>(0)
  let a0 = a
  let a1 = a0 + lda
  let b0 = b
  let b1 = b0 + panel
  let c00 = i32x4.splat(0)
  let c01 = i32x4.splat(0)
  let c02 = i32x4.splat(0)
  let c03 = i32x4.splat(0)
  let c10 = i32x4.splat(0)
  let c11 = i32x4.splat(0)
  let c12 = i32x4.splat(0)
  let c13 = i32x4.splat(0)
  let x0: v128, x1: v128, w: v128
  while (groups != 0) {
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
    if (groups == 1) break
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
    groups -= 2
  }
  v128.store(c, c00)
  v128.store(c, c01, 16)
  v128.store(c, c02, 32)
  v128.store(c, c03, 48)
  const p1 = c + ldc
  v128.store(p1, c10)
  v128.store(p1, c11, 16)
  v128.store(p1, c12, 32)
  v128.store(p1, c13, 48)
}

/** 1 row x 32 columns of four whole panels: the product of a vector and a matrix. */
export function tile1x32<M extends Mac>(
  a: usize,
  b: usize,
  panel: usize,
  groups: u32,
  c: usize,
): void {
  const mac = changetype<M>(0)
  let b0 = b
  let b1 = b0 + panel
  let b2 = b1 + panel
  let b3 = b2 + panel
  let c00 = i32x4.splat(0)
  let c01 = i32x4.splat(0)
  let c02 = i32x4.splat(0)
  let c03 = i32x4.splat(0)
  let c04 = i32x4.splat(0)
  let c05 = i32x4.splat(0)
  let c06 = i32x4.splat(0)
  let c07 = i32x4.splat(0)
  let x: v128
  while (groups != 0) {
    x = v128.load32_splat(a)
    c00 = mac.mac(x, mac.low(b0), c00)
    c01 = mac.mac(x, mac.high(b0), c01)
    c02 = mac.mac(x, mac.low(b1), c02)
    c03 = mac.mac(x, mac.high(b1), c03)
    c04 = mac.mac(x, mac.low(b2), c04)
    c05 = mac.mac(x, mac.high(b2), c05)
    c06 = mac.mac(x, mac.low(b3), c06)
    c07 = mac.mac(x, mac.high(b3), c07)
    if (groups == 1) break
    x = v128.load32_splat(a, 4)
    c00 = mac.mac(x, mac.nextLow(b0), c00)
    c01 = mac.mac(x, mac.nextHigh(b0), c01)
    c02 = mac.mac(x, mac.nextLow(b1), c02)
    c03 = mac.mac(x, mac.nextHigh(b1), c03)
    c04 = mac.mac(x, mac.nextLow(b2), c04)
    c05 = mac.mac(x, mac.nextHigh(b2), c05)
    c06 = mac.mac(x, mac.nextLow(b3), c06)
    c07 = mac.mac(x, mac.nextHigh(b3), c07)
    a += 8
    b0 += 2 * mac.step
    b1 += 2 * mac.step
    b2 += 2 * mac.step
    b3 += 2 * mac.step
    groups -= 2
  }
  v128.store(c, c00)
  v128.store(c, c01, 16)
  v128.store(c, c02, 32)
  v128.store(c, c03, 48)
  v128.store(c, c04, 64)
  v128.store(c, c05, 80)
  v128.store(c, c06, 96)
  v128.store(c, c07, 112)
}

/** 1 row x 8 columns: what the wider tiles leave. */
export function tile1x8<M extends Mac>(
  a: usize,
  b: usize,
  groups: u32,
  c: usize,
  cols: u32,
): void {
  const mac = changetype<M>(0)
  let c00 = i32x4.splat(0)
  let c01 = i32x4.splat(0)
  let low: v128, high: v128, x: v128
  while (groups != 0) {
    low = mac.low(b)
    high = mac.high(b)
    x = v128.load32_splat(a)
    c00 = mac.mac(x, low, c00)
    c01 = mac.mac(x, high, c01)
    if (groups == 1) break
    low = mac.nextLow(b)
    high = mac.nextHigh(b)
    x = v128.load32_splat(a, 4)
    c00 = mac.mac(x, low, c00)
    c01 = mac.mac(x, high, c01)
    a += 8
    b += 2 * mac.step
    groups -= 2
  }
  if (cols >= 8) {
    v128.store(c, c00)
    v128.store(c, c01, 16)
    return
  }
  storeColumns(c, c00, c01, cols)
}
