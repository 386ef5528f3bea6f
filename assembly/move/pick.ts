// SPDX-License-Identifier: Apache-2.0
/**
 * Elements and runs taken from, or put to, where indices say. Negative indices count from the end; those out of range are
 * clamped, so nothing outside of the operands is touched.
 */
import { GatherElementsArgs, GatherTuplesArgs, TriangleArgs } from '../generated/args'

/** Row `at` of `size` rows. */
// @ts-ignore: decorator
@inline
function clamped(at: i64, size: u32): usize {
  const rows = <i64>size
  if (at < 0) at += rows
  return <usize>(at < 0 ? 0 : at >= rows ? rows - 1 : at)
}

// @ts-ignore: decorator
@inline
function copyElement(dst: usize, src: usize, width: u32): void {
  if (width == 4) store<u32>(dst, load<u32>(src))
  else if (width == 8) store<u64>(dst, load<u64>(src))
  else if (width == 2) store<u16>(dst, load<u16>(src))
  else store<u8>(dst, load<u8>(src))
}

/** Units [from, to): all indices of one o. `put`: from the dense operand to where the indices say. */
export function pickElements(args: usize, from: u32, to: u32, put: bool): void {
  const a = changetype<GatherElementsArgs>(args)
  if (!a.axis) return
  const width = a.width
  const run = a.count * a.inner
  const wide = a.indexBytes == 8
  for (let o = from; o < to; o++) {
    const there = (put ? a.dst : a.src) + <usize>o * a.axis * a.inner * width
    const here = (put ? a.src : a.dst) + <usize>o * run * width
    const index = a.index + <usize>o * run * a.indexBytes
    for (let e: u32 = 0, i: u32 = 0; e < run; e++) {
      const at = wide ? load<i64>(index + (<usize>e << 3)) : <i64>load<i32>(index + (<usize>e << 2))
      const far = there + (clamped(at, a.axis) * a.inner + i) * width
      const near = here + <usize>e * width
      if (put) copyElement(far, near, width)
      else copyElement(near, far, width)
      if (++i == a.inner) i = 0
    }
  }
}

/** Units [from, to): tuples. `put`: from the dense operand to where the tuples say. */
export function pickTuples(args: usize, from: u32, to: u32, put: bool): void {
  const a = changetype<GatherTuplesArgs>(args)
  const bytes = a.rowBytes
  for (let t = from; t < to; t++) {
    const tuple = a.index + (<usize>t * a.depth << 3)
    let row: usize = 0
    for (let k: u32 = 0; k < a.depth; k++) {
      const size = load<u32>(args + offsetof<GatherTuplesArgs>('d0') + (<usize>k << 2))
      if (!size) return
      row = row * size + clamped(load<i64>(tuple + (<usize>k << 3)), size)
    }
    const far = (put ? a.dst : a.src) + <usize>(t / a.perBatch) * a.batchBytes + row * bytes
    const near = (put ? a.src : a.dst) + <usize>t * bytes
    if (bytes == 4) copyElement(put ? far : near, put ? near : far, 4)
    else memory.copy(put ? far : near, put ? near : far, bytes)
  }
}

/** Units [from, to): rows of matrices, of which one side of a diagonal is kept. */
export function keepTriangle(args: usize, from: u32, to: u32): void {
  const a = changetype<TriangleArgs>(args)
  const cols = <i32>a.cols
  const bytes = <usize>a.cols * a.width
  for (let unit = from; unit < to; unit++) {
    const edge = min<i32>(max<i32>(<i32>(unit % a.rows) + a.k + <i32>(a.upper == 0), 0), cols)
    const before = <usize>edge * a.width
    const x = a.x + <usize>unit * bytes
    const y = a.y + <usize>unit * bytes
    if (a.upper) {
      memory.fill(y, 0, before)
      memory.copy(y + before, x + before, bytes - before)
    } else {
      memory.copy(y, x, before)
      memory.fill(y + before, 0, bytes - before)
    }
  }
}
