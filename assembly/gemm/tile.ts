// SPDX-License-Identifier: Apache-2.0
/**
 * The tall loop nests of the GEMM family, one per tile shape, generic over what a step does (mac.ts). A tile keeps
 * rows x columns sums in registers over the whole of K and stores them raw (float32 or int32 bits) to C.
 *
 * A's rows are `lda` bytes apart, C's `ldc`; `b` is a packed panel of 8 columns, of which those below `cols` are
 * written. 6 x 8 fills the vector registers of x86-64 without spilling: 12 sums, 2 of B, 1 of A.
 */
import { storeColumns } from './columns'
import { Mac } from './mac'

/**
 * 6 rows x 8 columns: the tile of large products. It does four groups before it goes round; the questions between them keep
 * the compiler from doing one sum after the other, which takes more registers than there are.
 */
export function tile6x8<M extends Mac>(
  a: usize,
  lda: usize,
  b: usize,
  groups: u32,
  c: usize,
  ldc: usize,
  cols: u32,
): void {
  const mac = changetype<M>(0)
  let a0 = a
  let a1 = a0 + lda
  let a2 = a1 + lda
  let a3 = a2 + lda
  let a4 = a3 + lda
  let a5 = a4 + lda
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
  let low: v128, high: v128, x: v128
  while (groups != 0) {
    low = mac.low(b)
    high = mac.high(b)
    x = v128.load32_splat(a0)
    c00 = mac.mac(x, low, c00)
    c01 = mac.mac(x, high, c01)
    x = v128.load32_splat(a1)
    c10 = mac.mac(x, low, c10)
    c11 = mac.mac(x, high, c11)
    x = v128.load32_splat(a2)
    c20 = mac.mac(x, low, c20)
    c21 = mac.mac(x, high, c21)
    x = v128.load32_splat(a3)
    c30 = mac.mac(x, low, c30)
    c31 = mac.mac(x, high, c31)
    x = v128.load32_splat(a4)
    c40 = mac.mac(x, low, c40)
    c41 = mac.mac(x, high, c41)
    x = v128.load32_splat(a5)
    c50 = mac.mac(x, low, c50)
    c51 = mac.mac(x, high, c51)
    if (groups == 1) break
    low = mac.nextLow(b)
    high = mac.nextHigh(b)
    x = v128.load32_splat(a0, 4)
    c00 = mac.mac(x, low, c00)
    c01 = mac.mac(x, high, c01)
    x = v128.load32_splat(a1, 4)
    c10 = mac.mac(x, low, c10)
    c11 = mac.mac(x, high, c11)
    x = v128.load32_splat(a2, 4)
    c20 = mac.mac(x, low, c20)
    c21 = mac.mac(x, high, c21)
    x = v128.load32_splat(a3, 4)
    c30 = mac.mac(x, low, c30)
    c31 = mac.mac(x, high, c31)
    x = v128.load32_splat(a4, 4)
    c40 = mac.mac(x, low, c40)
    c41 = mac.mac(x, high, c41)
    x = v128.load32_splat(a5, 4)
    c50 = mac.mac(x, low, c50)
    c51 = mac.mac(x, high, c51)
    if (groups == 2) break
    const next = b + 2 * mac.step
    low = mac.low(next)
    high = mac.high(next)
    x = v128.load32_splat(a0, 8)
    c00 = mac.mac(x, low, c00)
    c01 = mac.mac(x, high, c01)
    x = v128.load32_splat(a1, 8)
    c10 = mac.mac(x, low, c10)
    c11 = mac.mac(x, high, c11)
    x = v128.load32_splat(a2, 8)
    c20 = mac.mac(x, low, c20)
    c21 = mac.mac(x, high, c21)
    x = v128.load32_splat(a3, 8)
    c30 = mac.mac(x, low, c30)
    c31 = mac.mac(x, high, c31)
    x = v128.load32_splat(a4, 8)
    c40 = mac.mac(x, low, c40)
    c41 = mac.mac(x, high, c41)
    x = v128.load32_splat(a5, 8)
    c50 = mac.mac(x, low, c50)
    c51 = mac.mac(x, high, c51)
    if (groups == 3) break
    low = mac.nextLow(next)
    high = mac.nextHigh(next)
    x = v128.load32_splat(a0, 12)
    c00 = mac.mac(x, low, c00)
    c01 = mac.mac(x, high, c01)
    x = v128.load32_splat(a1, 12)
    c10 = mac.mac(x, low, c10)
    c11 = mac.mac(x, high, c11)
    x = v128.load32_splat(a2, 12)
    c20 = mac.mac(x, low, c20)
    c21 = mac.mac(x, high, c21)
    x = v128.load32_splat(a3, 12)
    c30 = mac.mac(x, low, c30)
    c31 = mac.mac(x, high, c31)
    x = v128.load32_splat(a4, 12)
    c40 = mac.mac(x, low, c40)
    c41 = mac.mac(x, high, c41)
    x = v128.load32_splat(a5, 12)
    c50 = mac.mac(x, low, c50)
    c51 = mac.mac(x, high, c51)
    a0 += 16
    a1 += 16
    a2 += 16
    a3 += 16
    a4 += 16
    a5 += 16
    b += 4 * mac.step
    groups -= 4
  }
  const p1 = c + ldc
  const p2 = p1 + ldc
  const p3 = p2 + ldc
  const p4 = p3 + ldc
  const p5 = p4 + ldc
  if (cols >= 8) {
    v128.store(c, c00)
    v128.store(c, c01, 16)
    v128.store(p1, c10)
    v128.store(p1, c11, 16)
    v128.store(p2, c20)
    v128.store(p2, c21, 16)
    v128.store(p3, c30)
    v128.store(p3, c31, 16)
    v128.store(p4, c40)
    v128.store(p4, c41, 16)
    v128.store(p5, c50)
    v128.store(p5, c51, 16)
    return
  }
  storeColumns(c, c00, c01, cols)
  storeColumns(p1, c10, c11, cols)
  storeColumns(p2, c20, c21, cols)
  storeColumns(p3, c30, c31, cols)
  storeColumns(p4, c40, c41, cols)
  storeColumns(p5, c50, c51, cols)
}

/**
 * 4 rows x 8 columns. Where it is the tallest tile it does four groups before it goes round: what a round takes besides the
 * products is a quarter of its instructions otherwise, and cores that two threads share are bound by their number.
 */
export function tile4x8<M extends Mac>(
  a: usize,
  lda: usize,
  b: usize,
  groups: u32,
  c: usize,
  ldc: usize,
  cols: u32,
): void {
  const mac = changetype<M>(0)
  let a0 = a
  let a1 = a0 + lda
  let a2 = a1 + lda
  let a3 = a2 + lda
  let c00 = i32x4.splat(0)
  let c01 = i32x4.splat(0)
  let c10 = i32x4.splat(0)
  let c11 = i32x4.splat(0)
  let c20 = i32x4.splat(0)
  let c21 = i32x4.splat(0)
  let c30 = i32x4.splat(0)
  let c31 = i32x4.splat(0)
  let low: v128, high: v128, x: v128
  while (groups != 0) {
    low = mac.low(b)
    high = mac.high(b)
    x = v128.load32_splat(a0)
    c00 = mac.mac(x, low, c00)
    c01 = mac.mac(x, high, c01)
    x = v128.load32_splat(a1)
    c10 = mac.mac(x, low, c10)
    c11 = mac.mac(x, high, c11)
    x = v128.load32_splat(a2)
    c20 = mac.mac(x, low, c20)
    c21 = mac.mac(x, high, c21)
    x = v128.load32_splat(a3)
    c30 = mac.mac(x, low, c30)
    c31 = mac.mac(x, high, c31)
    if (groups == 1) break
    low = mac.nextLow(b)
    high = mac.nextHigh(b)
    x = v128.load32_splat(a0, 4)
    c00 = mac.mac(x, low, c00)
    c01 = mac.mac(x, high, c01)
    x = v128.load32_splat(a1, 4)
    c10 = mac.mac(x, low, c10)
    c11 = mac.mac(x, high, c11)
    x = v128.load32_splat(a2, 4)
    c20 = mac.mac(x, low, c20)
    c21 = mac.mac(x, high, c21)
    x = v128.load32_splat(a3, 4)
    c30 = mac.mac(x, low, c30)
    c31 = mac.mac(x, high, c31)
    if (mac.rows == 4) {
      if (groups == 2) break
      const next = b + 2 * mac.step
      low = mac.low(next)
      high = mac.high(next)
      x = v128.load32_splat(a0, 8)
      c00 = mac.mac(x, low, c00)
      c01 = mac.mac(x, high, c01)
      x = v128.load32_splat(a1, 8)
      c10 = mac.mac(x, low, c10)
      c11 = mac.mac(x, high, c11)
      x = v128.load32_splat(a2, 8)
      c20 = mac.mac(x, low, c20)
      c21 = mac.mac(x, high, c21)
      x = v128.load32_splat(a3, 8)
      c30 = mac.mac(x, low, c30)
      c31 = mac.mac(x, high, c31)
      if (groups == 3) break
      low = mac.nextLow(next)
      high = mac.nextHigh(next)
      x = v128.load32_splat(a0, 12)
      c00 = mac.mac(x, low, c00)
      c01 = mac.mac(x, high, c01)
      x = v128.load32_splat(a1, 12)
      c10 = mac.mac(x, low, c10)
      c11 = mac.mac(x, high, c11)
      x = v128.load32_splat(a2, 12)
      c20 = mac.mac(x, low, c20)
      c21 = mac.mac(x, high, c21)
      x = v128.load32_splat(a3, 12)
      c30 = mac.mac(x, low, c30)
      c31 = mac.mac(x, high, c31)
      a0 += 8
      a1 += 8
      a2 += 8
      a3 += 8
      b += 2 * mac.step
      groups -= 2
    }
    a0 += 8
    a1 += 8
    a2 += 8
    a3 += 8
    b += 2 * mac.step
    groups -= 2
  }
  const p1 = c + ldc
  const p2 = p1 + ldc
  const p3 = p2 + ldc
  if (cols >= 8) {
    v128.store(c, c00)
    v128.store(c, c01, 16)
    v128.store(p1, c10)
    v128.store(p1, c11, 16)
    v128.store(p2, c20)
    v128.store(p2, c21, 16)
    v128.store(p3, c30)
    v128.store(p3, c31, 16)
    return
  }
  storeColumns(c, c00, c01, cols)
  storeColumns(p1, c10, c11, cols)
  storeColumns(p2, c20, c21, cols)
  storeColumns(p3, c30, c31, cols)
}
