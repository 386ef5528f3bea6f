// SPDX-License-Identifier: Apache-2.0
/**
 * Products with unstructured sparse weights (after XNNPACK's spmm: Elsen et al., Fast Sparse ConvNets, 2019,
 * arXiv:1911.09723): 32 rows of C at a time in eight vectors, the weights of a column splat over them (lines.ts). Sixteen
 * columns are summed as lines of 32 and transposed. Rows of C are often a power of two apart and push each other out of the
 * cache: each gets its sixteen sums of float32 at once, finished on the way where there is neither activation nor residual;
 * else they go to a tile of the unit, which gets its epilogue and is copied. A block of 32 rows of A is transposed in
 * scratch, so that the rows a weight meets are one or two lines of the cache, and stays for the units beside each other.
 */
import { finish } from '../gemm/epilogue'
import { Epilogue, RowParams } from '../gemm/views'
import { transposeBand } from '../move/band'
import { storeUpTo4 } from '../simd/lanes'
import { ceilDiv } from '../units'
import { COLUMN, Line, ROWS } from './lines'

/** Columns that are transposed together: a line of the cache. */
const BAND: u32 = 16

/** The arguments of the rows of src/kernels/sparse.ts that begin alike. */
@unmanaged
@final
export class Rows {
  a: usize
  values: usize
  depths: usize
  starts: usize
  c: usize
  ldc: u32
  m: u32
  n: u32
  k: u32
  nb: u32
  scratch: usize
  scratchBytes: u32
}

/** The arguments behind them where weights and rows are bytes. */
@unmanaged
@final
export class Scales {
  aParams: usize
  wScale: usize
}

/** Units [from, to). `scales` is 0 for float32. Scratch holds the block of A, sixteen lines, the tile, the column sums of bytes. */
export function multiplyRows<L extends Line>(
  s: Rows,
  scales: usize,
  epilogue: Epilogue,
  from: u32,
  to: u32,
  thread: u32,
): void {
  const line = changetype<L>(0)
  const nBlocks = ceilDiv(s.n, s.nb)
  const ldc = <usize>s.ldc << 2
  const a = s.scratch + <usize>thread * s.scratchBytes
  const lines = a + (<usize>(s.k + 1) << (5 + line.shift))
  const width = <usize>((s.nb + 3) & ~3) << 2
  const tile = lines + <usize>BAND * COLUMN
  const sums = line.shift != 2 ? tile + <usize>ROWS * width : 0
  let held: u32 = -1
  for (let unit = from; unit < to; ++unit) {
    const row = (unit / nBlocks) * ROWS
    const rows = min(ROWS, s.m - row)
    const col = (unit % nBlocks) * s.nb
    const cols = min(s.nb, s.n - col)
    if (row != held) {
      const x = s.a + ((<usize>row * s.k) << line.shift)
      if (line.shift == 2) transposeRows<u32>(x, a, rows, s.k)
      else if (line.shift == 1) transposeRows<u16>(x, a, rows, s.k)
      else transposeRows<u8>(x, a, rows, s.k)
      held = row
    }
    const c = s.c + <usize>row * ldc + (<usize>col << 2)
    const bias = epilogue.bias ? epilogue.bias + (<usize>col << 2) : 0
    // columns that need no tile
    let direct: u32 = 0
    if (line.shift == 2 && !epilogue.residual && epilogue.activation == 0 && (rows & 3) == 0) direct = cols & ~(BAND - 1)
    for (let j: u32 = 0; j < cols; j += BAND) {
      const here = min<u32>(cols - j, BAND)
      for (let i: u32 = 0; i < here; ++i) {
        const start = s.starts + (<usize>(col + j + i) << 2)
        const first = <usize>load<u32>(start)
        const count = <u32>max<i32>(load<i32>(start, 4) - load<i32>(start), 0)
        const values = s.values + (first << line.weight)
        const depths = s.depths + (first << 2)
        const to = lines + <usize>i * COLUMN
        if (rows == ROWS) line.tall(a, values, depths, count, to)
        else if (rows > 4) line.short(a, rows, values, depths, count, to)
        else line.flat(a, rows, values, depths, count, to)
        if (line.shift != 2) store<i32>(sums + (<usize>(j + i) << 2), line.sum(values, count))
      }
      const skip = <usize>j << 2
      if (line.shift == 2 && j < direct) transpose(lines, c + skip, ldc, rows, here, epilogue, bias ? bias + skip : 0)
      else transpose(lines, tile + skip, width, rows, here, null, 0)
    }
    if (line.shift == 2 && direct == cols) continue
    const skip = <usize>direct << 2
    const residual = epilogue.residual
      ? epilogue.residual + ((<usize>row * epilogue.ldr + <usize>col) << 2)
      : 0
    let params: usize = 0
    let wScale: usize = 0
    if (line.shift != 2) {
      const q = changetype<Scales>(scales)
      params = q.aParams + <usize>row * offsetof<RowParams>()
      wScale = q.wScale + (<usize>col << 2)
    }
    finish(epilogue, tile + skip, width, rows, cols - direct, params, offsetof<RowParams>(), wScale, sums, bias ? bias + skip : 0, residual)
    for (let i: u32 = 0; i < rows; ++i) {
      const at = <usize>i * width + skip
      copyRow(tile + at, c + <usize>i * ldc + skip, cols - direct)
    }
  }
}

/** Rows of k elements, dense, as k lines of `rows`. */
function transposeRows<T>(from: usize, to: usize, rows: u32, k: u32): void {
  for (let i: u32 = 0; i < rows; i += 8) {
    transposeBand<T>(from + (<usize>i * k) * sizeof<T>(), to + <usize>i * sizeof<T>(), min<u32>(8, rows - i), k, <usize>rows * sizeof<T>())
  }
}

/** `count` elements of four bytes. */
// @ts-ignore: decorator
@inline
function copyRow(from: usize, to: usize, count: u32): void {
  for (; count >= 4; count -= 4) {
    v128.store(to, v128.load(from))
    from += 16
    to += 16
  }
  if (count != 0) storeUpTo4(to, v128.load(from), count)
}

/**
 * `cols` lines as columns of rows that are `ldc` bytes apart; rows and columns are rounded up to 4. With an epilogue, which
 * is without activation, they are finished on the way; `bias` is at the first of the columns, or 0.
 */
function transpose(from: usize, c: usize, ldc: usize, rows: u32, cols: u32, epilogue: Epilogue | null, bias: usize): void {
  let postScale = f32x4.splat(1)
  let postShift = f32x4.splat(0)
  if (epilogue) {
    postScale = f32x4.splat(epilogue.postScale)
    postShift = f32x4.splat(epilogue.postShift)
  }
  for (let i: u32 = 0; i < rows; i += 4) {
    let line = from
    let to = c
    for (let j: u32 = 0; j < cols; j += 4) {
      const a = v128.load(line)
      const b = v128.load(line, COLUMN)
      const d = v128.load(line, 2 * COLUMN)
      const e = v128.load(line, 3 * COLUMN)
      const abLow = v128.shuffle<i32>(a, b, 0, 4, 1, 5)
      const deLow = v128.shuffle<i32>(d, e, 0, 4, 1, 5)
      const abHigh = v128.shuffle<i32>(a, b, 2, 6, 3, 7)
      const deHigh = v128.shuffle<i32>(d, e, 2, 6, 3, 7)
      let row0 = v128.shuffle<i64>(abLow, deLow, 0, 2)
      let row1 = v128.shuffle<i64>(abLow, deLow, 1, 3)
      let row2 = v128.shuffle<i64>(abHigh, deHigh, 0, 2)
      let row3 = v128.shuffle<i64>(abHigh, deHigh, 1, 3)
      if (epilogue) {
        const biases = bias ? v128.load(bias + (to - c)) : f32x4.splat(0)
        row0 = f32x4.add(f32x4.mul(f32x4.add(row0, biases), postScale), postShift)
        row1 = f32x4.add(f32x4.mul(f32x4.add(row1, biases), postScale), postShift)
        row2 = f32x4.add(f32x4.mul(f32x4.add(row2, biases), postScale), postShift)
        row3 = f32x4.add(f32x4.mul(f32x4.add(row3, biases), postScale), postShift)
      }
      v128.store(to, row0)
      v128.store(to + ldc, row1)
      v128.store(to + 2 * ldc, row2)
      v128.store(to + 3 * ldc, row3)
      line += 4 * COLUMN
      to += 16
    }
    from += 16
    c += 4 * ldc
  }
}
