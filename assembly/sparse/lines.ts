// SPDX-License-Identifier: Apache-2.0
/**
 * A line of C: one column, up to 32 rows, from the weights of the column that are there. float32 takes a weight at a time;
 * bytes take as many as the integer step adds up in a lane (two int16, four bytes), whose rows of A are interleaved for it.
 * What a column has left over is a step with weights of zero. Sums of bytes are exact int32.
 */
import { DOT_IS_ONE, dotPairs, dotU8 } from '../simd/dot'
import { sumLanesI32 } from '../simd/lanes'
import { madd } from '../simd/madd'

/** Rows of a line. */
export const ROWS: u32 = 32
/** Bytes of its sums. */
export const COLUMN: usize = 128

@unmanaged
export abstract class Line {
  /** log2 of the bytes of an element of A. */
  abstract get shift(): u32
  /** log2 of the bytes of a weight. */
  abstract get weight(): u32
  /** 32 rows. */
  abstract tall(a: usize, values: usize, depths: usize, count: u32, to: usize): void
  /** Fewer than 32, as many as 32 are read. */
  abstract short(a: usize, rows: u32, values: usize, depths: usize, count: u32, to: usize): void
  /** Up to four rows. */
  abstract flat(a: usize, rows: u32, values: usize, depths: usize, count: u32, to: usize): void
  /** Sum of the weights of a column of bytes. */
  abstract sum(values: usize, count: u32): i32
}

/**
 * Where the rows of the depth at `at` are in the block at `a`. What is there are bytes in a block of 32 rows: nothing is left
 * to be multiplied in the loops that matter, which is worth a sixth of their time.
 */
// @ts-ignore: decorator
@inline
function placeOf(a: usize, rows: u32, at: usize): usize {
  const offset = load<u32>(at)
  return a + <usize>(rows == ROWS ? offset : (offset >> 5) * rows)
}

/** float32. */
@unmanaged
@final
export class F32Line extends Line {
  @inline
  get shift(): u32 {
    return 2
  }
  @inline
  get weight(): u32 {
    return 2
  }
  @inline
  tall(a: usize, values: usize, depths: usize, count: u32, to: usize): void {
    this.short(a, ROWS, values, depths, count, to)
  }
  /**
   * Loads are what a weight costs, two a cycle: of 32 rows, four weights are loaded as one vector and their places two at a
   * time. `if (!p) break` never breaks: it keeps the compiler from moving the sums of one weight behind those of the next.
   */
  short(a: usize, rows: u32, values: usize, depths: usize, count: u32, to: usize): void {
    let c0 = f32x4.splat(0)
    let c1 = f32x4.splat(0)
    let c2 = f32x4.splat(0)
    let c3 = f32x4.splat(0)
    let c4 = f32x4.splat(0)
    let c5 = f32x4.splat(0)
    let c6 = f32x4.splat(0)
    let c7 = f32x4.splat(0)
    let p: usize, w: v128
    if (rows == ROWS) {
      let two: u64
      const end = values + (<usize>(count >> 2) << 4)
      while (values != end) {
        const four = v128.load(values)
        two = load<u64>(depths)
        w = v128.shuffle<i32>(four, four, 0, 0, 0, 0)
        p = a + <usize><u32>two
        c0 = madd(v128.load(p), w, c0)
        c1 = madd(v128.load(p, 16), w, c1)
        c2 = madd(v128.load(p, 32), w, c2)
        c3 = madd(v128.load(p, 48), w, c3)
        c4 = madd(v128.load(p, 64), w, c4)
        c5 = madd(v128.load(p, 80), w, c5)
        c6 = madd(v128.load(p, 96), w, c6)
        c7 = madd(v128.load(p, 112), w, c7)
        if (!p) break
        w = v128.shuffle<i32>(four, four, 1, 1, 1, 1)
        p = a + <usize>(two >> 32)
        c0 = madd(v128.load(p), w, c0)
        c1 = madd(v128.load(p, 16), w, c1)
        c2 = madd(v128.load(p, 32), w, c2)
        c3 = madd(v128.load(p, 48), w, c3)
        c4 = madd(v128.load(p, 64), w, c4)
        c5 = madd(v128.load(p, 80), w, c5)
        c6 = madd(v128.load(p, 96), w, c6)
        c7 = madd(v128.load(p, 112), w, c7)
        if (!p) break
        two = load<u64>(depths, 8)
        w = v128.shuffle<i32>(four, four, 2, 2, 2, 2)
        p = a + <usize><u32>two
        c0 = madd(v128.load(p), w, c0)
        c1 = madd(v128.load(p, 16), w, c1)
        c2 = madd(v128.load(p, 32), w, c2)
        c3 = madd(v128.load(p, 48), w, c3)
        c4 = madd(v128.load(p, 64), w, c4)
        c5 = madd(v128.load(p, 80), w, c5)
        c6 = madd(v128.load(p, 96), w, c6)
        c7 = madd(v128.load(p, 112), w, c7)
        if (!p) break
        w = v128.shuffle<i32>(four, four, 3, 3, 3, 3)
        p = a + <usize>(two >> 32)
        c0 = madd(v128.load(p), w, c0)
        c1 = madd(v128.load(p, 16), w, c1)
        c2 = madd(v128.load(p, 32), w, c2)
        c3 = madd(v128.load(p, 48), w, c3)
        c4 = madd(v128.load(p, 64), w, c4)
        c5 = madd(v128.load(p, 80), w, c5)
        c6 = madd(v128.load(p, 96), w, c6)
        c7 = madd(v128.load(p, 112), w, c7)
        values += 16
        depths += 16
      }
      count &= 3
    }
    const end = values + (<usize>count << 2)
    while (values != end) {
      w = v128.load32_splat(values)
      p = placeOf(a, rows, depths)
      c0 = madd(v128.load(p), w, c0)
      c1 = madd(v128.load(p, 16), w, c1)
      c2 = madd(v128.load(p, 32), w, c2)
      c3 = madd(v128.load(p, 48), w, c3)
      c4 = madd(v128.load(p, 64), w, c4)
      c5 = madd(v128.load(p, 80), w, c5)
      c6 = madd(v128.load(p, 96), w, c6)
      c7 = madd(v128.load(p, 112), w, c7)
      values += 4
      depths += 4
    }
    storeLine(to, c0, c1, c2, c3, c4, c5, c6, c7)
  }
  flat(a: usize, rows: u32, values: usize, depths: usize, count: u32, to: usize): void {
    let sum = f32x4.splat(0)
    const end = values + (<usize>count << 2)
    while (values != end) {
      sum = madd(v128.load(placeOf(a, rows, depths)), v128.load32_splat(values), sum)
      values += 4
      depths += 4
    }
    v128.store(to, sum)
  }
  @inline
  sum(values: usize, count: u32): i32 {
    return 0
  }
}

/** int16 rows of 0..255 and int16 weights, two weights a step. */
@unmanaged
@final
export class PairsLine extends Line {
  @inline
  get shift(): u32 {
    return 1
  }
  @inline
  get weight(): u32 {
    return 1
  }
  tall(a: usize, values: usize, depths: usize, count: u32, to: usize): void {
    this.sumsOf(a, ROWS, values, depths, count, to)
  }
  short(a: usize, rows: u32, values: usize, depths: usize, count: u32, to: usize): void {
    this.sumsOf(a, rows, values, depths, count, to)
  }
  @inline
  sumsOf(a: usize, rows: u32, values: usize, depths: usize, count: u32, to: usize): void {
    let c0 = i32x4.splat(0)
    let c1 = i32x4.splat(0)
    let c2 = i32x4.splat(0)
    let c3 = i32x4.splat(0)
    let c4 = i32x4.splat(0)
    let c5 = i32x4.splat(0)
    let c6 = i32x4.splat(0)
    let c7 = i32x4.splat(0)
    while (count != 0) {
      const p = placeOf(a, rows, depths)
      let q = p
      let w: v128
      if (count >= 2) {
        w = v128.load32_splat(values)
        q = placeOf(a, rows, depths + 4)
        count -= 2
      } else {
        w = i32x4.splat(<i32>load<u16>(values))
        count = 0
      }
      let x = v128.load(p)
      let y = v128.load(q)
      c0 = dotPairs(zipLow16(x, y), w, c0)
      c1 = dotPairs(zipHigh16(x, y), w, c1)
      x = v128.load(p, 16)
      y = v128.load(q, 16)
      c2 = dotPairs(zipLow16(x, y), w, c2)
      c3 = dotPairs(zipHigh16(x, y), w, c3)
      x = v128.load(p, 32)
      y = v128.load(q, 32)
      c4 = dotPairs(zipLow16(x, y), w, c4)
      c5 = dotPairs(zipHigh16(x, y), w, c5)
      x = v128.load(p, 48)
      y = v128.load(q, 48)
      c6 = dotPairs(zipLow16(x, y), w, c6)
      c7 = dotPairs(zipHigh16(x, y), w, c7)
      values += 4
      depths += 8
    }
    storeLine(to, c0, c1, c2, c3, c4, c5, c6, c7)
  }
  flat(a: usize, rows: u32, values: usize, depths: usize, count: u32, to: usize): void {
    let sum = i32x4.splat(0)
    while (count != 0) {
      const p = placeOf(a, rows, depths)
      let q = p
      let w: v128
      if (count >= 2) {
        w = v128.load32_splat(values)
        q = placeOf(a, rows, depths + 4)
        count -= 2
      } else {
        w = i32x4.splat(<i32>load<u16>(values))
        count = 0
      }
      sum = dotPairs(zipLow16(v128.load64_zero(p), v128.load64_zero(q)), w, sum)
      values += 4
      depths += 8
    }
    v128.store(to, sum)
  }
  sum(values: usize, count: u32): i32 {
    let sum = i32x4.splat(0)
    for (; count >= 8; count -= 8) {
      sum = i32x4.add(sum, i32x4.extadd_pairwise_i16x8_s(v128.load(values)))
      values += 16
    }
    let total = sumLanesI32(sum)
    for (; count != 0; --count) {
      total += <i32>load<i16>(values)
      values += 2
    }
    return total
  }
}

/**
 * Rows and weights of bytes, four weights a step. A is what the host's dot reads as its second operand. A build that emulates
 * the dot has this to be complete, not to be fast, and takes four rows after the other.
 */
@unmanaged
@final
export class DotLine extends Line {
  @inline
  get shift(): u32 {
    return 0
  }
  @inline
  get weight(): u32 {
    return 0
  }
  tall(a: usize, values: usize, depths: usize, count: u32, to: usize): void {
    if (DOT_IS_ONE) this.sumsOf(a, ROWS, values, depths, count, to)
    else this.short(a, ROWS, values, depths, count, to)
  }
  short(a: usize, rows: u32, values: usize, depths: usize, count: u32, to: usize): void {
    if (DOT_IS_ONE) this.sumsOf(a, rows, values, depths, count, to)
    else for (let i: u32 = 0; i < rows; i += 4) this.flat(a + i, rows, values, depths, count, to + (<usize>i << 2))
  }
  @inline
  sumsOf(a: usize, rows: u32, values: usize, depths: usize, count: u32, to: usize): void {
    let c0 = i32x4.splat(0)
    let c1 = i32x4.splat(0)
    let c2 = i32x4.splat(0)
    let c3 = i32x4.splat(0)
    let c4 = i32x4.splat(0)
    let c5 = i32x4.splat(0)
    let c6 = i32x4.splat(0)
    let c7 = i32x4.splat(0)
    while (count != 0) {
      const p0 = placeOf(a, rows, depths)
      let p1 = p0
      let p2 = p0
      let p3 = p0
      let w: v128
      if (count >= 4) {
        w = v128.load32_splat(values)
        p1 = placeOf(a, rows, depths + 4)
        p2 = placeOf(a, rows, depths + 8)
        p3 = placeOf(a, rows, depths + 12)
        count -= 4
      } else {
        w = i32x4.splat(fewWeights(values, count))
        if (count > 1) p1 = placeOf(a, rows, depths + 4)
        if (count > 2) p2 = placeOf(a, rows, depths + 8)
        count = 0
      }
      let x = v128.load(p0)
      let y = v128.load(p1)
      let z = v128.load(p2)
      let v = v128.load(p3)
      let xy = zipLow8(x, y)
      let zv = zipLow8(z, v)
      c0 = dotU8(w, zipLow16(xy, zv), c0)
      c1 = dotU8(w, zipHigh16(xy, zv), c1)
      xy = zipHigh8(x, y)
      zv = zipHigh8(z, v)
      c2 = dotU8(w, zipLow16(xy, zv), c2)
      c3 = dotU8(w, zipHigh16(xy, zv), c3)
      x = v128.load(p0, 16)
      y = v128.load(p1, 16)
      z = v128.load(p2, 16)
      v = v128.load(p3, 16)
      xy = zipLow8(x, y)
      zv = zipLow8(z, v)
      c4 = dotU8(w, zipLow16(xy, zv), c4)
      c5 = dotU8(w, zipHigh16(xy, zv), c5)
      xy = zipHigh8(x, y)
      zv = zipHigh8(z, v)
      c6 = dotU8(w, zipLow16(xy, zv), c6)
      c7 = dotU8(w, zipHigh16(xy, zv), c7)
      values += 4
      depths += 16
    }
    storeLine(to, c0, c1, c2, c3, c4, c5, c6, c7)
  }
  flat(a: usize, rows: u32, values: usize, depths: usize, count: u32, to: usize): void {
    let sum = i32x4.splat(0)
    while (count != 0) {
      const p0 = placeOf(a, rows, depths)
      let p1 = p0
      let p2 = p0
      let p3 = p0
      let w: v128
      if (count >= 4) {
        w = v128.load32_splat(values)
        p1 = placeOf(a, rows, depths + 4)
        p2 = placeOf(a, rows, depths + 8)
        p3 = placeOf(a, rows, depths + 12)
        count -= 4
      } else {
        w = i32x4.splat(fewWeights(values, count))
        if (count > 1) p1 = placeOf(a, rows, depths + 4)
        if (count > 2) p2 = placeOf(a, rows, depths + 8)
        count = 0
      }
      const xy = zipLow8(v128.load32_zero(p0), v128.load32_zero(p1))
      const zv = zipLow8(v128.load32_zero(p2), v128.load32_zero(p3))
      sum = dotU8(w, zipLow16(xy, zv), sum)
      values += 4
      depths += 16
    }
    v128.store(to, sum)
  }
  sum(values: usize, count: u32): i32 {
    let sum = i32x4.splat(0)
    for (; count >= 16; count -= 16) {
      sum = i32x4.add(sum, i32x4.extadd_pairwise_i16x8_s(i16x8.extadd_pairwise_i8x16_s(v128.load(values))))
      values += 16
    }
    let total = sumLanesI32(sum)
    for (; count != 0; --count) {
      total += <i32>load<i8>(values)
      values += 1
    }
    return total
  }
}

/** One to three bytes in the low end of a word. */
// @ts-ignore: decorator
@inline
function fewWeights(values: usize, count: u32): i32 {
  let word = <u32>load<u8>(values)
  if (count > 1) word |= <u32>load<u8>(values, 1) << 8
  if (count > 2) word |= <u32>load<u8>(values, 2) << 16
  return <i32>word
}

/** x0 y0 x1 y1 … of the low, and of the high half. */
// @ts-ignore: decorator
@inline
function zipLow8(x: v128, y: v128): v128 {
  return v128.shuffle<i8>(x, y, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
}
// @ts-ignore: decorator
@inline
function zipHigh8(x: v128, y: v128): v128 {
  return v128.shuffle<i8>(x, y, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
}
// @ts-ignore: decorator
@inline
function zipLow16(x: v128, y: v128): v128 {
  return v128.shuffle<i16>(x, y, 0, 8, 1, 9, 2, 10, 3, 11)
}
// @ts-ignore: decorator
@inline
function zipHigh16(x: v128, y: v128): v128 {
  return v128.shuffle<i16>(x, y, 4, 12, 5, 13, 6, 14, 7, 15)
}

// @ts-ignore: decorator
@inline
function storeLine(to: usize, c0: v128, c1: v128, c2: v128, c3: v128, c4: v128, c5: v128, c6: v128, c7: v128): void {
  v128.store(to, c0)
  v128.store(to, c1, 16)
  v128.store(to, c2, 32)
  v128.store(to, c3, 48)
  v128.store(to, c4, 64)
  v128.store(to, c5, 80)
  v128.store(to, c6, 96)
  v128.store(to, c7, 112)
}
