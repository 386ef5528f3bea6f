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
  /** Rows of the tallest tile that fits 15 vector registers: 6, or 4 where a product needs one of its own. */
  abstract get rows(): u32
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
  mac(a: v128, b: v128, acc: v128): v128 {
    return madd(a, b, acc)
  }
}

/**
 * Bytes; a group is four k. Panels: [k/4][8][4] int8. A is read as the host's dot reads its second operand (unsigned
 * or signed, see simd/dot); a build that emulates the dot reads it unsigned.
 */
@unmanaged
@final
export class S8Dot extends Mac {
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
  get rows(): u32 {
    return DOT_IS_ONE ? 6 : 4
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
  mac(a: v128, b: v128, acc: v128): v128 {
    return dotPairs(b, a, acc)
  }
}
