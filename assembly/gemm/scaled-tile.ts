// SPDX-License-Identifier: Apache-2.0
/**
 * The tall loop nests of products whose weights have a scale per block of K. As in tile.ts sums stay in registers, but
 * over one block only: then they are scaled and added to what C holds. `scales` and `terms` are those of the panel, 32
 * bytes a block; `row` is the first row's word, those of two rows are `s.rowTermsRow` words apart, those of two blocks
 * `s.rowTermsBlock`. All 8 columns of C are written.
 */
import { Mac } from './mac'
import { addScaled, setZero, start, words } from './scaled-sum'
import { Scaled } from './views'

/** 6 rows x 8 columns. */
export function scaled6x8<M extends Mac>(
  s: Scaled,
  a: usize,
  lda: usize,
  b: usize,
  scales: usize,
  terms: usize,
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
  let a2 = a1 + lda
  let a3 = a2 + lda
  let a4 = a3 + lda
  let a5 = a4 + lda
  const end = c + ldc * 6
  for (let p = c; p != end; p += ldc) setZero(p)
  let x: v128, low: v128, high: v128
  while (groups != 0) {
    let left = min(groups, blockGroups)
    const words0 = words(terms, apart)
    const words1 = words(terms + 16, apart)
    groups -= left
    let at = row
    x = v128.load32_splat(at)
    let c00 = start(x, words0)
    let c01 = start(x, words1)
    at += rowStep
    x = v128.load32_splat(at)
    let c10 = start(x, words0)
    let c11 = start(x, words1)
    at += rowStep
    x = v128.load32_splat(at)
    let c20 = start(x, words0)
    let c21 = start(x, words1)
    at += rowStep
    x = v128.load32_splat(at)
    let c30 = start(x, words0)
    let c31 = start(x, words1)
    at += rowStep
    x = v128.load32_splat(at)
    let c40 = start(x, words0)
    let c41 = start(x, words1)
    at += rowStep
    x = v128.load32_splat(at)
    let c50 = start(x, words0)
    let c51 = start(x, words1)
    for (;;) {
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
      if (left == 1) {
        b += mac.step
        a0 += 4
        a1 += 4
        a2 += 4
        a3 += 4
        a4 += 4
        a5 += 4
        break
      }
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
      a0 += 8
      a1 += 8
      a2 += 8
      a3 += 8
      a4 += 8
      a5 += 8
      b += 2 * mac.step
      left -= 2
      if (left == 0) break
    }
    at = c
    addScaled(at, c00, scales)
    addScaled(at + 16, c01, scales + 16)
    at += ldc
    addScaled(at, c10, scales)
    addScaled(at + 16, c11, scales + 16)
    at += ldc
    addScaled(at, c20, scales)
    addScaled(at + 16, c21, scales + 16)
    at += ldc
    addScaled(at, c30, scales)
    addScaled(at + 16, c31, scales + 16)
    at += ldc
    addScaled(at, c40, scales)
    addScaled(at + 16, c41, scales + 16)
    at += ldc
    addScaled(at, c50, scales)
    addScaled(at + 16, c51, scales + 16)
    scales += 32
    terms += 32
    row += blockStep
  }
}

/** 4 rows x 8 columns. */
export function scaled4x8<M extends Mac>(
  s: Scaled,
  a: usize,
  lda: usize,
  b: usize,
  scales: usize,
  terms: usize,
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
  let a2 = a1 + lda
  let a3 = a2 + lda
  const end = c + ldc * 4
  for (let p = c; p != end; p += ldc) setZero(p)
  let x: v128, low: v128, high: v128
  while (groups != 0) {
    let left = min(groups, blockGroups)
    const words0 = words(terms, apart)
    const words1 = words(terms + 16, apart)
    groups -= left
    let at = row
    x = v128.load32_splat(at)
    let c00 = start(x, words0)
    let c01 = start(x, words1)
    at += rowStep
    x = v128.load32_splat(at)
    let c10 = start(x, words0)
    let c11 = start(x, words1)
    at += rowStep
    x = v128.load32_splat(at)
    let c20 = start(x, words0)
    let c21 = start(x, words1)
    at += rowStep
    x = v128.load32_splat(at)
    let c30 = start(x, words0)
    let c31 = start(x, words1)
    for (;;) {
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
      if (left == 1) {
        b += mac.step
        a0 += 4
        a1 += 4
        a2 += 4
        a3 += 4
        break
      }
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
      a0 += 8
      a1 += 8
      a2 += 8
      a3 += 8
      b += 2 * mac.step
      left -= 2
      if (left == 0) break
    }
    at = c
    addScaled(at, c00, scales)
    addScaled(at + 16, c01, scales + 16)
    at += ldc
    addScaled(at, c10, scales)
    addScaled(at + 16, c11, scales + 16)
    at += ldc
    addScaled(at, c20, scales)
    addScaled(at + 16, c21, scales + 16)
    at += ldc
    addScaled(at, c30, scales)
    addScaled(at + 16, c31, scales + 16)
    scales += 32
    terms += 32
    row += blockStep
  }
}
