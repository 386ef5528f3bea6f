// SPDX-License-Identifier: Apache-2.0
/**
 * The products whose weights have a scale per block of K: units as in product.ts, one batch. Tiles of many rows,
 * and all where the last panel has fewer columns than that, are made in the thread's scratch, and the columns that are there
 * move to C. By the time rows are finished C holds float32, which lack the row's scale alone. A sum is added
 * up block by block whatever the tile, so tiles may overlap.
 */
import { ceilDiv } from '../units'
import { copyRows, TILE_ROW } from './columns'
import { finish } from './epilogue'
import { Mac } from './mac'
import { begin, Tile } from './scaled-sum'
import { scaled1x32, scaled1x8, scaled2x16 } from './scaled-flat-tile'
import { scaled4x8, scaled6x8 } from './scaled-tile'
import { Epilogue, Product, RowParams, Scaled } from './views'

/** Bytes of a tile in scratch and of what it begins with (Tile). */
const HEAD: usize = 32
const TILE: usize = 224

/** Units [from, to) with int8 weights. */
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
  const panel = <usize>groups * mac.step
  const lda = <usize>p.lda << mac.shift
  const ldc = <usize>p.ldc << 2
  const scratch = s.scratch + <usize>thread * s.scratchBytes
  for (let unit = from; unit < to; ++unit) {
    const col = (unit % nBlocks) * p.nb
    const cols = min(p.nb, p.n - col)
    let row = (unit / nBlocks) * p.mb
    const end = min(row + p.mb, p.m)
    const b = p.b + <usize>(col >> 3) * panel
    while (row < end) {
      const rows = end - row
      const tallest: u32 = mac.rows
      const taken: u32 = rows >= tallest ? tallest : rows >= 4 ? 4 : rows >= 2 ? 2 : 1
      const a = p.a + <usize>row * lda
      const c = p.c + <usize>row * ldc + (<usize>col << 2)
      if (mac.rows < 4 || taken < 4) {
        scaledFlat<M>(p, s, a, lda, row, taken, b, panel, groups, c, ldc, col, cols, scratch)
      } else {
        for (let j: u32 = 0; j < cols; j += 8) {
          scaledTall<M>(p, s, a, lda, row, taken, b + <usize>(j >> 3) * panel, groups, c + (<usize>j << 2), ldc, col + j, cols - j, scratch)
        }
      }
      finishScaled(s, epilogue, c, ldc, row, taken, col, cols)
      row += taken
    }
  }
}

/**
 * Units [from, to) with 4-bit weights, whose step is N; M is the step of int8 weights in panels of the same groups. Few
 * rows read halves of bytes as they are; for more each panel is widened once, into scratch, for all rows of the unit.
 */
export function multiplyHalves<N extends Mac, M extends Mac>(
  p: Product,
  s: Scaled,
  epilogue: Epilogue,
  from: u32,
  to: u32,
  thread: u32,
): void {
  const mac = changetype<N>(0)
  const tallest = changetype<M>(0).rows
  const nBlocks = ceilDiv(p.n, p.nb)
  const groups = mac.groups(p.k)
  const panel = <usize>groups * mac.step
  const lda = <usize>p.lda << mac.shift
  const ldc = <usize>p.ldc << 2
  const scratch = s.scratch + <usize>thread * s.scratchBytes
  for (let unit = from; unit < to; ++unit) {
    const col = (unit % nBlocks) * p.nb
    const cols = min(p.nb, p.n - col)
    let row = (unit / nBlocks) * p.mb
    const rows = min(p.mb, p.m - row)
    let a = p.a + <usize>row * lda
    const b = p.b + <usize>(col >> 3) * panel
    let c = p.c + <usize>row * ldc + (<usize>col << 2)
    let left = rows
    if (tallest >= 4 && rows >= 4) {
      // one or two rows behind the last whole tile are less work as they are than as a tile that overlaps it
      const rest = rows % tallest
      const tall = rest == 1 || rest == 2 ? rows - rest : rows
      for (let j: u32 = 0; j < cols; j += 8) {
        widen<N>(b + <usize>(j >> 3) * panel, scratch + TILE, panel)
        for (let i: u32 = 0; i < tall; ) {
          const tile: u32 = tallest >= 6 && tall >= 6 && tall - i > 4 ? 6 : 4
          const at = min(i, tall - tile)
          const to = c + <usize>at * ldc + (<usize>j << 2)
          scaledTall<M>(p, s, a + <usize>at * lda, lda, row + at, tile, scratch + TILE, groups, to, ldc, col + j, cols - j, scratch)
          i = at + tile
        }
      }
      finishScaled(s, epilogue, c, ldc, row, tall, col, cols)
      a += lda * tall
      c += ldc * tall
      row += tall
      left -= tall
    }
    while (left != 0) {
      const taken: u32 = mac.rows >= 2 && left >= 2 ? 2 : 1
      scaledFlat<N>(p, s, a, lda, row, taken, b, panel, groups, c, ldc, col, cols, scratch)
      finishScaled(s, epilogue, c, ldc, row, taken, col, cols)
      a += lda * taken
      c += ldc * taken
      row += taken
      left -= taken
    }
  }
}

/** The epilogue of rows whose columns are summed. */
export function finishScaled(
  s: Scaled,
  epilogue: Epilogue,
  c: usize,
  ldc: usize,
  row: u32,
  rows: u32,
  col: u32,
  cols: u32,
): void {
  const first = <usize>col << 2
  const params = s.aParams + <usize>row * offsetof<RowParams>()
  const bias = epilogue.bias ? epilogue.bias + first : 0
  const residual = epilogue.residual ? epilogue.residual + ((<usize>row * epilogue.ldr) << 2) + first : 0
  finish(epilogue, c, ldc, rows, cols, params, offsetof<RowParams>(), 0, 0, bias, residual)
}

/** A panel of 4-bit weights as int8, less 8: of the bytes of two groups the low halves, then the high halves. */
export function widen<N extends Mac>(b: usize, to: usize, bytes: usize): void {
  const pair: usize = 2 * changetype<N>(0).step
  const end = b + bytes
  const mask = i8x16.splat(15)
  const eight = i8x16.splat(8)
  while (b != end) {
    for (let i: usize = 0; i < pair; i += 16) {
      const x = v128.load(b + i)
      v128.store(to + i, i8x16.sub(v128.and(x, mask), eight))
      v128.store(to + i + pair, i8x16.sub(v128.and(i16x8.shr_u(x, 4), mask), eight))
    }
    b += pair
    to += 2 * pair
  }
}

/** Six or four rows from `row` on and one panel, whose first column is `col`; `cols` columns are left. */
function scaledTall<M extends Mac>(
  p: Product,
  s: Scaled,
  a: usize,
  lda: usize,
  row: u32,
  rows: u32,
  b: usize,
  groups: u32,
  c: usize,
  ldc: usize,
  col: u32,
  cols: u32,
  scratch: usize,
): void {
  const mac = changetype<M>(0)
  const rowStep = <usize>ceilDiv(p.k, s.block) << 2
  const side = <usize>(col >> 3) * (rowStep << 3)
  const tile = changetype<Tile>(scratch)
  tile.groups = groups
  tile.block = mac.groups(s.block)
  tile.zeros = s.wZeros ? s.wZeros + side : 0
  tile.rowSums = s.rowSums + <usize>row * rowStep
  tile.rowStep = rowStep
  begin(s, row, rows, col, 8, scratch + HEAD, TILE_ROW)
  if (groups != 0) {
    if (mac.rows == 6 && rows == 6) scaled6x8<M>(tile, a, lda, b, s.wScale + side)
    else scaled4x8<M>(tile, a, lda, b, s.wScale + side)
  }
  copyRows(scratch + HEAD, c, ldc, rows, cols)
}

/** One or two rows from `row` on and all panels of `cols` columns from `col` on. */
export function scaledFlat<M extends Mac>(
  p: Product,
  s: Scaled,
  a: usize,
  lda: usize,
  row: u32,
  rows: u32,
  b: usize,
  panel: usize,
  groups: u32,
  c: usize,
  ldc: usize,
  col: u32,
  cols: u32,
  scratch: usize,
): void {
  const blockGroups = changetype<M>(0).groups(s.block)
  const side = <usize>ceilDiv(p.k, s.block) << 5
  let scales = s.wScale + <usize>(col >> 3) * side
  let zeros = s.wZeros ? s.wZeros + <usize>(col >> 3) * side : 0
  const rowStep = side >> 3
  const sums = s.rowSums + <usize>row * rowStep
  const two = changetype<M>(0).rows >= 2 && rows == 2
  while (cols != 0) {
    let panels: usize = 1
    if (two && cols >= 16) {
      panels = 2
      begin(s, row, 2, col, 16, c, ldc)
      scaled2x16<M>(a, lda, b, panel, scales, zeros, side, sums, rowStep, groups, blockGroups, c, ldc)
    } else if (changetype<M>(0).rows >= 2 && !two && cols >= 32) {
      panels = 4
      begin(s, row, 1, col, 32, c, ldc)
      scaled1x32<M>(a, b, panel, scales, zeros, side, sums, groups, blockGroups, c)
    } else {
      const whole = cols >= 8
      const to = whole ? c : scratch + HEAD
      const step = whole ? ldc : TILE_ROW
      begin(s, row, rows, col, 8, to, step)
      scaled1x8<M>(a, b, scales, zeros, sums, groups, blockGroups, to)
      if (two) scaled1x8<M>(a + lda, b, scales, zeros, sums + rowStep, groups, blockGroups, to + step)
      if (!whole) {
        copyRows(scratch + HEAD, c, ldc, rows, cols)
        return
      }
    }
    b += panels * panel
    scales += panels * side
    if (zeros) zeros += panels * side
    c += panels << 5
    col += <u32>panels << 3
    cols -= <u32>panels << 3
  }
}
