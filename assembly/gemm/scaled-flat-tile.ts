// SPDX-License-Identifier: Apache-2.0
/**
 * The flat loop nests of products whose weights have a scale per block of K: one or two rows, several panels at once as
 * in flat-tile.ts, a block at a time as in scaled-tile.ts. Panels are `panel` bytes apart, their scales and terms `side`.
 */
import { Mac } from './mac'
import { addScaled, setZero, start, words } from './scaled-sum'
import { Scaled } from './views'

/** 2 rows x 16 columns of 2 panels; panels are `panel` bytes apart, their scales and terms `side`. */
export function scaled2x16<M extends Mac>(
  s: Scaled,
  a: usize,
  lda: usize,
  b: usize,
  panel: usize,
  scales: usize,
  terms: usize,
  side: usize,
  row: usize,
  groups: u32,
  blockGroups: u32,
  c: usize,
  ldc: usize,
): void {
  const mac = changetype<M>(0)
  const rowStep = <usize>s.rowTermsRow << 2
  const apart = s.wZeros - s.wTerms
  const blockStep = <usize>s.rowTermsBlock << 2
  let a0 = a
  let a1 = a0 + lda
  let b0 = b
  let b1 = b0 + panel
  setZero(c)
  setZero(c + 32)
  setZero(c + ldc)
  setZero(c + ldc + 32)
  let x0: v128, x1: v128, w: v128
  while (groups != 0) {
    let left = min(groups, blockGroups)
    groups -= left
    const t0 = terms
    const t1 = t0 + side
    const w0 = words(t0, apart)
    const w1 = words(t0 + 16, apart)
    const w2 = words(t1, apart)
    const w3 = words(t1 + 16, apart)
    x0 = v128.load32_splat(row)
    let c00 = start(x0, w0)
    let c01 = start(x0, w1)
    let c02 = start(x0, w2)
    let c03 = start(x0, w3)
    x1 = v128.load32_splat(row + rowStep)
    let c10 = start(x1, w0)
    let c11 = start(x1, w1)
    let c12 = start(x1, w2)
    let c13 = start(x1, w3)
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
    addScaled(c, c00, s0)
    addScaled(c + 16, c01, s0 + 16)
    addScaled(c + 32, c02, s1)
    addScaled(c + 48, c03, s1 + 16)
    addScaled(c + ldc, c10, s0)
    addScaled(c + ldc + 16, c11, s0 + 16)
    addScaled(c + ldc + 32, c12, s1)
    addScaled(c + ldc + 48, c13, s1 + 16)
    scales += 32
    terms += 32
    row += blockStep
  }
}

/** 1 row x 32 columns of 4 panels; panels are `panel` bytes apart, their scales and terms `side`. */
export function scaled1x32<M extends Mac>(
  s: Scaled,
  a: usize,
  b: usize,
  panel: usize,
  scales: usize,
  terms: usize,
  side: usize,
  row: usize,
  groups: u32,
  blockGroups: u32,
  c: usize,
): void {
  const mac = changetype<M>(0)
  const apart = s.wZeros - s.wTerms
  const blockStep = <usize>s.rowTermsBlock << 2
  let b0 = b
  let b1 = b0 + panel
  let b2 = b1 + panel
  let b3 = b2 + panel
  setZero(c)
  setZero(c + 32)
  setZero(c + 64)
  setZero(c + 96)
  let x: v128, w: v128
  while (groups != 0) {
    let left = min(groups, blockGroups)
    groups -= left
    const t0 = terms
    const t1 = t0 + side
    const t2 = t1 + side
    const t3 = t2 + side
    x = v128.load32_splat(row)
    let c00 = start(x, words(t0, apart))
    let c01 = start(x, words(t0 + 16, apart))
    let c02 = start(x, words(t1, apart))
    let c03 = start(x, words(t1 + 16, apart))
    let c04 = start(x, words(t2, apart))
    let c05 = start(x, words(t2 + 16, apart))
    let c06 = start(x, words(t3, apart))
    let c07 = start(x, words(t3 + 16, apart))
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
    addScaled(c, c00, s0)
    addScaled(c + 16, c01, s0 + 16)
    addScaled(c + 32, c02, s1)
    addScaled(c + 48, c03, s1 + 16)
    addScaled(c + 64, c04, s2)
    addScaled(c + 80, c05, s2 + 16)
    addScaled(c + 96, c06, s3)
    addScaled(c + 112, c07, s3 + 16)
    scales += 32
    terms += 32
    row += blockStep
  }
}

/** 1 row x 8 columns. */
export function scaled1x8<M extends Mac>(
  s: Scaled,
  a: usize,
  b: usize,
  scales: usize,
  terms: usize,
  row: usize,
  groups: u32,
  blockGroups: u32,
  c: usize,
): void {
  const mac = changetype<M>(0)
  const apart = s.wZeros - s.wTerms
  const blockStep = <usize>s.rowTermsBlock << 2
  let b0 = b
  setZero(c)
  let x: v128, w: v128
  while (groups != 0) {
    let left = min(groups, blockGroups)
    groups -= left
    const t0 = terms
    x = v128.load32_splat(row)
    let c00 = start(x, words(t0, apart))
    let c01 = start(x, words(t0 + 16, apart))
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
    addScaled(c, c00, s0)
    addScaled(c + 16, c01, s0 + 16)
    scales += 32
    terms += 32
    row += blockStep
  }
}
