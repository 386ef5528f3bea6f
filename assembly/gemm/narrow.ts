// SPDX-License-Identifier: Apache-2.0
/**
 * Products of narrow weights with a scale per block of K, for hosts whose byte dot adds two products in int16: units as in
 * product.ts, one batch. Sums go on in int32 over 512 k, since they are of shares. Fewer than four rows go by the host's dot and by the
 * scales themselves.
 */
import { DOT_IS_ONE } from '../simd/dot'
import { ceilDiv } from '../units'
import { TILE_ROW } from './columns'
import { S8Dot } from './mac'
import { narrow4x8 } from './narrow-tile'
import { finishScaled, scaledFlat } from './scaled'
import { settle4x8, SUMS } from './shared-sum'
import { Epilogue, Product, Shared } from './views'

/** k whose shares allow for a sum in int32 (src/kernels/pack.ts). */
const SUMMED: u32 = 512

/** Units [from, to). */
export function multiplyNarrow(p: Product, s: Shared, epilogue: Epilogue, from: u32, to: u32, thread: u32): void {
  const nBlocks = ceilDiv(p.n, p.nb)
  const groups = ceilDiv(p.k, 4)
  const panel = <usize>groups << 5
  const lda = <usize>p.lda
  const ldc = <usize>p.ldc << 2
  const scratch = s.scratch + <usize>thread * s.scratchBytes
  for (let unit = from; unit < to; ++unit) {
    const col = (unit % nBlocks) * p.nb
    const cols = min(p.nb, p.n - col)
    let row = (unit / nBlocks) * p.mb
    const end = min(row + p.mb, p.m)
    const b = p.b + <usize>(col >> 3) * panel
    while (row < end) {
      const left = end - row
      const rows: u32 = left >= 4 ? 4 : DOT_IS_ONE && left >= 2 ? 2 : 1
      const a = p.a + <usize>row * lda
      const c = p.c + <usize>row * ldc + (<usize>col << 2)
      if (rows < 4) scaledFlat<S8Dot>(p, s, a, lda, row, rows, b, panel, groups, c, ldc, col, cols, scratch)
      else {
        for (let j: u32 = 0; j < cols; j += 8) {
          narrowTall(p, s, a, lda, row, b + <usize>(j >> 3) * panel, groups, c + (<usize>j << 2), ldc, col + j, min<u32>(8, cols - j), scratch)
        }
      }
      finishScaled(s, epilogue, c, ldc, row, rows, col, cols)
      row += rows
    }
  }
}

/** Four rows from `row` on and one panel. */
function narrowTall(
  p: Product,
  s: Shared,
  a: usize,
  lda: usize,
  row: u32,
  b: usize,
  groups: u32,
  c: usize,
  ldc: usize,
  col: u32,
  cols: u32,
  scratch: usize,
): void {
  let shares = s.wShares + <usize>(col >> 3) * (<usize>ceilDiv(p.k, s.block) << 4)
  const step = <usize>(SUMMED / s.block) << 4
  for (let left = groups; ; ) {
    const taken = min(left, SUMMED >> 2)
    narrow4x8(a, lda, b, taken, shares, s.block >> 2, scratch + SUMS, TILE_ROW, 8)
    settle4x8(s, left == groups, scratch, row, col, cols, c, ldc)
    left -= taken
    if (left == 0) return
    a += SUMMED
    b += SUMMED << 3
    shares += step
  }
}
