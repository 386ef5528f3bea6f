// SPDX-License-Identifier: Apache-2.0
/**
 * Sparse weights of a file, as they are there, to what the products want: dense panels (src/kernels/gemm.ts) with the
 * zeros in them, and int8 to int16. Indices are followed clipped, so a damaged file leads nowhere.
 */
import { SpreadBlocksS8Args, SpreadRowsF32Args, SpreadRowsS8Args, WidenS8Args } from '../generated/args'

/** First weight of list `index`, at most `count`. */
// @ts-ignore: decorator
@inline
function startOf(starts: usize, index: u32, count: u32): u32 {
  return min<u32>(load<u32>(starts + (<usize>index << 2)), count)
}

/** Units [from, to): panels of 8 columns. */
export function spread_rows_f32(args: usize, from: u32, to: u32, thread: u32): void {
  const s = changetype<SpreadRowsF32Args>(args)
  const bytes = <usize>s.k << 5
  for (let unit = from; unit < to; ++unit) {
    const panel = s.dst + <usize>unit * bytes
    memory.fill(panel, 0, bytes)
    const first = unit << 3
    const columns = min<u32>(8, s.n - first)
    for (let j: u32 = 0; j < columns; ++j) {
      const end = startOf(s.starts, first + j + 1, s.count)
      for (let i = startOf(s.starts, first + j, s.count); i < end; ++i) {
        const depth = <usize>min<u32>(load<u32>(s.depths + (<usize>i << 2)), s.k - 1)
        const at = panel + (depth << 5) + (<usize>j << 2)
        store<f32>(at, load<f32>(at) + load<f32>(s.values + (<usize>i << 2)))
      }
    }
  }
}

/** Where k = depth of column j is in a panel whose groups are `group` k. */
// @ts-ignore: decorator
@inline
function placeOf(depth: u32, j: u32, group: u32): usize {
  return <usize>(((depth / group) << 3) + j) * group + (depth % group)
}

/** Units [from, to): panels of 8 columns and their sums. */
export function spread_rows_s8(args: usize, from: u32, to: u32, thread: u32): void {
  const s = changetype<SpreadRowsS8Args>(args)
  const bytes = <usize>((s.k + s.group - 1) / s.group) * s.group << 3
  for (let unit = from; unit < to; ++unit) {
    const panel = s.dst + <usize>unit * bytes
    memory.fill(panel, 0, bytes)
    const first = unit << 3
    for (let j: u32 = 0; j < 8; ++j) {
      let sum: i32 = 0
      if (first + j < s.n) {
        const end = startOf(s.starts, first + j + 1, s.count)
        for (let i = startOf(s.starts, first + j, s.count); i < end; ++i) {
          const depth = min<u32>(load<u32>(s.depths + (<usize>i << 2)), s.k - 1)
          const value = <i32>load<i8>(s.values + i)
          store<i8>(panel + placeOf(depth, j, s.group), <i8>value)
          sum += value
        }
      }
      store<i32>(s.sums + (<usize>(first + j) << 2), sum)
    }
  }
}

/** The same from blocks of 8 columns x 8 k. */
export function spread_blocks_s8(args: usize, from: u32, to: u32, thread: u32): void {
  const s = changetype<SpreadBlocksS8Args>(args)
  const groups = (s.k + s.group - 1) / s.group
  const depths = groups * s.group
  const bytes = <usize>depths << 3
  for (let unit = from; unit < to; ++unit) {
    const panel = s.dst + <usize>unit * bytes
    memory.fill(panel, 0, bytes)
    const sums = s.sums + (<usize>unit << 5)
    memory.fill(sums, 0, 32)
    const end = startOf(s.starts, unit + 1, s.count)
    for (let block = startOf(s.starts, unit, s.count); block < end; ++block) {
      const first = min<u32>(load<u32>(s.depths + (<usize>block << 2)), (s.k - 1) >> 3) << 3
      const here = min<u32>(8, s.k - first)
      for (let j: u32 = 0; j < 8; ++j) {
        const row = s.values + (<usize>block << 6) + (<usize>j << 3)
        let sum = load<i32>(sums + (<usize>j << 2))
        for (let i: u32 = 0; i < here; ++i) {
          const value = <i32>load<i8>(row + i)
          store<i8>(panel + placeOf(first + i, j, s.group), <i8>value)
          sum += value
        }
        store<i32>(sums + (<usize>j << 2), sum)
      }
    }
  }
}

/** Units [from, to): runs of `block` elements. */
export function widen_s8(args: usize, from: u32, to: u32, thread: u32): void {
  const s = changetype<WidenS8Args>(args)
  const end = min(to * s.block, s.size)
  for (let i = from * s.block; i < end; ++i) store<i16>(s.dst + (<usize>i << 1), <i16>load<i8>(s.src + i))
}
