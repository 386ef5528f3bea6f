// SPDX-License-Identifier: Apache-2.0
/**
 * Products of 4-bit weights whose sums stay in int16 over 32 k: units as in product.ts, one batch. A sum is of q, a byte,
 * times w - 8. What q is multiplied by is w - 8 where a panel is widened for many rows, w itself where few rows read it
 * packed; a sum begins at the difference then, the row's word of its `shifts`, -8 times the sum of q. Scales are int16 shares of a unit of
 * the column, so that sums go on in int32, and are exact whatever the tile: tiles may overlap.
 */
import { dotBytes16 } from '../simd/dot'
import { ceilDiv } from '../units'
import { S4Dot } from './mac'
import { copyRows, TILE_ROW } from './columns'
import { finishScaled, widen } from './scaled'
import { addScaled } from './scaled-sum'
import { keepZeros, short1x32, short2x8, short4x8 } from './short-tile'
import { Epilogue, Product, RowParams, Shared } from './views'

/** A thread's scratch: a tile of 32 float32, as many int32, and what is widened or the rows' shifts. */
const SUMS: usize = 128
const PANEL: usize = 256
/** Bytes of widened panels that rows are multiplied by while both are in a first-level cache of 32 KB. */
const WIDENED: usize = 16384

/** Units [from, to). */
export function multiplyShort(p: Product, s: Shared, epilogue: Epilogue, from: u32, to: u32, thread: u32): void {
  const nBlocks = ceilDiv(p.n, p.nb)
  const groups = ceilDiv(p.k, 8) << 1
  const panel = <usize>groups << 4
  const lda = <usize>p.lda
  const ldc = <usize>p.ldc << 2
  const scratch = s.scratch + <usize>thread * s.scratchBytes
  const together = <u32>max<usize>(1, WIDENED / max<usize>(1, 2 * panel)) << 3
  const shifts = scratch + PANEL + (<usize>together >> 2) * panel
  const shiftsRow = <usize>ceilDiv(p.k, 32) << 2
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
      for (let j: u32 = 0; j < cols; ) {
        const taken = min(together, cols - j)
        widen<S4Dot>(p.b + <usize>((col + j) >> 3) * panel, scratch + PANEL, panel * ceilDiv(taken, 8))
        for (let i: u32 = 0; i < tall; i += 4) {
          const at = min(i, tall - 4)
          const here = c + <usize>at * ldc
          for (let o = j; o < j + taken; o += 8) {
            const b = scratch + PANEL + ((panel << 1) * ((o - j) >> 3))
            shortTall(p, s, a + <usize>at * lda, lda, row + at, scratch, b, groups, here + (<usize>o << 2), ldc, col + o, cols - o)
          }
        }
        j += taken
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
  s: Shared,
  a: usize,
  lda: usize,
  row: u32,
  scratch: usize,
  b: usize,
  groups: u32,
  c: usize,
  ldc: usize,
  col: u32,
  cols: u32,
): void {
  shortBlocks(4, p, s, a, lda, row, b, b + (<usize>groups << 5), 0, 0, col, scratch)
  settle(s, scratch, row, 4, col, min(cols, 8), c, ldc)
}

/** One or two rows from `row` on and all packed panels of `cols` columns from `col` on. */
function shortFlat(
  p: Product,
  s: Shared,
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
    // one row is computed twice
    const next: usize = rows == 2 ? 1 : 0
    if (taken == 32) shortBlocks(1, p, s, a, panel, row, b, b + panel, shifts, 0, col, scratch)
    else shortBlocks(2, p, s, a, lda * next, row, b, b + panel, shifts, next * (<usize>ceilDiv(p.k, 32) << 2), col, scratch)
    settle(s, scratch, row, rows, col, taken, c, ldc)
    c += <usize>taken << 2
    col += taken
    cols -= taken
  }
}

/**
 * The int32 of a tile of 4 or 2 rows x 8 columns or of 1 x 32 from `row` and `col` on. `step` is bytes between rows of A, or between
 * panels where there is one; [b, end) is the panel.
 */
function shortBlocks(
  rows: u32,
  p: Product,
  s: Shared,
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
  let shares = s.wScale + first
  let zeros = s.wZeros ? s.wZeros + first : 0
  let sums = s.rowSums + <usize>row * rowStep
  const whole = s.block == 32 && !zeros
  const block = whole ? end - b : <usize>s.block << (rows == 4 ? 3 : 2)
  const next: usize = whole ? 32 : 0
  const to = scratch + SUMS
  for (let i = SUMS; i < PANEL; i += 16) v128.store(scratch + i, i32x4.splat(0))
  while (b != end) {
    const stop = min(b + block, end)
    if (rows == 4) short4x8(a, step, b, stop, shares, next, to)
    else if (rows == 2) short2x8(a, step, b, stop, shares, next, shifts, shiftsRow, to)
    else short1x32(a, b, stop, step, shares, next, side, shifts, to)
    b = stop
    if (zeros) {
      keepZeros(to, rows == 2 ? 64 : 128, zeros, rows == 1 ? side : 0, sums, rows == 1 || !step ? 0 : rowStep)
      zeros += 32
      sums += 4
    }
    a += s.block
    shifts += s.block >> 3
    shares += 32
  }
}

/** The int32 of a tile in scratch as float32 less what zeros of rows take, to `cols` columns of C. */
function settle(s: Shared, scratch: usize, row: u32, rows: u32, col: u32, cols: u32, c: usize, ldc: usize): void {
  const whole = (cols & 7) == 0
  const width = whole ? <usize>cols << 2 : TILE_ROW
  const sums = s.wSum + (<usize>col << 2)
  const units = s.wUnits - s.wSum
  let params = s.aParams + <usize>row * offsetof<RowParams>()
  let to = whole ? c : scratch
  let from = scratch + SUMS
  for (let r: u32 = 0; r < rows; ++r) {
    const zero = f32x4.splat(<f32>-changetype<RowParams>(params).zero)
    for (let j: usize = 0; j < width; j += 16) {
      const at = sums + j
      v128.store(to + j, addScaled(f32x4.mul(zero, v128.load(at)), v128.load(from + j), v128.load(at + units)))
    }
    params += offsetof<RowParams>()
    from += width
    to += whole ? ldc : TILE_ROW
  }
  if (!whole) copyRows(scratch, c, ldc, rows, cols)
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
