// SPDX-License-Identifier: Apache-2.0
/**
 * Products of 4-bit weights whose sums stay in int16 over 32 k: units as in product.ts, one batch. A sum is of q, a byte,
 * times w - 8. What q is multiplied by is w - 8 where a panel is widened for many rows, w itself where few rows read it
 * packed; a sum begins at the difference then, the row's word of its `shifts`, -8 times the sum of q. Sums are added up block
 * by block whatever the tile, so tiles may overlap.
 */
import { dotBytes16 } from '../simd/dot'
import { ceilDiv } from '../units'
import { S4Dot } from './mac'
import { copyRows, TILE_ROW } from './columns'
import { finishScaled, widen } from './scaled'
import { begin } from './scaled-sum'
import { flush, short1x32, short2x8, short4x8 } from './short-tile'
import { Epilogue, Product, Scaled } from './views'

/** A thread's scratch: a tile of 32 float32, as many int32, and what is widened or the rows' shifts. */
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
  memory.fill(scratch + SUMS, 0, PANEL - SUMS)
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
        widen<S4Dot>(p.b + <usize>((col + j) >> 3) * panel, scratch + PANEL, panel)
        for (let i: u32 = 0; i < tall; i += 4) {
          const at = min(i, tall - 4)
          const here = c + <usize>at * ldc + (<usize>j << 2)
          shortTall(p, s, a + <usize>at * lda, lda, row + at, scratch, groups, here, ldc, col + j, cols - j)
        }
      }
    }
    for (let i = tall; i < rows; ) {
      const taken = min(rows - i, 2)
      for (let r: u32 = 0; r < taken; ++r) shiftsOf(a + <usize>(i + r) * lda, panel, shifts + <usize>r * shiftsRow)
      shortFlat(p, s, a + <usize>i * lda, lda, row + i, taken, scratch, shifts, groups, c + <usize>i * ldc, ldc, col, cols)
      i += taken
    }
    finishScaled(s, epilogue, c, ldc, row, rows, col, cols)
  }
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
  begin(s, row, 4, col, 8, scratch, TILE_ROW)
  const b = scratch + PANEL
  shortBlocks(4, p, s, a, lda, row, b, b + (<usize>groups << 5), 0, 0, col, scratch)
  copyRows(scratch, c, ldc, 4, cols)
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
  while (cols != 0) {
    const b = p.b + <usize>(col >> 3) * panel
    const taken: u32 = rows == 1 && cols >= 32 ? 32 : min<u32>(cols, 8)
    if (taken == 32) {
      begin(s, row, 1, col, 32, scratch, 0)
      shortBlocks(1, p, s, a, panel, row, b, b + panel, shifts, 0, col, scratch)
      memory.copy(c, scratch, 128)
    } else {
      // One row is computed twice.
      const next: usize = rows == 2 ? 1 : 0
      begin(s, row, rows, col, 8, scratch, TILE_ROW)
      shortBlocks(2, p, s, a, lda * next, row, b, b + panel, shifts, next * (<usize>ceilDiv(p.k, 32) << 2), col, scratch)
      copyRows(scratch, c, ldc, rows, taken)
    }
    c += <usize>taken << 2
    col += taken
    cols -= taken
  }
}

/**
 * A tile of 4 or 2 rows x 8 columns or of 1 x 32 from `row` and `col` on, in scratch, where C has begun. `step` is bytes
 * between rows of A, or between panels where there is one; [b, end) is the panel.
 */
function shortBlocks(
  rows: u32,
  p: Product,
  s: Scaled,
  a: usize,
  step: usize,
  row: u32,
  b: usize,
  end: usize,
  shifts: usize,
  shiftsRow: usize,
  col: u32,
  scratch: usize,
): void {
  const rowStep = <usize>ceilDiv(p.k, s.block) << 2
  const side = rowStep << 3
  const first = <usize>(col >> 3) * side
  let scales = s.wScale + first
  let zeros = s.wZeros ? s.wZeros + first : 0
  let sums = s.rowSums + <usize>row * rowStep
  const whole = s.block == 32 && !zeros
  const block = whole ? end - b : <usize>s.block << (rows == 4 ? 3 : 2)
  while (b != end) {
    const stop = min(b + block, end)
    const used = whole ? scales : 0
    const to = whole ? scratch : scratch + SUMS
    if (rows == 4) short4x8(a, step, b, stop, used, to)
    else if (rows == 2) short2x8(a, step, b, stop, used, shifts, shiftsRow, to)
    else short1x32(a, b, stop, step, used, side, shifts, to)
    b = stop
    if (whole) continue
    flush(scratch + SUMS, rows == 2 ? 64 : 128, scratch, scales, zeros, rows == 1 ? side : 0, sums, rows == 1 || !step ? 0 : rowStep)
    a += s.block
    shifts += s.block >> 3
    scales += 32
    zeros += zeros ? 32 : 0
    sums += 4
  }
}

/** Per 32 of the row at `q`, -8 times the sum of the first two of each four, and of the last two. */
function shiftsOf(q: usize, panel: usize, to: usize): void {
  const eight = i8x16.splat(8)
  const end = q + (panel >> 2)
  while (q != end) {
    let sum = i32x4.splat(0)
    for (const stop = min(q + 32, end); q != stop; q += 8) sum = i16x8.sub(sum, dotBytes16(eight, v128.load64_zero(q)))
    v128.store32_lane(to, i16x8.add(sum, v128.shuffle<i32>(sum, sum, 1, 0, 3, 2)), 0)
    to += 4
  }
}
