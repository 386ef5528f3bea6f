// SPDX-License-Identifier: Apache-2.0
/**
 * What one step of a tile along K loads and does. A step takes one group of k: 4 bytes of a row of A, splat over the
 * lanes, and one group of 8 columns of a panel of B, as two vectors of 4 columns. Accumulators are v128, so the loop
 * nests of tile.ts do not know whether they hold float32 or int32.
 */
import { DOT_IS_ONE, dotPairs, dotU8 } from '../simd/dot'
import { MADD_IS_ONE, madd } from '../simd/madd'

@unmanaged
export abstract class Mac {
  /** log2 of the bytes of an element of A. */
  abstract get shift(): u32
  /** Groups that `k` elements make. */
  abstract groups(k: u32): u32
  /** Bytes of a group of 8 columns of B. */
  abstract get step(): u32
  /** Columns 0..3 and 4..7 of the group at `b`. */
  abstract low(b: usize): v128
  abstract high(b: usize): v128
  /** Columns 0..3 and 4..7 of the group after the one at `b`. */
  abstract nextLow(b: usize): v128
  abstract nextHigh(b: usize): v128
  /**
   * Rows of the tallest tile that fits 15 vector registers: 6, or 4 where a product needs one of its own. Less where taller
   * ones gain nothing: a build that emulates the dot has it to be complete, not to be fast.
   */
  abstract get rows(): u32
  /** What is added to stored weights. */
  abstract get offset(): i32
  /** acc + a * b. */
  abstract mac(a: v128, b: v128, acc: v128): v128
}

/** float32; a group is one k. Panels: [k][8] float32. */
@unmanaged
@final
export class F32 extends Mac {
  @inline
  get shift(): u32 {
    return 2
  }
  @inline
  groups(k: u32): u32 {
    return k
  }
  @inline
  get step(): u32 {
    return 32
  }
  @inline
  low(b: usize): v128 {
    return v128.load(b)
  }
  @inline
  high(b: usize): v128 {
    return v128.load(b, 16)
  }
  @inline
  nextLow(b: usize): v128 {
    return v128.load(b, 32)
  }
  @inline
  nextHigh(b: usize): v128 {
    return v128.load(b, 48)
  }
  @inline
  get rows(): u32 {
    return MADD_IS_ONE ? 6 : 4
  }
  @inline
  get offset(): i32 {
    return 0
  }
  @inline
  mac(a: v128, b: v128, acc: v128): v128 {
    return madd(a, b, acc)
  }
}

/**
 * Bytes; a group is four k. Panels: [k/4][8][4] int8. A is read as the host's dot reads its second operand (unsigned
 * or signed, see simd/dot); a build that emulates the dot reads it unsigned.
 */
@unmanaged
abstract class Bytes extends Mac {
  @inline
  get shift(): u32 {
    return 0
  }
  @inline
  groups(k: u32): u32 {
    return (k >> 2) + u32((k & 3) != 0)
  }
  @inline
  get step(): u32 {
    return 32
  }
  @inline
  low(b: usize): v128 {
    return v128.load(b)
  }
  @inline
  high(b: usize): v128 {
    return v128.load(b, 16)
  }
  @inline
  nextLow(b: usize): v128 {
    return v128.load(b, 32)
  }
  @inline
  nextHigh(b: usize): v128 {
    return v128.load(b, 48)
  }
  @inline
  get offset(): i32 {
    return 0
  }
}

/** By the host's dot. */
@unmanaged
@final
export class S8Dot extends Bytes {
  @inline
  get rows(): u32 {
    return DOT_IS_ONE ? 6 : 1
  }
  @inline
  mac(a: v128, b: v128, acc: v128): v128 {
    return dotU8(b, a, acc)
  }
}

/** 4-bit weights for the dot; a group is four k, two groups share their bytes. Panels: [k/8][8][4]. */
@unmanaged
@final
export class S4Dot extends Mac {
  @inline
  get shift(): u32 {
    return 0
  }
  @inline
  groups(k: u32): u32 {
    return ((k >> 3) + u32((k & 7) != 0)) << 1
  }
  @inline
  get step(): u32 {
    return 16
  }
  @inline
  low(b: usize): v128 {
    return v128.and(v128.load(b), i8x16.splat(15))
  }
  @inline
  high(b: usize): v128 {
    return v128.and(v128.load(b, 16), i8x16.splat(15))
  }
  @inline
  nextLow(b: usize): v128 {
    return v128.and(i16x8.shr_u(v128.load(b), 4), i8x16.splat(15))
  }
  @inline
  nextHigh(b: usize): v128 {
    return v128.and(i16x8.shr_u(v128.load(b, 16), 4), i8x16.splat(15))
  }
  @inline
  get rows(): u32 {
    return DOT_IS_ONE ? 2 : 1
  }
  @inline
  get offset(): i32 {
    return 8
  }
  @inline
  mac(a: v128, b: v128, acc: v128): v128 {
    return dotU8(b, a, acc)
  }
}

/** int16 against int8; a group is two k. Panels: [k/2][8][2] int8, widened as they are loaded. Exact on every host. */
@unmanaged
@final
export class S8Pairs extends Mac {
  @inline
  get shift(): u32 {
    return 1
  }
  @inline
  groups(k: u32): u32 {
    return (k >> 1) + (k & 1)
  }
  @inline
  get step(): u32 {
    return 16
  }
  @inline
  low(b: usize): v128 {
    return v128.load8x8_s(b)
  }
  @inline
  high(b: usize): v128 {
    return v128.load8x8_s(b, 8)
  }
  @inline
  nextLow(b: usize): v128 {
    return v128.load8x8_s(b, 16)
  }
  @inline
  nextHigh(b: usize): v128 {
    return v128.load8x8_s(b, 24)
  }
  @inline
  get rows(): u32 {
    return 4
  }
  @inline
  get offset(): i32 {
    return 0
  }
  @inline
  mac(a: v128, b: v128, acc: v128): v128 {
    return dotPairs(b, a, acc)
  }
}

/** int16 against 4-bit weights; a group is two k, two groups share their bytes. Panels: [k/4][8][2]. */
@unmanaged
@final
export class S4Pairs extends Mac {
  @inline
  get shift(): u32 {
    return 1
  }
  @inline
  groups(k: u32): u32 {
    return ((k >> 2) + u32((k & 3) != 0)) << 1
  }
  @inline
  get step(): u32 {
    return 8
  }
  @inline
  low(b: usize): v128 {
    return v128.and(v128.load8x8_u(b), i16x8.splat(15))
  }
  @inline
  high(b: usize): v128 {
    return v128.and(v128.load8x8_u(b, 8), i16x8.splat(15))
  }
  @inline
  nextLow(b: usize): v128 {
    return i16x8.shr_u(v128.load8x8_u(b), 4)
  }
  @inline
  nextHigh(b: usize): v128 {
    return i16x8.shr_u(v128.load8x8_u(b, 8), 4)
  }
  @inline
  get rows(): u32 {
    // relaxed builds have faster ways on all hosts: there it is complete, not fast
    return ASC_FEATURE_RELAXED_SIMD ? 1 : 2
  }
  @inline
  get offset(): i32 {
    return 8
  }
  @inline
  mac(a: v128, b: v128, acc: v128): v128 {
    return dotPairs(b, a, acc)
  }
}
