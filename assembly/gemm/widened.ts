// SPDX-License-Identifier: Apache-2.0
/**
 * Products of float32 rows and weights of 8 or 4 bits with a scale per block of K. Panels are those of the dot (s8 c4, s4
 * c4): a lane of four bytes is four k of a column. One row turns weights into float32 in registers (widened-flat.ts), halves of
 * bytes by way of bytes in scratch; for more rows a panel is turned into float32 in the thread's scratch, once for all rows of
 * a unit, and multiplied as float32. The rows of the whole product decide, not those of a unit, so that its cut into units
 * changes no result.
 */
import { ceilDiv } from '../units'
import { multiplyFlat, multiplyTall } from './block'
import { copyRows, TILE_ROW } from './columns'
import { finish } from './epilogue'
import { F32 } from './mac'
import { Epilogue, Product, Scaled } from './views'
import { scaleOf, widen0, widen1, widen2, widen3, widened1x8 } from './widened-flat'

/** Units [from, to); `bits` is 8 or 4. */
export function multiplyWidened(
  p: Product,
  s: Scaled,
  epilogue: Epilogue,
  bits: u32,
  from: u32,
  to: u32,
  thread: u32,
): void {
  const nBlocks = ceilDiv(p.n, p.nb)
  const padded = <usize>ceilDiv(p.k, 8) << 3
  const packed = bits == 4 ? padded << 2 : <usize>ceilDiv(p.k, 4) << 5
  const side = <usize>ceilDiv(p.k, s.block) << 5
  const lda = <usize>p.lda << 2
  const ldc = <usize>p.ldc << 2
  const scratch = s.scratch + <usize>thread * s.scratchBytes
  const flat = p.m == 1
  // two rows of float32 panels want two of them side by side
  const together: u32 = !flat && p.m < 4 ? 16 : 8
  const bytes = scratch + 2 * TILE_ROW
  for (let unit = from; unit < to; ++unit) {
    const col = (unit % nBlocks) * p.nb
    const cols = min(p.nb, p.n - col)
    const row = (unit / nBlocks) * p.mb
    const rows = min(p.mb, p.m - row)
    let a = p.a + <usize>row * lda
    if (flat && (p.k & 7) != 0) {
      const copy = bytes + (padded << 3)
      memory.fill(copy, 0, padded << 2)
      memory.copy(copy, a, <usize>p.k << 2)
      a = copy
    }
    const c = p.c + <usize>row * ldc + (<usize>col << 2)
    for (let j: u32 = 0; j < cols; j += together) {
      const here = min(together, cols - j)
      const to = c + (<usize>j << 2)
      for (let i: u32 = 0; i < here; i += 8) {
        const index = <usize>((col + j + i) >> 3)
        const scales = s.wScale + index * side
        const zeros = s.wZeros ? s.wZeros + index * side : 0
        let b = p.b + index * packed
        if (!flat) {
          const floats = scratch + <usize>(i >> 3) * (padded << 5)
          if (bits == 4) widenHalves(b, floats, p.k, s.block, scales, zeros)
          else widenBytes(b, floats, p.k, s.block, scales)
          continue
        }
        if (bits == 4) {
          spread(b, bytes, p.k, s.block, zeros)
          b = bytes
        }
        widened1x8(a, b, p.k, s.block, scales, scratch)
        copyRows(scratch, to, ldc, 1, here)
      }
      if (!flat) multiplyPanels(a, lda, rows, scratch, padded << 5, p.k, to, ldc, here)
    }
    const bias = epilogue.bias ? epilogue.bias + (<usize>col << 2) : 0
    const residual = epilogue.residual
      ? epilogue.residual + ((<usize>row * epilogue.ldr + <usize>col) << 2)
      : 0
    finish(epilogue, c, ldc, rows, cols, 0, 0, 0, 0, bias, residual)
  }
}

/** All rows times panels of float32; the last tile of four or six rows overlaps the one before. */
function multiplyPanels(
  a: usize,
  lda: usize,
  rows: u32,
  b: usize,
  panel: usize,
  k: u32,
  c: usize,
  ldc: usize,
  cols: u32,
): void {
  for (let i: u32 = 0; i < rows; ) {
    const left = rows - i
    let at = <usize>i
    let taken = min<u32>(left, 2)
    if (left > 1 && rows >= 4) {
      // seven and eight are two tiles of four
      taken = changetype<F32>(0).rows == 6 && rows >= 6 && left > 4 && left != 7 && left != 8 ? 6 : 4
      at = min(i, rows - taken)
    }
    const x = a + at * lda
    const to = c + at * ldc
    if (taken < 4) multiplyFlat<F32>(x, lda, taken, b, panel, k, to, ldc, cols)
    else multiplyTall<F32>(x, lda, taken, b, panel, k, to, ldc, cols)
    i = <u32>at + taken
  }
}

/** A panel of halves as int8: stored less 8, + zero. Zeros may be left out. */
function spread(b: usize, to: usize, k: u32, block: u32, zeros: usize): void {
  const mask = i8x16.splat(15)
  const eight = i8x16.splat(8)
  // of words 8 - zero the first bytes, in all four of their lanes
  const first = i8x16(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12)
  let zero0 = i8x16.splat(-8)
  let zero1 = zero0
  for (let i: u32 = 0; i < k; ) {
    const end = i + min(block, k - i)
    if (zeros) {
      zero0 = i8x16.sub(i8x16.swizzle(v128.load(zeros), first), eight)
      zero1 = i8x16.sub(i8x16.swizzle(v128.load(zeros, 16), first), eight)
      zeros += 32
    }
    for (; i < end; i += 8) {
      const x = v128.load(b)
      const y = v128.load(b, 16)
      v128.store(to, i8x16.add(v128.and(x, mask), zero0))
      v128.store(to, i8x16.add(v128.and(y, mask), zero1), 16)
      v128.store(to, i8x16.add(v128.and(i16x8.shr_u(x, 4), mask), zero0), 32)
      v128.store(to, i8x16.add(v128.and(i16x8.shr_u(y, 4), mask), zero1), 48)
      b += 32
      to += 64
    }
  }
}

/** A panel of int8 as [k][8] float32, scaled. */
function widenBytes(b: usize, to: usize, k: u32, block: u32, scales: usize): void {
  for (let i: u32 = 0; i < k; ) {
    const end = i + min(block, k - i)
    const scale0 = scaleOf(scales)
    const scale1 = scaleOf(scales + 16)
    for (; i < end; i += 4) {
      fourBytes(v128.load(b), to, scale0)
      fourBytes(v128.load(b, 16), to + 16, scale1)
      b += 32
      to += 128
    }
    scales += 32
  }
}

/** Four k of four columns. */
// @ts-ignore: decorator
@inline
function fourBytes(x: v128, to: usize, scale: v128): void {
  v128.store(to, f32x4.mul(widen0(x), scale))
  v128.store(to, f32x4.mul(widen1(x), scale), 32)
  v128.store(to, f32x4.mul(widen2(x), scale), 64)
  v128.store(to, f32x4.mul(widen3(x), scale), 96)
}

/** A panel of halves as [k][8] float32: (stored less 8, + zero) * scale. Zeros may be left out. */
function widenHalves(b: usize, to: usize, k: u32, block: u32, scales: usize, zeros: usize): void {
  let zero0 = i32x4.splat(-8)
  let zero1 = zero0
  for (let i: u32 = 0; i < k; ) {
    const end = i + min(block, k - i)
    const scale0 = v128.load(scales)
    const scale1 = v128.load(scales, 16)
    if (zeros) {
      zero0 = i32x4.sub(v128.load(zeros), i32x4.splat(8))
      zero1 = i32x4.sub(v128.load(zeros, 16), i32x4.splat(8))
      zeros += 32
    }
    for (; i < end; i += 8) {
      eightHalves(v128.load(b), to, zero0, scale0)
      eightHalves(v128.load(b, 16), to + 16, zero1, scale1)
      b += 32
      to += 256
    }
    scales += 32
  }
}

/** Eight k of four columns: four in the low halves, then four in the high ones. */
// @ts-ignore: decorator
@inline
function eightHalves(x: v128, to: usize, zero: v128, scale: v128): void {
  storeHalf(x, to, zero, scale)
  storeHalf(i32x4.shr_u(x, 8), to + 32, zero, scale)
  storeHalf(i32x4.shr_u(x, 16), to + 64, zero, scale)
  storeHalf(i32x4.shr_u(x, 24), to + 96, zero, scale)
  storeHalf(i32x4.shr_u(x, 4), to + 128, zero, scale)
  storeHalf(i32x4.shr_u(x, 12), to + 160, zero, scale)
  storeHalf(i32x4.shr_u(x, 20), to + 192, zero, scale)
  storeHalf(i32x4.shr_u(x, 28), to + 224, zero, scale)
}

// @ts-ignore: decorator
@inline
function storeHalf(x: v128, to: usize, zero: v128, scale: v128): void {
  const half = v128.and(x, i32x4.splat(15))
  v128.store(to, f32x4.mul(f32x4.convert_i32x4_s(i32x4.add(half, zero)), scale))
}
