// SPDX-License-Identifier: Apache-2.0
/**
 * int8 products with weights in blocks of 8 columns x 8 k, of which only those that are not all zero are there: the
 * steps of the dense tiles, at the places of A that a list names. Sums are exact integers, so tiles may overlap.
 */
import { SpmmS8DotArgs } from '../generated/args'
import { storeColumns } from '../gemm/columns'
import { finish } from '../gemm/epilogue'
import { Mac } from '../gemm/mac'
import { Epilogue, RowParams } from '../gemm/views'
import { ceilDiv } from '../units'
import { BLOCK, blocks1x8, blocks3x8, blocks4x8, blocks6x8 } from './block-tiles'

/** Bytes of a block's column sums. */
const SUMS: usize = 32
/** Rows that are finished together. */
const FINISHED: u32 = 24

/**
 * Units [from, to). `narrow`: of bytes, tall tiles sum four products in int16. Scratch holds the column sums of the
 * unit's panels, then a tile. The rows of a tile go through all panels before the next ones do: they stay in the first-level
 * cache, where a block finds its place of them, and so do the blocks where nb is chosen for it.
 */
export function multiplyBlocks<M extends Mac>(
  s: SpmmS8DotArgs,
  epilogue: Epilogue,
  from: u32,
  to: u32,
  thread: u32,
  narrow: bool,
): void {
  const mac = changetype<M>(0)
  const tall: u32 = narrow ? 3 : tallRows<M>()
  const nBlocks = ceilDiv(s.n, s.nb)
  const lda = <usize>s.lda << mac.shift
  const ldc = <usize>s.ldc << 2
  const sums = s.scratch + <usize>thread * s.scratchBytes
  const tile = sums + (<usize>ceilDiv(s.nb, 8) << 5)
  for (let unit = from; unit < to; ++unit) {
    const row = (unit / nBlocks) * s.mb
    const rows = min(s.mb, s.m - row)
    const col = (unit % nBlocks) * s.nb
    const cols = min(s.nb, s.n - col)
    const starts = s.starts + (<usize>(col >> 3) << 2)
    for (let j: u32 = 0; j < cols; j += 8) {
      const start = starts + (<usize>(j >> 3) << 2)
      addSums(s.sums + <usize>load<u32>(start) * SUMS, countOf(start), sums + (<usize>j << 2))
    }
    const tallest: u32 = rows >= tall ? tall : 1
    const bias = epilogue.bias ? epilogue.bias + (<usize>col << 2) : 0
    const wScale = s.wScale + (<usize>col << 2)
    for (let i: u32 = 0; i < rows; ) {
      const first = row + min(i, rows - tallest)
      const c = s.c + <usize>first * ldc + (<usize>col << 2)
      let height: u32 = 0
      while (i < rows && height < FINISHED) {
        const at = row + min(i, rows - tallest)
        height = at - first
        multiplyPanels<M>(s.a + <usize>at * lda, lda, tallest, s.b, starts, s.depths, c + <usize>height * ldc, ldc, cols, tile, narrow)
        height += tallest
        i += tallest
      }
      const params = s.aParams + <usize>first * offsetof<RowParams>()
      const residual = epilogue.residual
        ? epilogue.residual + ((<usize>first * epilogue.ldr + <usize>col) << 2)
        : 0
      finish(epilogue, c, ldc, height, cols, params, offsetof<RowParams>(), wScale, sums, bias, residual)
    }
  }
}

/** Rows of the tallest tile of others. Relaxed builds have faster ways than pairs on all hosts: those are complete there, not fast. */
// @ts-ignore: decorator
@inline
function tallRows<M extends Mac>(): u32 {
  const mac = changetype<M>(0)
  return ASC_FEATURE_RELAXED_SIMD && mac.shift == 1 ? 1 : mac.rows
}

/** Blocks of the panel whose start is at `start`. */
// @ts-ignore: decorator
@inline
function countOf(start: usize): u32 {
  return <u32>max<i32>(load<i32>(start, 4) - load<i32>(start), 0)
}

/** The sums of a tile of rows over all panels of a unit. */
function multiplyPanels<M extends Mac>(
  a: usize,
  lda: usize,
  rows: u32,
  b: usize,
  starts: usize,
  depths: usize,
  c: usize,
  ldc: usize,
  cols: u32,
  tile: usize,
  narrow: bool,
): void {
  const mac = changetype<M>(0)
  while (cols != 0) {
    const first = <usize>load<u32>(starts)
    const count = countOf(starts)
    const blocks = b + first * BLOCK
    const places = depths + (first << 2)
    const to = cols >= 8 ? c : tile
    const step = cols >= 8 ? ldc : 32
    if (mac.shift == 0 && narrow && rows != 1) blocks3x8(a, lda, blocks, places, count, to, step)
    else if (tallRows<M>() == 6 && rows == 6) blocks6x8<M>(a, lda, blocks, places, count, to, step)
    else if (tallRows<M>() == 4 && rows == 4) blocks4x8<M>(a, lda, blocks, places, count, to, step)
    else blocks1x8<M>(a, blocks, places, count, to)
    if (cols < 8) {
      for (let r: u32 = 0; r < rows; ++r) {
        const line = tile + (<usize>r << 5)
        storeColumns(c + <usize>r * ldc, v128.load(line), v128.load(line, 16), cols)
      }
      return
    }
    starts += 4
    c += 32
    cols -= 8
  }
}

/** Column sums of a panel from those of its blocks. */
function addSums(from: usize, count: u32, to: usize): void {
  let low = i32x4.splat(0)
  let high = i32x4.splat(0)
  for (; count != 0; --count) {
    low = i32x4.add(low, v128.load(from))
    high = i32x4.add(high, v128.load(from, 16))
    from += SUMS
  }
  v128.store(to, low)
  v128.store(to, high, 16)
}
