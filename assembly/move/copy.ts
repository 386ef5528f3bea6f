// SPDX-License-Identifier: Apache-2.0
/**
 * Copies between strided layouts of six dims. A unit is a run of d5 elements; the five outer coordinates are walked
 * like an odometer. Runs that are dense on both sides are block copies; 4-byte runs whose source is dense along d4 and
 * whose target is dense along d5 (a transpose) go through 4x4 tiles. src and dst do not overlap.
 */
import { Copy1Args } from '../generated/args'
import { crossTile } from './band'

/** Units [from, to) over elements of type T (u8, u16, u32 or u64). */
// @ts-ignore: decorator
@inline
export function copyStrided<T>(args: usize, from: u32, to: u32): void {
  const a = changetype<Copy1Args>(args)
  const dense = a.s5 == 1 && a.t5 == 1
  const crossed = sizeof<T>() == 4 && a.s4 == 1 && a.t5 == 1 && a.d5 >= 4
  let rest = from
  let i4 = rest % a.d4
  rest /= a.d4
  let i3 = rest % a.d3
  rest /= a.d3
  let i2 = rest % a.d2
  rest /= a.d2
  let i1 = rest % a.d1
  let i0 = rest / a.d1
  for (let unit = from; unit < to; unit++) {
    const s = i0 * a.s0 + i1 * a.s1 + i2 * a.s2 + i3 * a.s3 + i4 * a.s4
    const t = i0 * a.t0 + i1 * a.t1 + i2 * a.t2 + i3 * a.t3 + i4 * a.t4
    const src = a.src + (<usize>s) * sizeof<T>()
    const dst = a.dst + (<usize>t) * sizeof<T>()
    if (dense) copyRun<T>(src, dst, a.d5)
    else if (crossed && a.d4 - i4 >= 4 && to - unit >= 4) {
      crossRuns(src, dst, a.d5, <usize>a.s5 << 2, <usize>a.t4 << 2)
      unit += 3
      i4 += 3
    } else gatherRun<T>(src, dst, a.d5, <usize>a.s5 * sizeof<T>(), <usize>a.t5 * sizeof<T>())
    if (++i4 < a.d4) continue
    i4 = 0
    if (++i3 < a.d3) continue
    i3 = 0
    if (++i2 < a.d2) continue
    i2 = 0
    if (++i1 < a.d1) continue
    i1 = 0
    i0++
  }
}

/** Dense to dense; short runs by hand, since a block copy is a call into the host. */
// @ts-ignore: decorator
@inline
function copyRun<T>(src: usize, dst: usize, count: u32): void {
  const bytes = <usize>count * sizeof<T>()
  if (bytes > 256) {
    memory.copy(dst, src, bytes)
    return
  }
  const end = src + bytes
  for (; src + 16 <= end; src += 16, dst += 16) v128.store(dst, v128.load(src))
  for (; src < end; src += sizeof<T>(), dst += sizeof<T>()) store<T>(dst, load<T>(src))
}

/** One element after the other; steps are in bytes. */
// @ts-ignore: decorator
@inline
function gatherRun<T>(src: usize, dst: usize, count: u32, srcStep: usize, dstStep: usize): void {
  for (; count; count--, src += srcStep, dst += dstStep) store<T>(dst, load<T>(src))
}

/** Four runs at once: run r reads from src + 4 r with srcStep, and is dense at dst + r * dstRow. Steps in bytes. */
function crossRuns(src: usize, dst: usize, count: u32, srcStep: usize, dstRow: usize): void {
  const dst1 = dst + dstRow
  const dst2 = dst1 + dstRow
  const dst3 = dst2 + dstRow
  let at: usize = 0
  for (; count >= 4; count -= 4, at += 16, src += 4 * srcStep) crossTile(src, dst + at, srcStep, dstRow)
  for (; count; count--, at += 4, src += srcStep) {
    store<u32>(dst + at, load<u32>(src))
    store<u32>(dst1 + at, load<u32>(src, 4))
    store<u32>(dst2 + at, load<u32>(src, 8))
    store<u32>(dst3 + at, load<u32>(src, 12))
  }
}
