// SPDX-License-Identifier: Apache-2.0
/**
 * The product whose weights have a scale per block of K: units as in product.ts, one batch. The tiles write whole
 * panels; where the last one has fewer columns than that, they write into the thread's scratch, and the columns that
 * are there move to C. By the time a tile of rows is finished C holds float32, which lack the row's scale alone.
 */
import { ceilDiv } from '../units'
import { storeColumns } from './columns'
import { finish } from './epilogue'
import { Mac } from './mac'
import { scaled1x32, scaled1x8, scaled2x16 } from './scaled-flat-tile'
import { scaled4x8, scaled6x8 } from './scaled-tile'
import { Epilogue, Product, RowParams, Scaled } from './views'

/** Bytes between two rows of a tile in scratch. */
const TILE_ROW: usize = 32

/** Units [from, to). */
export function multiplyScaled<M extends Mac>(
  p: Product,
  s: Scaled,
  epilogue: Epilogue,
  from: u32,
  to: u32,
  thread: u32,
): void {
  const mac = changetype<M>(0)
  const nBlocks = ceilDiv(p.n, p.nb)
  const groups = mac.groups(p.k)
  const blockGroups = mac.groups(s.block)
  const panel = <usize>groups * mac.step
  const side = <usize>ceilDiv(p.k, s.block) << 5
  const lda = <usize>p.lda << mac.shift
  const ldc = <usize>p.ldc << 2
  const ldr = <usize>epilogue.ldr << 2
  const scratch = s.scratch + <usize>thread * s.scratchBytes
  for (let unit = from; unit < to; ++unit) {
    const col = (unit % nBlocks) * p.nb
    const cols = min(p.nb, p.n - col)
    let row = (unit / nBlocks) * p.mb
    const end = min(row + p.mb, p.m)
    const first = <usize>col << 2
    const b = p.b + <usize>(col >> 3) * panel
    const scales = s.wScale + <usize>(col >> 3) * side
    const terms = s.wTerms + <usize>(col >> 3) * side
    const bias = epilogue.bias ? epilogue.bias + first : 0
    while (row < end) {
      const rows = end - row
      const taken: u32 = rows >= mac.rows ? mac.rows : rows >= 4 ? 4 : rows >= 2 ? 2 : 1
      const a = p.a + <usize>row * lda
      const c = p.c + <usize>row * ldc + first
      const rowTerm = s.rowTerms + ((<usize>row * s.rowTermsRow) << 2)
      if (taken < 4) scaledFlat<M>(s, a, lda, taken, b, panel, scales, terms, side, rowTerm, groups, blockGroups, c, ldc, cols, scratch)
      else scaledTall<M>(s, a, lda, taken, b, panel, scales, terms, side, rowTerm, groups, blockGroups, c, ldc, cols, scratch)
      const params = s.aParams + <usize>row * offsetof<RowParams>()
      const residual = epilogue.residual ? epilogue.residual + <usize>row * ldr + first : 0
      finish(epilogue, c, ldc, taken, cols, params, offsetof<RowParams>(), 0, 0, bias, residual)
      row += taken
    }
  }
}

/** Six or four rows. */
function scaledTall<M extends Mac>(
  s: Scaled,
  a: usize,
  lda: usize,
  rows: u32,
  b: usize,
  panel: usize,
  scales: usize,
  terms: usize,
  side: usize,
  row: usize,
  groups: u32,
  blockGroups: u32,
  c: usize,
  ldc: usize,
  cols: u32,
  scratch: usize,
): void {
  for (;;) {
    const whole = cols >= 8
    const to = whole ? c : scratch
    const step = whole ? ldc : TILE_ROW
    if (changetype<M>(0).rows == 6 && rows == 6) {
      scaled6x8<M>(s, a, lda, b, scales, terms, row, groups, blockGroups, to, step)
    } else {
      scaled4x8<M>(s, a, lda, b, scales, terms, row, groups, blockGroups, to, step)
    }
    if (!whole) copyRows(scratch, c, ldc, rows, cols)
    if (cols <= 8) return
    b += panel
    scales += side
    terms += side
    c += 32
    cols -= 8
  }
}

/** One or two rows. */
function scaledFlat<M extends Mac>(
  s: Scaled,
  a: usize,
  lda: usize,
  rows: u32,
  b: usize,
  panel: usize,
  scales: usize,
  terms: usize,
  side: usize,
  row: usize,
  groups: u32,
  blockGroups: u32,
  c: usize,
  ldc: usize,
  cols: u32,
  scratch: usize,
): void {
  const rowStep = <usize>s.rowTermsRow << 2
  while (cols != 0) {
    let panels: usize = 1
    if (rows == 2 && cols >= 16) {
      panels = 2
      scaled2x16<M>(s, a, lda, b, panel, scales, terms, side, row, groups, blockGroups, c, ldc)
    } else if (rows == 1 && cols >= 32) {
      panels = 4
      scaled1x32<M>(s, a, b, panel, scales, terms, side, row, groups, blockGroups, c)
    } else {
      const whole = cols >= 8
      const to = whole ? c : scratch
      const step = whole ? ldc : TILE_ROW
      scaled1x8<M>(s, a, b, scales, terms, row, groups, blockGroups, to)
      if (rows == 2) scaled1x8<M>(s, a + lda, b, scales, terms, row + rowStep, groups, blockGroups, to + step)
      if (!whole) {
        copyRows(scratch, c, ldc, rows, cols)
        return
      }
    }
    b += panels * panel
    scales += panels * side
    terms += panels * side
    c += panels << 5
    cols -= <u32>panels << 3
  }
}

/** The first `cols` (1..7) columns of a tile in scratch to C. */
function copyRows(scratch: usize, c: usize, ldc: usize, rows: u32, cols: u32): void {
  for (; rows != 0; --rows) {
    storeColumns(c, v128.load(scratch), v128.load(scratch, 16), cols)
    scratch += TILE_ROW
    c += ldc
  }
}
