// SPDX-License-Identifier: Apache-2.0
/**
 * Products of 4-bit weights whose sums stay in int16 over 32 k: units as in product.ts, one batch. A sum is of q, a byte,
 * times w - 8. What q is multiplied by is w - 8 where a panel is widened for many rows, w itself where few rows read it
 * packed; a sum begins at the difference then, the row's word of its `shifts`, -8 times the sum of q. Scales are int16 shares of a unit of
 * the column, so that sums go on in int32 over 4096 k, and are exact whatever the tile: tiles may overlap.
 */
import { dotBytes16 } from '../simd/dot'
import { ceilDiv } from '../units'
import { S4Dot } from './mac'
import { finishScaled, widen } from './scaled'
import { PANEL, settle, settle4x8, SUMS } from './shared-sum'
import { keepZeros, short1x32, short2x8, short4x8 } from './short-tile'
import { Epilogue, Product, Shared } from './views'

/** k whose shares allow for a sum in int32 (src/kernels/pack.ts). */
const SUMMED: usize = 4096
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
          for (let o: u32 = 0; o < taken; o += 8) {
            const b = scratch + PANEL + (panel << 1) * (o >> 3)
            const left = min<u32>(8, taken - o)
            shortTile(4, p, s, a + <usize>at * lda, lda, row + at, 4, b, 2 * panel, 0, 0, col + j + o, left, here + (<usize>(j + o) << 2), ldc, scratch)
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
    const lines = next * (<usize>ceilDiv(p.k, 32) << 2)
    if (taken == 32) shortTile(1, p, s, a, panel, row, 1, b, panel, shifts, 0, col, taken, c, ldc, scratch)
    else shortTile(2, p, s, a, lda * next, row, rows, b, panel, shifts, lines, col, taken, c, ldc, scratch)
    c += <usize>taken << 2
    col += taken
    cols -= taken
  }
}

/**
 * A tile of 4 or 2 rows x 8 columns or of 1 x 32 from `row` and `col` on, of which `rows` rows and `cols` columns go to C. `step` is bytes
 * between rows of A, or between panels where there is one; the panel at `b` has `bytes`.
 */
function shortTile(
  shape: u32,
  p: Product,
  s: Shared,
  a: usize,
  step: usize,
  row: u32,
  rows: u32,
  b: usize,
  bytes: usize,
  shifts: usize,
  shiftsRow: usize,
  col: u32,
  cols: u32,
  c: usize,
  ldc: usize,
  scratch: usize,
): void {
  const side = <usize>ceilDiv(p.k, s.block) << 4
  const rowStep = side >> 2
  const first = <usize>(col >> 3) * side
  let shares = s.wShares + first
  let zeros = s.wZeros + first
  let sums = s.rowSums + <usize>row * rowStep
  const whole = s.block == 32 && !s.wZeros
  const depth = whole ? SUMMED : <usize>s.block
  const next: usize = whole ? 16 : 0
  const width: usize = shape == 4 ? 3 : 2
  const to = scratch + SUMS
  const end = b + bytes
  let isFirst = true
  do {
    for (let i = SUMS; i < PANEL; i += 16) v128.store(scratch + i, i32x4.splat(0))
    for (let left = SUMMED; left != 0 && b != end; left -= depth) {
      const stop = min(b + (depth << width), end)
      if (shape == 4) short4x8(a, step, b, stop, shares, next, to)
      else if (shape == 2) short2x8(a, step, b, stop, shares, next, shifts, shiftsRow, to)
      else short1x32(a, b, stop, step, shares, next, side, shifts, to)
      b = stop
      if (s.wZeros) keepZeros(to, shape == 2 ? 64 : 128, zeros, shape == 1 ? side : 0, sums, shape == 1 || !step ? 0 : rowStep)
      zeros += 16
      sums += 4
      a += depth
      shifts += depth >> 3
      shares += whole ? depth >> 1 : 16
    }
    if (shape == 4) settle4x8(s, isFirst, scratch, row, col, cols, c, ldc)
    else settle(s, isFirst, scratch, row, rows, col, cols, c, ldc)
    isFirst = false
  } while (b != end)
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
