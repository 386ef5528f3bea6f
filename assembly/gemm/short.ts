// SPDX-License-Identifier: Apache-2.0
/**
 * Products of 4-bit weights whose sums stay in int16 over 32 k: units as in product.ts, one batch. A sum is of (q - zero)
 * times (w - 8). What is multiplied is q, a byte, and w - 8 where a panel is widened for many rows, w itself where few
 * rows read it packed; a sum begins at the difference: zero times the column's word, and for w the row's word of its
 * `shifts`, -8 times the sum of q. Sums are added up block by block whatever the tile, so tiles may overlap.
 */
import { dotBytes16 } from '../simd/dot'
import { ceilDiv } from '../units'
import { copyRows, finishScaled } from './scaled'
import { setZero } from './scaled-sum'
import { short1x32, short2x8, short4x8 } from './short-tile'
import { Epilogue, Product, RowParams, Scaled } from './views'

/** A thread's scratch: a tile of 4 x 8 float32, as many int32, and what is widened or the rows' shifts. */
const TILE_ROW: usize = 32
const SUMS: usize = 128
const PANEL: usize = 256

/** Units [from, to). */
export function multiplyShort(p: Product, s: Scaled, epilogue: Epilogue, from: u32, to: u32, thread: u32): void {
  const nBlocks = ceilDiv(p.n, p.nb)
  const groups = ceilDiv(p.k, 8) << 1
  const panel = <usize>groups << 4
  const lda = <usize>p.lda
  const ldc = <usize>p.ldc << 2
  const scratch = s.scratch + <usize>thread * s.scratchBytes
  const shifts = scratch + PANEL + 2 * panel
  const shiftsRow = <usize>ceilDiv(p.k, 32) << 2
  for (let sums = scratch + SUMS; sums != scratch + PANEL; sums += 32) setZero(sums)
  for (let unit = from; unit < to; ++unit) {
    const col = (unit % nBlocks) * p.nb
    const cols = min(p.nb, p.n - col)
    const row = (unit / nBlocks) * p.mb
    const rows = min(p.mb, p.m - row)
    const a = p.a + <usize>row * lda
    const c = p.c + <usize>row * ldc + (<usize>col << 2)
    let tall: u32 = 0
    if (rows >= 4) {
      tall = rows % 4 == 3 ? rows : rows & ~3
      for (let j: u32 = 0; j < cols; j += 8) {
        widenCentred(s, p.b + <usize>((col + j) >> 3) * panel, scratch + PANEL, panel)
        for (let i: u32 = 0; i < tall; i += 4) {
          const at = min(i, tall - 4)
          const here = c + <usize>at * ldc + (<usize>j << 2)
          shortTall(p, s, a + <usize>at * lda, lda, row + at, scratch, groups, here, ldc, col + j, cols - j)
        }
      }
    }
    for (let i = tall; i < rows; ) {
      const taken = min(rows - i, 2)
      for (let r: u32 = 0; r < taken; ++r) shiftsOf(s, a + <usize>(i + r) * lda, panel, shifts + <usize>r * shiftsRow)
      shortFlat(p, s, a + <usize>i * lda, lda, row + i, taken, scratch, shifts, groups, c + <usize>i * ldc, ldc, col, cols)
      i += taken
    }
    finishScaled(s, epilogue, c, ldc, row, rows, col, cols)
  }
}

/** Where a tile keeps the sums of a block; 0 where it need not. */
// @ts-ignore: decorator
@inline
function sumsOf(s: Scaled, scratch: usize): usize {
  return s.block > 32 || s.wZeros ? scratch + SUMS : 0
}

/** Four rows from `row` on and the panel in scratch, whose first column is `col`; `cols` columns are left. */
function shortTall(
  p: Product,
  s: Scaled,
  a: usize,
  lda: usize,
  row: u32,
  scratch: usize,
  groups: u32,
  c: usize,
  ldc: usize,
  col: u32,
  cols: u32,
): void {
  const index = <usize>(col >> 3) << 5
  const scales = index * ceilDiv(p.k, s.block)
  const whole = cols >= 8
  short4x8(
    s, a, lda, scratch + PANEL, s.wScale + scales, s.wTerms + index * ceilDiv(p.k, 32), s.wZeros ? s.wZeros + scales : 0,
    s.aParams + <usize>row * offsetof<RowParams>(), s.rowTerms + ((<usize>row * s.rowTermsRow) << 2), groups,
    whole ? c : scratch, whole ? ldc : TILE_ROW, sumsOf(s, scratch),
  )
  if (!whole) copyRows(scratch, c, ldc, 4, cols)
}

/** One or two rows from `row` on and all packed panels of `cols` columns from `col` on. */
function shortFlat(
  p: Product,
  s: Scaled,
  a: usize,
  lda: usize,
  row: u32,
  rows: u32,
  scratch: usize,
  shifts: usize,
  groups: u32,
  c: usize,
  ldc: usize,
  col: u32,
  cols: u32,
): void {
  const panel = <usize>groups << 4
  const side = <usize>ceilDiv(p.k, 32) << 5
  const scaleSide = <usize>ceilDiv(p.k, s.block) << 5
  const params = s.aParams + <usize>row * offsetof<RowParams>()
  const rowTerm = s.rowTerms + ((<usize>row * s.rowTermsRow) << 2)
  const sums = sumsOf(s, scratch)
  while (cols != 0) {
    const index = <usize>(col >> 3)
    const b = p.b + index * panel
    const scales = s.wScale + index * scaleSide
    const terms = s.wTerms + index * side
    const zeros = s.wZeros ? s.wZeros + index * scaleSide : 0
    let taken: u32 = 8
    if (rows == 1 && cols >= 32) {
      taken = 32
      short1x32(s, a, b, panel, scales, scaleSide, terms, side, zeros, params, shifts, rowTerm, groups, c, sums)
    } else {
      // One row is computed twice.
      const whole = cols >= 8 && rows == 2
      const next: usize = rows == 2 ? 1 : 0
      short2x8(
        s, a, lda * next, b, scales, terms, zeros, params, params + next * offsetof<RowParams>(), shifts, next * (side >> 3),
        rowTerm, next * (<usize>s.rowTermsRow << 2), groups, whole ? c : scratch, whole ? ldc : TILE_ROW, sums,
      )
      taken = min<u32>(cols, 8)
      if (!whole && taken == 8) {
        v128.store(c, v128.load(scratch))
        v128.store(c, v128.load(scratch, 16), 16)
      } else if (!whole) {
        copyRows(scratch, c, ldc, rows, taken)
      }
    }
    c += <usize>taken << 2
    col += taken
    cols -= taken
  }
}

/** A packed panel as int8, w - 8: of the bytes of two groups the low halves, then the high ones. */
function widenCentred(s: Scaled, b: usize, to: usize, bytes: usize): void {
  // Constants would be built anew at each use.
  const mask = i8x16.splat(<i8>min<u32>(s.block, 15))
  const eight = i8x16.splat(<i8>min<u32>(s.block, 8))
  const end = b + bytes
  while (b != end) {
    const x = v128.load(b)
    const y = v128.load(b, 16)
    v128.store(to, i8x16.sub(v128.and(x, mask), eight))
    v128.store(to, i8x16.sub(v128.and(y, mask), eight), 16)
    v128.store(to, i8x16.sub(v128.and(i16x8.shr_u(x, 4), mask), eight), 32)
    v128.store(to, i8x16.sub(v128.and(i16x8.shr_u(y, 4), mask), eight), 48)
    b += 32
    to += 64
  }
}

/** Per 32 of the row at `q`, -8 times the sum of the first two of each four, and of the last two. */
function shiftsOf(s: Scaled, q: usize, panel: usize, to: usize): void {
  const eight = i8x16.splat(<i8>min<u32>(s.block, 8))
  const end = q + (panel >> 2)
  while (q != end) {
    let sum = i32x4.splat(0)
    for (const stop = min(q + 32, end); q != stop; q += 8) sum = i16x8.sub(sum, dotBytes16(eight, v128.load64_zero(q)))
    v128.store32_lane(to, i16x8.add(sum, v128.shuffle<i32>(sum, sum, 1, 0, 3, 2)), 0)
    to += 4
  }
}
