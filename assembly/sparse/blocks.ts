// SPDX-License-Identifier: Apache-2.0
/**
 * int8 products with weights in blocks of 8 columns x 8 k, of which only those that are not all zero are there: the
 * steps of the dense tiles, at the places of A that a list names. Sums are exact integers, so tiles may overlap.
 */
import { SpmmS8DotArgs } from '../generated/args'
import { storeColumns } from '../gemm/columns'
import { finish } from '../gemm/epilogue'
import { Mac } from '../gemm/mac'
import { dotBytes16 } from '../simd/dot'
import { Epilogue, RowParams } from '../gemm/views'
import { ceilDiv } from '../units'

/** Bytes of a block, and of its column sums. */
const BLOCK: usize = 64
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

/*
 * The tall tiles. `if (!p0) break` never breaks: it keeps the compiler from moving the sums of one group behind the loads
 * of the next, which takes more registers than there are.
 */

/** 6 rows x 8 columns. */
function blocks6x8<M extends Mac>(
  a: usize,
  lda: usize,
  b: usize,
  depths: usize,
  count: u32,
  c: usize,
  ldc: usize,
): void {
  const mac = changetype<M>(0)
  let c00 = i32x4.splat(0)
  let c01 = i32x4.splat(0)
  let c10 = i32x4.splat(0)
  let c11 = i32x4.splat(0)
  let c20 = i32x4.splat(0)
  let c21 = i32x4.splat(0)
  let c30 = i32x4.splat(0)
  let c31 = i32x4.splat(0)
  let c40 = i32x4.splat(0)
  let c41 = i32x4.splat(0)
  let c50 = i32x4.splat(0)
  let c51 = i32x4.splat(0)
  let x: v128, low: v128, high: v128
  const end = depths + (<usize>count << 2)
  while (depths != end) {
    const p0 = a + <usize>load<u32>(depths)
    const p1 = p0 + lda
    const p2 = p1 + lda
    const p3 = p2 + lda
    const p4 = p3 + lda
    const p5 = p4 + lda
    low = mac.low(b)
    high = mac.high(b)
    x = v128.load32_splat(p0)
    c00 = mac.mac(x, low, c00)
    c01 = mac.mac(x, high, c01)
    x = v128.load32_splat(p1)
    c10 = mac.mac(x, low, c10)
    c11 = mac.mac(x, high, c11)
    x = v128.load32_splat(p2)
    c20 = mac.mac(x, low, c20)
    c21 = mac.mac(x, high, c21)
    x = v128.load32_splat(p3)
    c30 = mac.mac(x, low, c30)
    c31 = mac.mac(x, high, c31)
    x = v128.load32_splat(p4)
    c40 = mac.mac(x, low, c40)
    c41 = mac.mac(x, high, c41)
    x = v128.load32_splat(p5)
    c50 = mac.mac(x, low, c50)
    c51 = mac.mac(x, high, c51)
    if (!p0) break
    low = mac.nextLow(b)
    high = mac.nextHigh(b)
    x = v128.load32_splat(p0, 4)
    c00 = mac.mac(x, low, c00)
    c01 = mac.mac(x, high, c01)
    x = v128.load32_splat(p1, 4)
    c10 = mac.mac(x, low, c10)
    c11 = mac.mac(x, high, c11)
    x = v128.load32_splat(p2, 4)
    c20 = mac.mac(x, low, c20)
    c21 = mac.mac(x, high, c21)
    x = v128.load32_splat(p3, 4)
    c30 = mac.mac(x, low, c30)
    c31 = mac.mac(x, high, c31)
    x = v128.load32_splat(p4, 4)
    c40 = mac.mac(x, low, c40)
    c41 = mac.mac(x, high, c41)
    x = v128.load32_splat(p5, 4)
    c50 = mac.mac(x, low, c50)
    c51 = mac.mac(x, high, c51)
    if (mac.shift == 1) {
      if (!p0) break
      low = mac.low(b + 2 * mac.step)
      high = mac.high(b + 2 * mac.step)
      x = v128.load32_splat(p0, 8)
      c00 = mac.mac(x, low, c00)
      c01 = mac.mac(x, high, c01)
      x = v128.load32_splat(p1, 8)
      c10 = mac.mac(x, low, c10)
      c11 = mac.mac(x, high, c11)
      x = v128.load32_splat(p2, 8)
      c20 = mac.mac(x, low, c20)
      c21 = mac.mac(x, high, c21)
      x = v128.load32_splat(p3, 8)
      c30 = mac.mac(x, low, c30)
      c31 = mac.mac(x, high, c31)
      x = v128.load32_splat(p4, 8)
      c40 = mac.mac(x, low, c40)
      c41 = mac.mac(x, high, c41)
      x = v128.load32_splat(p5, 8)
      c50 = mac.mac(x, low, c50)
      c51 = mac.mac(x, high, c51)
      if (!p0) break
      low = mac.nextLow(b + 2 * mac.step)
      high = mac.nextHigh(b + 2 * mac.step)
      x = v128.load32_splat(p0, 12)
      c00 = mac.mac(x, low, c00)
      c01 = mac.mac(x, high, c01)
      x = v128.load32_splat(p1, 12)
      c10 = mac.mac(x, low, c10)
      c11 = mac.mac(x, high, c11)
      x = v128.load32_splat(p2, 12)
      c20 = mac.mac(x, low, c20)
      c21 = mac.mac(x, high, c21)
      x = v128.load32_splat(p3, 12)
      c30 = mac.mac(x, low, c30)
      c31 = mac.mac(x, high, c31)
      x = v128.load32_splat(p4, 12)
      c40 = mac.mac(x, low, c40)
      c41 = mac.mac(x, high, c41)
      x = v128.load32_splat(p5, 12)
      c50 = mac.mac(x, low, c50)
      c51 = mac.mac(x, high, c51)
    }
    b += BLOCK
    depths += 4
  }
  v128.store(c, c00)
  v128.store(c, c01, 16)
  c += ldc
  v128.store(c, c10)
  v128.store(c, c11, 16)
  c += ldc
  v128.store(c, c20)
  v128.store(c, c21, 16)
  c += ldc
  v128.store(c, c30)
  v128.store(c, c31, 16)
  c += ldc
  v128.store(c, c40)
  v128.store(c, c41, 16)
  c += ldc
  v128.store(c, c50)
  v128.store(c, c51, 16)
}

/** 4 rows x 8 columns. */
function blocks4x8<M extends Mac>(
  a: usize,
  lda: usize,
  b: usize,
  depths: usize,
  count: u32,
  c: usize,
  ldc: usize,
): void {
  const mac = changetype<M>(0)
  let c00 = i32x4.splat(0)
  let c01 = i32x4.splat(0)
  let c10 = i32x4.splat(0)
  let c11 = i32x4.splat(0)
  let c20 = i32x4.splat(0)
  let c21 = i32x4.splat(0)
  let c30 = i32x4.splat(0)
  let c31 = i32x4.splat(0)
  let x: v128, low: v128, high: v128
  const end = depths + (<usize>count << 2)
  while (depths != end) {
    const p0 = a + <usize>load<u32>(depths)
    const p1 = p0 + lda
    const p2 = p1 + lda
    const p3 = p2 + lda
    low = mac.low(b)
    high = mac.high(b)
    x = v128.load32_splat(p0)
    c00 = mac.mac(x, low, c00)
    c01 = mac.mac(x, high, c01)
    x = v128.load32_splat(p1)
    c10 = mac.mac(x, low, c10)
    c11 = mac.mac(x, high, c11)
    x = v128.load32_splat(p2)
    c20 = mac.mac(x, low, c20)
    c21 = mac.mac(x, high, c21)
    x = v128.load32_splat(p3)
    c30 = mac.mac(x, low, c30)
    c31 = mac.mac(x, high, c31)
    if (!p0) break
    low = mac.nextLow(b)
    high = mac.nextHigh(b)
    x = v128.load32_splat(p0, 4)
    c00 = mac.mac(x, low, c00)
    c01 = mac.mac(x, high, c01)
    x = v128.load32_splat(p1, 4)
    c10 = mac.mac(x, low, c10)
    c11 = mac.mac(x, high, c11)
    x = v128.load32_splat(p2, 4)
    c20 = mac.mac(x, low, c20)
    c21 = mac.mac(x, high, c21)
    x = v128.load32_splat(p3, 4)
    c30 = mac.mac(x, low, c30)
    c31 = mac.mac(x, high, c31)
    if (mac.shift == 1) {
      if (!p0) break
      low = mac.low(b + 2 * mac.step)
      high = mac.high(b + 2 * mac.step)
      x = v128.load32_splat(p0, 8)
      c00 = mac.mac(x, low, c00)
      c01 = mac.mac(x, high, c01)
      x = v128.load32_splat(p1, 8)
      c10 = mac.mac(x, low, c10)
      c11 = mac.mac(x, high, c11)
      x = v128.load32_splat(p2, 8)
      c20 = mac.mac(x, low, c20)
      c21 = mac.mac(x, high, c21)
      x = v128.load32_splat(p3, 8)
      c30 = mac.mac(x, low, c30)
      c31 = mac.mac(x, high, c31)
      if (!p0) break
      low = mac.nextLow(b + 2 * mac.step)
      high = mac.nextHigh(b + 2 * mac.step)
      x = v128.load32_splat(p0, 12)
      c00 = mac.mac(x, low, c00)
      c01 = mac.mac(x, high, c01)
      x = v128.load32_splat(p1, 12)
      c10 = mac.mac(x, low, c10)
      c11 = mac.mac(x, high, c11)
      x = v128.load32_splat(p2, 12)
      c20 = mac.mac(x, low, c20)
      c21 = mac.mac(x, high, c21)
      x = v128.load32_splat(p3, 12)
      c30 = mac.mac(x, low, c30)
      c31 = mac.mac(x, high, c31)
    }
    b += BLOCK
    depths += 4
  }
  v128.store(c, c00)
  v128.store(c, c01, 16)
  c += ldc
  v128.store(c, c10)
  v128.store(c, c11, 16)
  c += ldc
  v128.store(c, c20)
  v128.store(c, c21, 16)
  c += ldc
  v128.store(c, c30)
  v128.store(c, c31, 16)
}

/**
 * 3 rows x 8 columns of narrow blocks: the products of both groups are added in int16, which fewer rows leave the registers for.
 */
function blocks3x8(
  a: usize,
  lda: usize,
  b: usize,
  depths: usize,
  count: u32,
  c: usize,
  ldc: usize,
): void {
  const ones = i16x8.splat(1)
  let c00 = i32x4.splat(0)
  let c01 = i32x4.splat(0)
  let c10 = i32x4.splat(0)
  let c11 = i32x4.splat(0)
  let c20 = i32x4.splat(0)
  let c21 = i32x4.splat(0)
  const end = depths + (<usize>count << 2)
  while (depths != end) {
    const p0 = a + <usize>load<u32>(depths)
    const p1 = p0 + lda
    const p2 = p1 + lda
    const low = v128.load(b)
    const high = v128.load(b, 16)
    const nextLow = v128.load(b, 32)
    const nextHigh = v128.load(b, 48)
    let x = v128.load32_splat(p0)
    let y = v128.load32_splat(p0, 4)
    c00 = i32x4.add(c00, i32x4.dot_i16x8_s(i16x8.add(dotBytes16(low, x), dotBytes16(nextLow, y)), ones))
    c01 = i32x4.add(c01, i32x4.dot_i16x8_s(i16x8.add(dotBytes16(high, x), dotBytes16(nextHigh, y)), ones))
    x = v128.load32_splat(p1)
    y = v128.load32_splat(p1, 4)
    c10 = i32x4.add(c10, i32x4.dot_i16x8_s(i16x8.add(dotBytes16(low, x), dotBytes16(nextLow, y)), ones))
    c11 = i32x4.add(c11, i32x4.dot_i16x8_s(i16x8.add(dotBytes16(high, x), dotBytes16(nextHigh, y)), ones))
    x = v128.load32_splat(p2)
    y = v128.load32_splat(p2, 4)
    c20 = i32x4.add(c20, i32x4.dot_i16x8_s(i16x8.add(dotBytes16(low, x), dotBytes16(nextLow, y)), ones))
    c21 = i32x4.add(c21, i32x4.dot_i16x8_s(i16x8.add(dotBytes16(high, x), dotBytes16(nextHigh, y)), ones))
    b += BLOCK
    depths += 4
  }
  v128.store(c, c00)
  v128.store(c, c01, 16)
  c += ldc
  v128.store(c, c10)
  v128.store(c, c11, 16)
  c += ldc
  v128.store(c, c20)
  v128.store(c, c21, 16)
}

/** 1 row x 8 columns; even and odd groups apart, for the latency of a step. */
function blocks1x8<M extends Mac>(a: usize, b: usize, depths: usize, count: u32, c: usize): void {
  const mac = changetype<M>(0)
  let even0 = i32x4.splat(0)
  let even1 = i32x4.splat(0)
  let odd0 = i32x4.splat(0)
  let odd1 = i32x4.splat(0)
  for (; count != 0; --count) {
    let p = a + <usize>load<u32>(depths)
    depths += 4
    for (let turn: u32 = 0; turn <= mac.shift; ++turn) {
      const x = v128.load32_splat(p)
      even0 = mac.mac(x, mac.low(b), even0)
      even1 = mac.mac(x, mac.high(b), even1)
      const y = v128.load32_splat(p, 4)
      odd0 = mac.mac(y, mac.nextLow(b), odd0)
      odd1 = mac.mac(y, mac.nextHigh(b), odd1)
      b += 2 * mac.step
      p += 8
    }
  }
  v128.store(c, i32x4.add(even0, odd0))
  v128.store(c, i32x4.add(even1, odd1), 16)
}
