// SPDX-License-Identifier: Apache-2.0
/**
 * Products of narrow weights with a scale per block of K, for hosts whose byte dot adds two products in int16: units as in
 * product.ts, one batch. Such sums are multiplied by shares of scales where dotNarrow multiplies them by ones, so that sums go on in
 * int32 over 1024 k. Fewer than four rows go by the host's dot and by the scales themselves.
 */
import { DOT_IS_ONE, dotBytes16, dotPairs } from '../simd/dot'
import { ceilDiv } from '../units'
import { S8Dot } from './mac'
import { finishScaled, scaledFlat } from './scaled'
import { highShares, lowShares, settle, SUMS } from './shared-sum'
import { Epilogue, Product, Shared } from './views'

/** k whose shares allow for a sum in int32 (src/kernels/pack.ts). */
const SUMMED: u32 = 1024

/** Units [from, to). */
export function multiplyNarrow(p: Product, s: Shared, epilogue: Epilogue, from: u32, to: u32, thread: u32): void {
  const nBlocks = ceilDiv(p.n, p.nb)
  const groups = ceilDiv(p.k, 4)
  const panel = <usize>groups << 5
  const lda = <usize>p.lda
  const ldc = <usize>p.ldc << 2
  const scratch = s.scratch + <usize>thread * s.scratchBytes
  for (let unit = from; unit < to; ++unit) {
    const col = (unit % nBlocks) * p.nb
    const cols = min(p.nb, p.n - col)
    let row = (unit / nBlocks) * p.mb
    const end = min(row + p.mb, p.m)
    const b = p.b + <usize>(col >> 3) * panel
    while (row < end) {
      const left = end - row
      const rows: u32 = left >= 4 ? 4 : DOT_IS_ONE && left >= 2 ? 2 : 1
      const a = p.a + <usize>row * lda
      const c = p.c + <usize>row * ldc + (<usize>col << 2)
      if (rows < 4) scaledFlat<S8Dot>(p, s, a, lda, row, rows, b, panel, groups, c, ldc, col, cols, scratch)
      else {
        for (let j: u32 = 0; j < cols; j += 8) {
          narrowTall(p, s, a, lda, row, b + <usize>(j >> 3) * panel, groups, c + (<usize>j << 2), ldc, col + j, min<u32>(8, cols - j), scratch)
        }
      }
      finishScaled(s, epilogue, c, ldc, row, rows, col, cols)
      row += rows
    }
  }
}

/** Four rows from `row` on and one panel. */
function narrowTall(
  p: Product,
  s: Shared,
  a: usize,
  lda: usize,
  row: u32,
  b: usize,
  groups: u32,
  c: usize,
  ldc: usize,
  col: u32,
  cols: u32,
  scratch: usize,
): void {
  let shares = s.wShares + <usize>(col >> 3) * (<usize>ceilDiv(p.k, s.block) << 4)
  const step = <usize>(SUMMED / s.block) << 4
  for (let left = groups; ; ) {
    const taken = min(left, SUMMED >> 2)
    narrow4x8(a, lda, b, taken, shares, s.block >> 2, scratch + SUMS)
    settle(s, left == groups, scratch, row, 4, col, cols, c, ldc)
    left -= taken
    if (left == 0) return
    a += SUMMED
    b += SUMMED << 3
    shares += step
  }
}

/** acc + the pairs of w * a, each times its share. */
// @ts-ignore: decorator
@inline
function mac(a: v128, w: v128, share: v128, acc: v128): v128 {
  return dotPairs(dotBytes16(w, a), share, acc)
}

/**
 * The int32 of 4 rows x 8 columns, to rows of 32 bytes at `to`; a block has `block` groups, and 16 bytes of shares. A round is two groups,
 * of which the first may be the last: the question keeps the order of sums, as in scaled-tile.ts.
 */
function narrow4x8(a: usize, lda: usize, b: usize, groups: u32, shares: usize, block: u32, to: usize): void {
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
  while (groups != 0) {
    let left = min(block, groups)
    groups -= left
    const all = v128.load(shares)
    const s0 = lowShares(all)
    const s1 = highShares(all)
    shares += 16
    for (;;) {
      let low = v128.load(b)
      let high = v128.load(b, 16)
      let x = v128.load32_splat(a0)
      c00 = mac(x, low, s0, c00)
      c01 = mac(x, high, s1, c01)
      x = v128.load32_splat(a1)
      c10 = mac(x, low, s0, c10)
      c11 = mac(x, high, s1, c11)
      x = v128.load32_splat(a2)
      c20 = mac(x, low, s0, c20)
      c21 = mac(x, high, s1, c21)
      x = v128.load32_splat(a3)
      c30 = mac(x, low, s0, c30)
      c31 = mac(x, high, s1, c31)
      if (left == 1) {
        a0 += 4
        a1 += 4
        a2 += 4
        a3 += 4
        b += 32
        break
      }
      low = v128.load(b, 32)
      high = v128.load(b, 48)
      x = v128.load32_splat(a0, 4)
      c00 = mac(x, low, s0, c00)
      c01 = mac(x, high, s1, c01)
      x = v128.load32_splat(a1, 4)
      c10 = mac(x, low, s0, c10)
      c11 = mac(x, high, s1, c11)
      x = v128.load32_splat(a2, 4)
      c20 = mac(x, low, s0, c20)
      c21 = mac(x, high, s1, c21)
      x = v128.load32_splat(a3, 4)
      c30 = mac(x, low, s0, c30)
      c31 = mac(x, high, s1, c31)
      a0 += 8
      a1 += 8
      a2 += 8
      a3 += 8
      b += 64
      left -= 2
      if (left == 0) break
    }
  }
  v128.store(to, c00)
  v128.store(to, c01, 16)
  v128.store(to, c10, 32)
  v128.store(to, c11, 48)
  v128.store(to, c20, 64)
  v128.store(to, c21, 80)
  v128.store(to, c30, 96)
  v128.store(to, c31, 112)
}
