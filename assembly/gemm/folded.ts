// SPDX-License-Identifier: Apache-2.0
/**
 * Products of int16 rows and weights with a scale per block of K, for hosts that multiply int16 pairs: the scales of a panel
 * are folded into its weights, once for all rows of a unit, and one int32 sum goes over many blocks. In scratch a weight is an
 * int16: what it means, in units of a 256th of the largest scale of its column (a 2048th for 4 bits). It is off by at most one
 * unit: half a unit by its own rounding, half by that of its scale.
 */
import { dotPairs } from '../simd/dot'
import { ceilDiv } from '../units'
import { copyRows, TILE_ROW } from './columns'
import { Mac } from './mac'
import { finishScaled, scaledFlat } from './scaled'
import { finishColumns } from './shared-sum'
import { Epilogue, Product, RowParams, Scaled } from './views'

/** Groups whose sum is an int32 for sure: 256 * 255 * 2^15 < 2^31. */
const SUMMED: u32 = 128
/** Rows of the product from which on making panels pays: it takes as long as multiplying ten rows by them (docs/performance.md). */
const LEAST_ROWS: u32 = 16
/** Rows that are finished together, an even number: their results are in the first-level cache then. */
const FINISHED: u32 = 64
/** In scratch: a tile of 2 rows x 16 columns, the units of 16 columns, their panels. */
const UNITS: usize = 128
const PANELS: usize = UNITS + 64

/** Units [from, to); M is the step of the stored weights. */
export function multiplyFolded<M extends Mac>(
  p: Product,
  s: Scaled,
  epilogue: Epilogue,
  from: u32,
  to: u32,
  thread: u32,
): void {
  const mac = changetype<M>(0)
  const bits: u32 = mac.offset ? 4 : 8
  // relaxed builds have faster ways for 4 bits on all hosts: there it is complete, not fast
  const alone = ASC_FEATURE_RELAXED_SIMD && mac.offset != 0
  const nBlocks = ceilDiv(p.n, p.nb)
  const stored = <usize>mac.groups(p.k) * mac.step
  const groups = ceilDiv(p.k, 2)
  const side = <usize>ceilDiv(p.k, s.block) << 5
  const lda = <usize>p.lda << 1
  const ldc = <usize>p.ldc << 2
  const scratch = s.scratch + <usize>thread * s.scratchBytes
  for (let unit = from; unit < to; ++unit) {
    const col = (unit % nBlocks) * p.nb
    const cols = min(p.nb, p.n - col)
    let row = (unit / nBlocks) * p.mb
    const end = min(row + p.mb, p.m)
    const b = p.b + <usize>(col >> 3) * stored
    if (alone || p.m >= LEAST_ROWS) {
      for (let j: u32 = 0; j < cols; j += 16) {
        const left = min<u32>(16, cols - j)
        for (let i: u32 = 0; i < left; i += 8) {
          const index = <usize>((col + j + i) >> 3)
          const at = index * side
          const half = <usize>(i >> 3)
          fold(
            bits, p.b + index * stored, scratch + PANELS + (half << 5), p.k, s.block,
            s.wScale + at, side, s.wZeros ? s.wZeros + at : 0, scratch + UNITS + (half << 5),
          )
        }
        for (let i = row; i < end; ) {
          const first = i
          const c = p.c + <usize>i * ldc + (<usize>(col + j) << 2)
          let to = c
          for (const stop = min(i + FINISHED, end); i < stop; i += 2) {
            multiplyRows(s, p.a + <usize>i * lda, lda, i, min<u32>(2, stop - i), groups, to, ldc, col + j, left, scratch)
            to += 2 * ldc
          }
          finishScaled(s, epilogue, c, ldc, first, min(i, end) - first, col + j, left)
        }
      }
      continue
    }
    while (row < end) {
      const taken: u32 = mac.rows >= 2 && end - row >= 2 ? 2 : 1
      const a = p.a + <usize>row * lda
      const c = p.c + <usize>row * ldc + (<usize>col << 2)
      scaledFlat<M>(p, s, a, lda, row, taken, b, stored, mac.groups(p.k), c, ldc, col, cols, scratch)
      finishScaled(s, epilogue, c, ldc, row, taken, col, cols)
      row += taken
    }
  }
}

/** One or two rows times the panels in scratch, to the first `cols` columns of C. */
function multiplyRows(
  s: Scaled,
  a: usize,
  lda: usize,
  row: u32,
  rows: u32,
  groups: u32,
  c: usize,
  ldc: usize,
  col: u32,
  cols: u32,
  scratch: usize,
): void {
  const params = s.aParams + <usize>row * offsetof<RowParams>()
  // a single row is taken twice
  const second: usize = rows - 1
  const zero0 = changetype<RowParams>(params).zero
  const zero1 = changetype<RowParams>(params + second * offsetof<RowParams>()).zero
  const whole = cols == 16
  const to = whole ? c : scratch
  const step = second * (whole ? ldc : 2 * TILE_ROW)
  let b = scratch + PANELS
  for (let left = groups; ; ) {
    const taken = min(left, SUMMED)
    tile2x16(a, second * lda, b, taken, to, step, scratch + UNITS, s.wSum + (<usize>col << 2), zero0, zero1, left == groups)
    left -= taken
    if (left == 0) break
    a += <usize>taken << 2
    b += <usize>taken << 6
  }
  if (whole) return
  for (let from = scratch; rows != 0; --rows) {
    copyRows(from, c, ldc, 1, cols)
    if (cols > 8) copyRows(from + TILE_ROW, c + TILE_ROW, ldc, 1, cols - 8)
    from += 2 * TILE_ROW
    c += ldc
  }
}

/**
 * 2 rows x 16 columns of the panels in scratch, [k/2][16][2] int16; C is begun with what the rows' zeros take off, or added to. The
 * questions between groups keep their order, as in scaled-tile.ts. Rows may be the same one.
 */
function tile2x16(
  a: usize,
  lda: usize,
  b: usize,
  groups: u32,
  c: usize,
  ldc: usize,
  units: usize,
  wSum: usize,
  zero0: i32,
  zero1: i32,
  first: bool,
): void {
  let a1 = a + lda
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
    x0 = v128.load32_splat(a)
    x1 = v128.load32_splat(a1)
    w = v128.load(b)
    c00 = dotPairs(w, x0, c00)
    c10 = dotPairs(w, x1, c10)
    w = v128.load(b, 16)
    c01 = dotPairs(w, x0, c01)
    c11 = dotPairs(w, x1, c11)
    w = v128.load(b, 32)
    c02 = dotPairs(w, x0, c02)
    c12 = dotPairs(w, x1, c12)
    w = v128.load(b, 48)
    c03 = dotPairs(w, x0, c03)
    c13 = dotPairs(w, x1, c13)
    if (groups == 1) break
    x0 = v128.load32_splat(a, 4)
    x1 = v128.load32_splat(a1, 4)
    w = v128.load(b, 64)
    c00 = dotPairs(w, x0, c00)
    c10 = dotPairs(w, x1, c10)
    w = v128.load(b, 80)
    c01 = dotPairs(w, x0, c01)
    c11 = dotPairs(w, x1, c11)
    w = v128.load(b, 96)
    c02 = dotPairs(w, x0, c02)
    c12 = dotPairs(w, x1, c12)
    w = v128.load(b, 112)
    c03 = dotPairs(w, x0, c03)
    c13 = dotPairs(w, x1, c13)
    if (groups == 2) break
    x0 = v128.load32_splat(a, 8)
    x1 = v128.load32_splat(a1, 8)
    w = v128.load(b, 128)
    c00 = dotPairs(w, x0, c00)
    c10 = dotPairs(w, x1, c10)
    w = v128.load(b, 144)
    c01 = dotPairs(w, x0, c01)
    c11 = dotPairs(w, x1, c11)
    w = v128.load(b, 160)
    c02 = dotPairs(w, x0, c02)
    c12 = dotPairs(w, x1, c12)
    w = v128.load(b, 176)
    c03 = dotPairs(w, x0, c03)
    c13 = dotPairs(w, x1, c13)
    if (groups == 3) break
    x0 = v128.load32_splat(a, 12)
    x1 = v128.load32_splat(a1, 12)
    w = v128.load(b, 192)
    c00 = dotPairs(w, x0, c00)
    c10 = dotPairs(w, x1, c10)
    w = v128.load(b, 208)
    c01 = dotPairs(w, x0, c01)
    c11 = dotPairs(w, x1, c11)
    w = v128.load(b, 224)
    c02 = dotPairs(w, x0, c02)
    c12 = dotPairs(w, x1, c12)
    w = v128.load(b, 240)
    c03 = dotPairs(w, x0, c03)
    c13 = dotPairs(w, x1, c13)
    a += 16
    a1 += 16
    b += 256
    groups -= 4
  }
  const c1 = c + ldc
  x0 = f32x4.splat(<f32>-zero0)
  x1 = f32x4.splat(<f32>-zero1)
  finishColumns(c, c1, x0, x1, c00, c10, units, wSum, first)
  finishColumns(c + 16, c1 + 16, x0, x1, c01, c11, units + 16, wSum + 16, first)
  finishColumns(c + 32, c1 + 32, x0, x1, c02, c12, units + 32, wSum + 32, first)
  finishColumns(c + 48, c1 + 48, x0, x1, c03, c13, units + 48, wSum + 48, first)
}

/**
 * A panel with its scales in its weights, and the units of its columns; `side` is the bytes of its scales. Those of blocks of zeros are
 * 0, so that they have no say in what the unit is.
 */
function fold(
  bits: u32,
  b: usize,
  to: usize,
  k: u32,
  block: u32,
  scales: usize,
  side: usize,
  zeros: usize,
  units: usize,
): void {
  let most0 = f32x4.splat(1e-30)
  let most1 = most0
  let at = to
  for (let i: u32 = 0, next = scales; i < k; next += 32) {
    const end = min(i + block, k)
    // weights in the high bits, so that a product of shares has none to spare
    if (bits == 8) {
      for (; i < end; i += 2) {
        v128.store(at, i16x8.shl(v128.load8x8_s(b), 8))
        v128.store(at, i16x8.shl(v128.load8x8_s(b, 8), 8), 16)
        b += 16
        at += 64
      }
    } else {
      let zero0 = i16x8.splat(-8)
      let zero1 = zero0
      if (zeros) {
        zero0 = i16x8.add(zero0, twice(v128.load(zeros)))
        zero1 = i16x8.add(zero1, twice(v128.load(zeros, 16)))
        zeros += 32
      }
      for (; i < end; i += 2) {
        // two k in the low halves of 16 bytes, the next two in the high ones
        const high = i & 2
        const x0 = i16x8.shr_u(v128.load8x8_u(b), high << 1)
        const x1 = i16x8.shr_u(v128.load8x8_u(b, 8), high << 1)
        v128.store(at, i16x8.shl(i16x8.add(v128.and(x0, i16x8.splat(15)), zero0), 11))
        v128.store(at, i16x8.shl(i16x8.add(v128.and(x1, i16x8.splat(15)), zero1), 11), 16)
        b += high << 3
        at += 64
      }
    }
    most0 = f32x4.max(most0, f32x4.abs(v128.load(next)))
    most1 = f32x4.max(most1, f32x4.abs(v128.load(next, 16)))
  }
  const unit = f32x4.splat(bits == 4 ? <f32>(-1.0 / 2048) : <f32>(-1.0 / 256))
  v128.store(units, f32x4.mul(most0, unit))
  v128.store(units, f32x4.mul(most1, unit), 16)
  most0 = f32x4.div(f32x4.splat(-32768), most0)
  most1 = f32x4.div(f32x4.splat(-32768), most1)
  for (let i: u32 = 0; i < k; scales += 32) {
    const end = min(i + block, k)
    const share0 = shareOf(scales, most0)
    const share1 = shareOf(scales + 16, most1)
    for (; i < end; i += 2) {
      v128.store(to, i16x8.q15mulr_sat_s(v128.load(to), share0))
      v128.store(to, i16x8.q15mulr_sat_s(v128.load(to, 16), share1), 16)
      to += 64
    }
  }
}

/**
 * What four scales are of the largest, in -2^-15, in both halves of a lane: so the largest itself is an int16, where it is
 * not negative.
 */
// @ts-ignore: decorator
@inline
function shareOf(scales: usize, most: v128): v128 {
  const share = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(scales), most)))
  return twice(i32x4.min_s(share, i32x4.splat(0x7fff)))
}

/** The low int16 of each lane, in both of its halves. */
// @ts-ignore: decorator
@inline
function twice(x: v128): v128 {
  return v128.or(i32x4.shl(x, 16), v128.and(x, i32x4.splat(0xffff)))
}
