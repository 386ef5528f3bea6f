// SPDX-License-Identifier: Apache-2.0
/**
 * Transposes: a band of up to 8 rows becomes 8 columns. Whole bands go by tiles that fit the vector registers, of 4 x 4
 * elements of four bytes, or of 8 x 8 shorter ones; what is left goes element by element.
 */

/** Rows [0, rows) x cols of src (dense, rows at most 8) to dst[j * dstRow + i]; elements of type T, dstRow in bytes. */
export function transposeBand<T>(src: usize, dst: usize, rows: u32, cols: u32, dstRow: usize): void {
  const srcRow = <usize>cols * sizeof<T>()
  const across: usize = sizeof<T>() == 4 ? 4 : 8
  let j: u32 = 0
  if (rows == 8) {
    for (; j + <u32>across <= cols; j += <u32>across) {
      if (sizeof<T>() == 4) {
        crossTile(src, dst, srcRow, dstRow)
        crossTile(src + 4 * srcRow, dst + 16, srcRow, dstRow)
      } else if (sizeof<T>() == 2) crossTile16(src, dst, srcRow, dstRow)
      else crossTile8(src, dst, srcRow, dstRow)
      src += across * sizeof<T>()
      dst += across * dstRow
    }
  }
  for (; j < cols; j++, src += sizeof<T>(), dst += dstRow) {
    for (let i: u32 = 0; i < rows; i++) store<T>(dst + <usize>i * sizeof<T>(), load<T>(src + <usize>i * srcRow))
  }
}

/** One 4x4 tile: dst[j][i] = src[i][j]. */
// @ts-ignore: decorator
@inline
export function crossTile(src: usize, dst: usize, srcRow: usize, dstRow: usize): void {
  const x0 = v128.load(src)
  const x1 = v128.load(src + srcRow)
  const x2 = v128.load(src + 2 * srcRow)
  const x3 = v128.load(src + 3 * srcRow)
  const lo01 = v128.shuffle<i32>(x0, x1, 0, 4, 1, 5)
  const lo23 = v128.shuffle<i32>(x2, x3, 0, 4, 1, 5)
  const hi01 = v128.shuffle<i32>(x0, x1, 2, 6, 3, 7)
  const hi23 = v128.shuffle<i32>(x2, x3, 2, 6, 3, 7)
  v128.store(dst, v128.shuffle<i64>(lo01, lo23, 0, 2))
  v128.store(dst + dstRow, v128.shuffle<i64>(lo01, lo23, 1, 3))
  v128.store(dst + 2 * dstRow, v128.shuffle<i64>(hi01, hi23, 0, 2))
  v128.store(dst + 3 * dstRow, v128.shuffle<i64>(hi01, hi23, 1, 3))
}

/** One 8x8 tile of 2-byte elements. */
// @ts-ignore: decorator
@inline
function crossTile16(src: usize, dst: usize, srcRow: usize, dstRow: usize): void {
  let x = v128.load(src)
  let y = v128.load(src + srcRow)
  const a0 = v128.shuffle<i16>(x, y, 0, 8, 1, 9, 2, 10, 3, 11)
  const a1 = v128.shuffle<i16>(x, y, 4, 12, 5, 13, 6, 14, 7, 15)
  src += 2 * srcRow
  x = v128.load(src)
  y = v128.load(src + srcRow)
  const b0 = v128.shuffle<i16>(x, y, 0, 8, 1, 9, 2, 10, 3, 11)
  const b1 = v128.shuffle<i16>(x, y, 4, 12, 5, 13, 6, 14, 7, 15)
  src += 2 * srcRow
  x = v128.load(src)
  y = v128.load(src + srcRow)
  const c0 = v128.shuffle<i16>(x, y, 0, 8, 1, 9, 2, 10, 3, 11)
  const c1 = v128.shuffle<i16>(x, y, 4, 12, 5, 13, 6, 14, 7, 15)
  src += 2 * srcRow
  x = v128.load(src)
  y = v128.load(src + srcRow)
  const d0 = v128.shuffle<i16>(x, y, 0, 8, 1, 9, 2, 10, 3, 11)
  const d1 = v128.shuffle<i16>(x, y, 4, 12, 5, 13, 6, 14, 7, 15)
  storePairs(dst, dstRow, a0, b0, c0, d0)
  storePairs(dst + 4 * dstRow, dstRow, a1, b1, c1, d1)
}

/** Columns 0..3 of pairs of rows (a: 0 and 1, b: 2 and 3, …) as four lines of eight. */
// @ts-ignore: decorator
@inline
function storePairs(dst: usize, dstRow: usize, a: v128, b: v128, c: v128, d: v128): void {
  const abLow = v128.shuffle<i32>(a, b, 0, 4, 1, 5)
  const abHigh = v128.shuffle<i32>(a, b, 2, 6, 3, 7)
  const cdLow = v128.shuffle<i32>(c, d, 0, 4, 1, 5)
  const cdHigh = v128.shuffle<i32>(c, d, 2, 6, 3, 7)
  v128.store(dst, v128.shuffle<i64>(abLow, cdLow, 0, 2))
  v128.store(dst + dstRow, v128.shuffle<i64>(abLow, cdLow, 1, 3))
  v128.store(dst + 2 * dstRow, v128.shuffle<i64>(abHigh, cdHigh, 0, 2))
  v128.store(dst + 3 * dstRow, v128.shuffle<i64>(abHigh, cdHigh, 1, 3))
}

/** One 8x8 tile of bytes. */
// @ts-ignore: decorator
@inline
function crossTile8(src: usize, dst: usize, srcRow: usize, dstRow: usize): void {
  const a = zipRows(src, srcRow)
  const b = zipRows(src + 2 * srcRow, srcRow)
  const c = zipRows(src + 4 * srcRow, srcRow)
  const d = zipRows(src + 6 * srcRow, srcRow)
  const abLow = v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
  const abHigh = v128.shuffle<i16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
  const cdLow = v128.shuffle<i16>(c, d, 0, 8, 1, 9, 2, 10, 3, 11)
  const cdHigh = v128.shuffle<i16>(c, d, 4, 12, 5, 13, 6, 14, 7, 15)
  storeHalves(dst, dstRow, v128.shuffle<i32>(abLow, cdLow, 0, 4, 1, 5))
  storeHalves(dst + 2 * dstRow, dstRow, v128.shuffle<i32>(abLow, cdLow, 2, 6, 3, 7))
  storeHalves(dst + 4 * dstRow, dstRow, v128.shuffle<i32>(abHigh, cdHigh, 0, 4, 1, 5))
  storeHalves(dst + 6 * dstRow, dstRow, v128.shuffle<i32>(abHigh, cdHigh, 2, 6, 3, 7))
}

/** Eight bytes of each of two rows, in turn. */
// @ts-ignore: decorator
@inline
function zipRows(src: usize, srcRow: usize): v128 {
  const x = v128.load64_zero(src)
  const y = v128.load64_zero(src + srcRow)
  return v128.shuffle<i8>(x, y, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
}

// @ts-ignore: decorator
@inline
function storeHalves(dst: usize, dstRow: usize, x: v128): void {
  v128.store64_lane(dst, x, 0)
  v128.store64_lane(dst + dstRow, x, 1)
}
