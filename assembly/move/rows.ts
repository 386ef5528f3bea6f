// SPDX-License-Identifier: Apache-2.0
/** Whole rows and blocks: transposing bands, block copies, filling, gathering along an axis. */
import { CopyBytesArgs, Fill4Args, GatherRowsArgs, Transpose4Args } from '../generated/args'
import { transposeBand } from './band'

/** Units [from, to) over elements of type T (u8, u16 or u32): bands of 8 rows of one batch. */
// @ts-ignore: decorator
@inline
export function transposeBands<T>(args: usize, from: u32, to: u32): void {
  const a = changetype<Transpose4Args>(args)
  const bands = (a.rows + 7) >> 3
  const matrix = <usize>a.rows * a.cols * sizeof<T>()
  for (let unit = from; unit < to; unit++) {
    const batch = unit / bands
    const row = (unit - batch * bands) << 3
    const src = a.x + <usize>batch * matrix + <usize>row * a.cols * sizeof<T>()
    const dst = a.y + <usize>batch * matrix + <usize>row * sizeof<T>()
    transposeBand<T>(src, dst, min<u32>(8, a.rows - row), a.cols, <usize>a.rows * sizeof<T>())
  }
}

/** Units [from, to): runs of `block` bytes. */
// @ts-ignore: decorator
@inline
export function copyBlocks(args: usize, from: u32, to: u32): void {
  const a = changetype<CopyBytesArgs>(args)
  const first = from * a.block
  memory.copy(a.dst + first, a.src + first, min<u32>(to * a.block, a.bytes) - first)
}

/** Units [from, to): runs of `block` elements. */
// @ts-ignore: decorator
@inline
export function fillBlocks(args: usize, from: u32, to: u32): void {
  const a = changetype<Fill4Args>(args)
  const value = i32x4.splat(a.value)
  let p = a.dst + ((<usize>from * a.block) << 2)
  const end = a.dst + (<usize>min<u32>(to * a.block, a.size) << 2)
  for (; p + 16 <= end; p += 16) v128.store(p, value)
  for (; p < end; p += 4) store<u32>(p, a.value)
}

/** Units [from, to): rows (o, i). An empty axis has nothing to take from and writes nothing. */
// @ts-ignore: decorator
@inline
export function gatherRows(args: usize, from: u32, to: u32): void {
  const a = changetype<GatherRowsArgs>(args)
  const axis = <i64>a.axis
  if (!axis) return
  const bytes = a.rowBytes
  const whole = <usize>a.axis * bytes
  const wide = a.indexBytes == 8
  let i = from % a.count
  let base = a.src + <usize>(from / a.count) * whole
  let dst = a.dst + <usize>from * bytes
  for (let unit = from; unit < to; unit++) {
    let at = wide ? load<i64>(a.index + (<usize>i << 3)) : <i64>load<i32>(a.index + (<usize>i << 2))
    if (at < 0) at += axis
    at = at < 0 ? 0 : at >= axis ? axis - 1 : at
    copyRow(dst, base + <usize>at * bytes, bytes)
    dst += bytes
    if (++i == a.count) {
      i = 0
      base += whole
    }
  }
}

/** Rows that do not overlap; short ones by hand, since a block copy is a call into the host. */
// @ts-ignore: decorator
@inline
function copyRow(dst: usize, src: usize, bytes: u32): void {
  if (bytes == 4) {
    store<u32>(dst, load<u32>(src))
    return
  }
  if (bytes < 16 || bytes > 512) {
    memory.copy(dst, src, bytes)
    return
  }
  const last = bytes - 16
  for (let at: u32 = 0; at < last; at += 16) v128.store(dst + at, v128.load(src + at))
  v128.store(dst + last, v128.load(src + last))
}
