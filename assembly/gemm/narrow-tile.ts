// SPDX-License-Identifier: Apache-2.0
/**
 * The loop nest of narrow weights on hosts whose byte dot adds two products in int16, exactly where weights are narrow (kernels/gemm.ts). Pairs of
 * such sums are multiplied by ones or by shares of scales as they are added up in int32, which costs the same: three instructions for 16
 * products, where the host's own dot takes five.
 */
import { dotBytes16, dotPairs } from '../simd/dot'
import { storeColumns } from './columns'
import { highShares, lowShares } from './shared-sum'

/** acc + the pairs of w * a, each times its share. */
// @ts-ignore: decorator
@inline
function mac(a: v128, w: v128, share: v128, acc: v128): v128 {
  return dotPairs(dotBytes16(w, a), share, acc)
}

/**
 * The int32 of 4 rows x 8 columns, of which `cols` are written; a block has `block` groups, and 16 bytes of shares (shared-sum.ts). No
 * shares: one block, of ones. The questions keep the order of sums, as in scaled-tile.ts.
 */
export function narrow4x8(
  a: usize,
  lda: usize,
  b: usize,
  groups: u32,
  shares: usize,
  block: u32,
  c: usize,
  ldc: usize,
  cols: u32,
): void {
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
    const all = shares ? v128.load(shares) : i16x8.splat(1)
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
      if (left == 1) break
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
      if (left == 2) break
      low = v128.load(b, 64)
      high = v128.load(b, 80)
      x = v128.load32_splat(a0, 8)
      c00 = mac(x, low, s0, c00)
      c01 = mac(x, high, s1, c01)
      x = v128.load32_splat(a1, 8)
      c10 = mac(x, low, s0, c10)
      c11 = mac(x, high, s1, c11)
      x = v128.load32_splat(a2, 8)
      c20 = mac(x, low, s0, c20)
      c21 = mac(x, high, s1, c21)
      x = v128.load32_splat(a3, 8)
      c30 = mac(x, low, s0, c30)
      c31 = mac(x, high, s1, c31)
      if (left == 3) break
      low = v128.load(b, 96)
      high = v128.load(b, 112)
      x = v128.load32_splat(a0, 12)
      c00 = mac(x, low, s0, c00)
      c01 = mac(x, high, s1, c01)
      x = v128.load32_splat(a1, 12)
      c10 = mac(x, low, s0, c10)
      c11 = mac(x, high, s1, c11)
      x = v128.load32_splat(a2, 12)
      c20 = mac(x, low, s0, c20)
      c21 = mac(x, high, s1, c21)
      x = v128.load32_splat(a3, 12)
      c30 = mac(x, low, s0, c30)
      c31 = mac(x, high, s1, c31)
      a0 += 16
      a1 += 16
      a2 += 16
      a3 += 16
      b += 128
      left -= 4
      if (left == 0) break
    }
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
