// SPDX-License-Identifier: Apache-2.0
/**
 * float32 products with unstructured sparse weights (after XNNPACK's spmm: Elsen et al., Fast Sparse ConvNets, 2019,
 * arXiv:1911.09723): 32 rows of C at a time in eight vectors, a weight splat over them. Four columns are summed into
 * scratch, as rows of 32, and transposed into C.
 */
import { SpmmF32Args } from '../generated/args'
import { finish } from '../gemm/epilogue'
import { storeUpTo4 } from '../simd/lanes'
import { madd } from '../simd/madd'
import { ceilDiv } from '../units'
import { Epilogue } from '../gemm/views'

/** Rows of a unit. */
const ROWS: u32 = 32
/** Bytes of a column's sums in scratch. */
const COLUMN: usize = 128

/** Units [from, to). */
export function multiplyRows(s: SpmmF32Args, epilogue: Epilogue, from: u32, to: u32, thread: u32): void {
  const nBlocks = ceilDiv(s.n, s.nb)
  const step = <usize>s.lda << 2
  const ldc = <usize>s.ldc << 2
  const scratch = s.scratch + <usize>thread * s.scratchBytes
  for (let unit = from; unit < to; ++unit) {
    const row = (unit / nBlocks) * ROWS
    const rows = min(ROWS, s.m - row)
    const col = (unit % nBlocks) * s.nb
    const cols = min(s.nb, s.n - col)
    const a = s.a + (<usize>row << 2)
    const c = s.c + <usize>row * ldc + (<usize>col << 2)
    for (let j: u32 = 0; j < cols; j += 4) {
      const here = min<u32>(cols - j, 4)
      for (let i: u32 = 0; i < here; ++i) {
        const start = s.starts + (<usize>(col + j + i) << 2)
        const first = <usize>load<u32>(start) << 2
        const count = <u32>max<i32>(load<i32>(start, 4) - load<i32>(start), 0)
        const to = scratch + <usize>i * COLUMN
        if (rows > 4) sumTall(a, step, s.values + first, s.depths + first, count, to)
        else sumFlat(a, step, s.values + first, s.depths + first, count, to)
      }
      transpose(scratch, c + (<usize>j << 2), ldc, rows, here)
    }
    const bias = epilogue.bias ? epilogue.bias + (<usize>col << 2) : 0
    const residual = epilogue.residual
      ? epilogue.residual + ((<usize>row * epilogue.ldr + <usize>col) << 2)
      : 0
    finish(epilogue, c, ldc, rows, cols, 0, 0, 0, 0, bias, residual)
  }
}

/** One column of 32 rows. */
function sumTall(a: usize, step: usize, values: usize, depths: usize, count: u32, to: usize): void {
  let c0 = f32x4.splat(0)
  let c1 = f32x4.splat(0)
  let c2 = f32x4.splat(0)
  let c3 = f32x4.splat(0)
  let c4 = f32x4.splat(0)
  let c5 = f32x4.splat(0)
  let c6 = f32x4.splat(0)
  let c7 = f32x4.splat(0)
  const end = values + (<usize>count << 2)
  while (values != end) {
    const w = v128.load32_splat(values)
    const p = a + <usize>load<u32>(depths) * step
    c0 = madd(v128.load(p), w, c0)
    c1 = madd(v128.load(p, 16), w, c1)
    c2 = madd(v128.load(p, 32), w, c2)
    c3 = madd(v128.load(p, 48), w, c3)
    c4 = madd(v128.load(p, 64), w, c4)
    c5 = madd(v128.load(p, 80), w, c5)
    c6 = madd(v128.load(p, 96), w, c6)
    c7 = madd(v128.load(p, 112), w, c7)
    values += 4
    depths += 4
  }
  v128.store(to, c0)
  v128.store(to, c1, 16)
  v128.store(to, c2, 32)
  v128.store(to, c3, 48)
  v128.store(to, c4, 64)
  v128.store(to, c5, 80)
  v128.store(to, c6, 96)
  v128.store(to, c7, 112)
}

/** One column of up to four rows: the weights in turn, as in sumTall. */
function sumFlat(a: usize, step: usize, values: usize, depths: usize, count: u32, to: usize): void {
  let sum = f32x4.splat(0)
  const end = values + (<usize>count << 2)
  while (values != end) {
    sum = madd(v128.load(a + <usize>load<u32>(depths) * step), v128.load32_splat(values), sum)
    values += 4
    depths += 4
  }
  v128.store(to, sum)
}

/** Up to four columns of scratch as rows of C. */
function transpose(from: usize, c: usize, ldc: usize, rows: u32, cols: u32): void {
  for (let i: u32 = 0; i < rows; i += 4) {
    const a = v128.load(from)
    const b = v128.load(from + COLUMN)
    const d = v128.load(from + 2 * COLUMN)
    const e = v128.load(from + 3 * COLUMN)
    const abLow = v128.shuffle<i32>(a, b, 0, 4, 1, 5)
    const deLow = v128.shuffle<i32>(d, e, 0, 4, 1, 5)
    const abHigh = v128.shuffle<i32>(a, b, 2, 6, 3, 7)
    const deHigh = v128.shuffle<i32>(d, e, 2, 6, 3, 7)
    storeUpTo4(c, v128.shuffle<i64>(abLow, deLow, 0, 2), cols)
    if (i + 1 < rows) storeUpTo4(c + ldc, v128.shuffle<i64>(abLow, deLow, 1, 3), cols)
    if (i + 2 < rows) storeUpTo4(c + 2 * ldc, v128.shuffle<i64>(abHigh, deHigh, 0, 2), cols)
    if (i + 3 < rows) storeUpTo4(c + 3 * ldc, v128.shuffle<i64>(abHigh, deHigh, 1, 3), cols)
    from += 16
    c += 4 * ldc
  }
}
