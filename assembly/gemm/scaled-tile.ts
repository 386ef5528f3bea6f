// SPDX-License-Identifier: Apache-2.0
/**
 * The tall loop nests of products whose weights have a scale per block of K. As in tile.ts sums stay in registers, but
 * over one block only: then they are scaled and added to the tile, which lies in the thread's scratch until it is complete. So
 * do the numbers that are wanted once a block: pointers of the innermost loop would go to the stack for them, each time round.
 * `scales` are those of the panel, 32 bytes a block. A round of that loop is four groups, each of which may be the last: the
 * questions keep the compiler from doing all four for one sum after the other, which takes more registers than there are.
 */
import { dotPairs } from '../simd/dot'
import { Mac } from './mac'
import { addScaled, Tile } from './scaled-sum'

/** 6 rows x 8 columns. */
export function scaled6x8<M extends Mac>(tile: Tile, a: usize, lda: usize, b: usize, scales: usize): void {
  const mac = changetype<M>(0)
  const at = changetype<usize>(tile)
  let a0 = a
  let a1 = a0 + lda
  let a2 = a1 + lda
  let a3 = a2 + lda
  let a4 = a3 + lda
  let a5 = a4 + lda
  let x: v128, low: v128, high: v128
  do {
    let left = min(tile.block, tile.groups)
    tile.groups -= left
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
      if (left == 1) break
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
      if (left == 2) break
      low = mac.low(b + 2 * mac.step)
      high = mac.high(b + 2 * mac.step)
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
      if (left == 3) break
      low = mac.nextLow(b + 2 * mac.step)
      high = mac.nextHigh(b + 2 * mac.step)
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
      left -= 4
      if (left == 0) break
    }
    if (left != 0) {
      b += left * mac.step
      left <<= 2
      a0 += left
      a1 += left
      a2 += left
      a3 += left
      a4 += left
      a5 += left
    }
    const zeros = tile.zeros
    if (zeros) {
      low = v128.load(zeros)
      high = v128.load(zeros, 16)
      tile.zeros = zeros + 32
      let row = tile.rowSums
      tile.rowSums = row + 4
      x = v128.load32_splat(row)
      c00 = dotPairs(low, x, c00)
      c01 = dotPairs(high, x, c01)
      row += tile.rowStep
      x = v128.load32_splat(row)
      c10 = dotPairs(low, x, c10)
      c11 = dotPairs(high, x, c11)
      row += tile.rowStep
      x = v128.load32_splat(row)
      c20 = dotPairs(low, x, c20)
      c21 = dotPairs(high, x, c21)
      row += tile.rowStep
      x = v128.load32_splat(row)
      c30 = dotPairs(low, x, c30)
      c31 = dotPairs(high, x, c31)
      row += tile.rowStep
      x = v128.load32_splat(row)
      c40 = dotPairs(low, x, c40)
      c41 = dotPairs(high, x, c41)
      row += tile.rowStep
      x = v128.load32_splat(row)
      c50 = dotPairs(low, x, c50)
      c51 = dotPairs(high, x, c51)
    }
    low = v128.load(scales)
    high = v128.load(scales, 16)
    v128.store(at, addScaled(v128.load(at, 32), c00, low), 32)
    v128.store(at, addScaled(v128.load(at, 48), c01, high), 48)
    v128.store(at, addScaled(v128.load(at, 64), c10, low), 64)
    v128.store(at, addScaled(v128.load(at, 80), c11, high), 80)
    v128.store(at, addScaled(v128.load(at, 96), c20, low), 96)
    v128.store(at, addScaled(v128.load(at, 112), c21, high), 112)
    v128.store(at, addScaled(v128.load(at, 128), c30, low), 128)
    v128.store(at, addScaled(v128.load(at, 144), c31, high), 144)
    v128.store(at, addScaled(v128.load(at, 160), c40, low), 160)
    v128.store(at, addScaled(v128.load(at, 176), c41, high), 176)
    v128.store(at, addScaled(v128.load(at, 192), c50, low), 192)
    v128.store(at, addScaled(v128.load(at, 208), c51, high), 208)
    scales += 32
  } while (tile.groups != 0)
}

/** 4 rows x 8 columns. */
export function scaled4x8<M extends Mac>(tile: Tile, a: usize, lda: usize, b: usize, scales: usize): void {
  const mac = changetype<M>(0)
  const at = changetype<usize>(tile)
  let a0 = a
  let a1 = a0 + lda
  let a2 = a1 + lda
  let a3 = a2 + lda
  let x: v128, low: v128, high: v128
  do {
    let left = min(tile.block, tile.groups)
    tile.groups -= left
    let c00 = i32x4.splat(0)
    let c01 = i32x4.splat(0)
    let c10 = i32x4.splat(0)
    let c11 = i32x4.splat(0)
    let c20 = i32x4.splat(0)
    let c21 = i32x4.splat(0)
    let c30 = i32x4.splat(0)
    let c31 = i32x4.splat(0)
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
      if (left == 1) break
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
      if (left == 2) break
      low = mac.low(b + 2 * mac.step)
      high = mac.high(b + 2 * mac.step)
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
      if (left == 3) break
      low = mac.nextLow(b + 2 * mac.step)
      high = mac.nextHigh(b + 2 * mac.step)
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
      a0 += 16
      a1 += 16
      a2 += 16
      a3 += 16
      b += 4 * mac.step
      left -= 4
      if (left == 0) break
    }
    if (left != 0) {
      b += left * mac.step
      left <<= 2
      a0 += left
      a1 += left
      a2 += left
      a3 += left
    }
    const zeros = tile.zeros
    if (zeros) {
      low = v128.load(zeros)
      high = v128.load(zeros, 16)
      tile.zeros = zeros + 32
      let row = tile.rowSums
      tile.rowSums = row + 4
      x = v128.load32_splat(row)
      c00 = dotPairs(low, x, c00)
      c01 = dotPairs(high, x, c01)
      row += tile.rowStep
      x = v128.load32_splat(row)
      c10 = dotPairs(low, x, c10)
      c11 = dotPairs(high, x, c11)
      row += tile.rowStep
      x = v128.load32_splat(row)
      c20 = dotPairs(low, x, c20)
      c21 = dotPairs(high, x, c21)
      row += tile.rowStep
      x = v128.load32_splat(row)
      c30 = dotPairs(low, x, c30)
      c31 = dotPairs(high, x, c31)
    }
    low = v128.load(scales)
    high = v128.load(scales, 16)
    v128.store(at, addScaled(v128.load(at, 32), c00, low), 32)
    v128.store(at, addScaled(v128.load(at, 48), c01, high), 48)
    v128.store(at, addScaled(v128.load(at, 64), c10, low), 64)
    v128.store(at, addScaled(v128.load(at, 80), c11, high), 80)
    v128.store(at, addScaled(v128.load(at, 96), c20, low), 96)
    v128.store(at, addScaled(v128.load(at, 112), c21, high), 112)
    v128.store(at, addScaled(v128.load(at, 128), c30, low), 128)
    v128.store(at, addScaled(v128.load(at, 144), c31, high), 144)
    scales += 32
  } while (tile.groups != 0)
}
