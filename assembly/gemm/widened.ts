// SPDX-License-Identifier: Apache-2.0
/**
 * Products of float32 rows and weights of 8 or 4 bits with a scale per block of K: panels are turned into float32, in
 * the thread's scratch, once for all rows of a unit, and multiplied as float32. Panels are those of the dot (s8 c4, s4
 * c4): a lane of four bytes is four k of a column, so shifts alone bring a k of four columns side by side.
 */
import { ceilDiv } from '../units'
import { multiplyFlat, multiplyTall } from './block'
import { finish } from './epilogue'
import { F32 } from './mac'
import { Epilogue, Product, Scaled } from './views'

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
  const size = bits == 4 ? 8 : 4
  const packed = <usize>ceilDiv(p.k, size) << 5
  const panel = <usize>ceilDiv(p.k, size) * (size << 5)
  const side = <usize>ceilDiv(p.k, s.block) << 5
  const lda = <usize>p.lda << 2
  const ldc = <usize>p.ldc << 2
  const scratch = s.scratch + <usize>thread * s.scratchBytes
  for (let unit = from; unit < to; ++unit) {
    const col = (unit % nBlocks) * p.nb
    const cols = min(p.nb, p.n - col)
    const row = (unit / nBlocks) * p.mb
    const rows = min(p.mb, p.m - row)
    const a = p.a + <usize>row * lda
    const c = p.c + <usize>row * ldc + (<usize>col << 2)
    // One row wants four panels side by side, two want two; more are multiplied a panel at a time.
    const together: u32 = rows == 1 ? 32 : rows < 4 ? 16 : 8
    for (let j: u32 = 0; j < cols; j += together) {
      const here = min(together, cols - j)
      for (let i: u32 = 0; i < here; i += 8) {
        const index = <usize>((col + j + i) >> 3)
        const at = index * side
        widenPanel(
          bits, p.b + index * packed, scratch + <usize>(i >> 3) * panel, p.k, s.block,
          s.wScale + at, s.wZeros ? s.wZeros + at : 0,
        )
      }
      multiplyPanels(a, lda, rows, scratch, panel, p.k, c + (<usize>j << 2), ldc, here)
    }
    const bias = epilogue.bias ? epilogue.bias + (<usize>col << 2) : 0
    const residual = epilogue.residual
      ? epilogue.residual + ((<usize>row * epilogue.ldr + <usize>col) << 2)
      : 0
    finish(epilogue, c, ldc, rows, cols, 0, 0, 0, 0, bias, residual)
  }
}

/** All rows times the panels in scratch. */
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
  while (rows != 0) {
    const tallest = changetype<F32>(0).rows
    const taken: u32 = rows >= tallest ? tallest : rows >= 4 ? 4 : rows >= 2 ? 2 : 1
    if (taken < 4) multiplyFlat<F32>(a, lda, taken, b, panel, k, c, ldc, cols)
    else multiplyTall<F32>(a, lda, taken, b, panel, k, c, ldc, cols)
    rows -= taken
    a += lda * taken
    c += ldc * taken
  }
}

/** One panel as [k][8] float32: (stored, for 4 bits less 8, + zero) * scale. Zeros may be left out. */
function widenPanel(
  bits: u32,
  b: usize,
  to: usize,
  k: u32,
  block: u32,
  scales: usize,
  zeros: usize,
): void {
  for (let i: u32 = 0; i < k; ) {
    const end = i + min(block, k - i)
    const scale0 = v128.load(scales)
    const scale1 = v128.load(scales, 16)
    let zero0 = i32x4.splat(-8)
    let zero1 = zero0
    if (zeros) {
      zero0 = i32x4.add(zero0, v128.load(zeros))
      zero1 = i32x4.add(zero1, v128.load(zeros, 16))
    }
    while (i < end) {
      if (bits == 4) {
        widenHalves(v128.load(b), to, zero0, scale0)
        widenHalves(v128.load(b, 16), to + 16, zero1, scale1)
        i += 8
        to += 256
      } else {
        widenBytes(v128.load(b), to, scale0)
        widenBytes(v128.load(b, 16), to + 16, scale1)
        i += 4
        to += 128
      }
      b += 32
    }
    scales += 32
    if (zeros) zeros += 32
  }
}

/** Four k of four columns of int8. */
// @ts-ignore: decorator
@inline
function widenBytes(x: v128, to: usize, scale: v128): void {
  v128.store(to, f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_s(i32x4.shl(x, 24), 24)), scale))
  v128.store(to, f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_s(i32x4.shl(x, 16), 24)), scale), 32)
  v128.store(to, f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_s(i32x4.shl(x, 8), 24)), scale), 64)
  v128.store(to, f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_s(x, 24)), scale), 96)
}

/** Eight k of four columns of 4 bits: four in the low halves, then four in the high ones. */
// @ts-ignore: decorator
@inline
function widenHalves(x: v128, to: usize, zero: v128, scale: v128): void {
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
