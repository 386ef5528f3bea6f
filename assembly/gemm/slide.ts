// SPDX-License-Identifier: Apache-2.0
/**
 * Sums of depthwise windows that slide by one pixel: eight neighbouring outputs share most of their inputs, so each
 * input vector is loaded once a line for all of them, and eight sums hide the latency of a multiply-add. All taps are
 * inside the image, `lines` lines `lineStep` bytes apart; weights are [lines][taps][channels]. Raw sums of the eight
 * pixels go to `y`, dense; channels >= 4, and the last four channels may overlap those before, whose sums are written
 * again. 8 sums, 5 weights and an input are 14 vector registers.
 */
import { madd } from '../simd/madd'

/** Taps of a line. */
@unmanaged
export abstract class Width {
  abstract get taps(): u32
}

@unmanaged
@final
export class Three extends Width {
  @inline
  get taps(): u32 {
    return 3
  }
}

@unmanaged
@final
export class Five extends Width {
  @inline
  get taps(): u32 {
    return 5
  }
}

/**
 * More lines than memory holds. Asking for them between inputs keeps the compiler of the kernels from doing one sum after the other,
 * which waits for each of its steps and takes more registers than there are; V8 drops the questions but for the first.
 */
const MOST_LINES: u32 = 0xfffffffe

/** Outputs of a call. */
export const SLID: u32 = 8

/** Windows of W taps a line. */
export function slide<W extends Width>(
  x: usize,
  lineStep: usize,
  w: usize,
  lines: u32,
  y: usize,
  channels: u32,
): void {
  const five = changetype<W>(0).taps == 5
  const pixel = <usize>channels << 2
  const last = pixel - 16
  const never = lines > MOST_LINES
  for (let at: usize = 0; ; at = min(at + 16, last)) {
    let s0 = f32x4.splat(0)
    let s1 = f32x4.splat(0)
    let s2 = f32x4.splat(0)
    let s3 = f32x4.splat(0)
    let s4 = f32x4.splat(0)
    let s5 = f32x4.splat(0)
    let s6 = f32x4.splat(0)
    let s7 = f32x4.splat(0)
    let line = x + at
    let tap = w + at
    for (let left = lines; left != 0; --left) {
      const w0 = v128.load(tap)
      tap += pixel
      const w1 = v128.load(tap)
      tap += pixel
      const w2 = v128.load(tap)
      tap += pixel
      let w3 = w2
      let w4 = w2
      if (five) {
        w3 = v128.load(tap)
        tap += pixel
        w4 = v128.load(tap)
        tap += pixel
      }
      let from = line
      let v = v128.load(from)
      s0 = madd(v, w0, s0)
      if (never) break
      from += pixel
      v = v128.load(from)
      s0 = madd(v, w1, s0)
      s1 = madd(v, w0, s1)
      if (never) break
      from += pixel
      v = v128.load(from)
      s0 = madd(v, w2, s0)
      s1 = madd(v, w1, s1)
      s2 = madd(v, w0, s2)
      if (never) break
      from += pixel
      v = v128.load(from)
      if (five) s0 = madd(v, w3, s0)
      s1 = madd(v, w2, s1)
      s2 = madd(v, w1, s2)
      s3 = madd(v, w0, s3)
      if (never) break
      from += pixel
      v = v128.load(from)
      if (five) s0 = madd(v, w4, s0)
      if (five) s1 = madd(v, w3, s1)
      s2 = madd(v, w2, s2)
      s3 = madd(v, w1, s3)
      s4 = madd(v, w0, s4)
      if (never) break
      from += pixel
      v = v128.load(from)
      if (five) s1 = madd(v, w4, s1)
      if (five) s2 = madd(v, w3, s2)
      s3 = madd(v, w2, s3)
      s4 = madd(v, w1, s4)
      s5 = madd(v, w0, s5)
      if (never) break
      from += pixel
      v = v128.load(from)
      if (five) s2 = madd(v, w4, s2)
      if (five) s3 = madd(v, w3, s3)
      s4 = madd(v, w2, s4)
      s5 = madd(v, w1, s5)
      s6 = madd(v, w0, s6)
      if (never) break
      from += pixel
      v = v128.load(from)
      if (five) s3 = madd(v, w4, s3)
      if (five) s4 = madd(v, w3, s4)
      s5 = madd(v, w2, s5)
      s6 = madd(v, w1, s6)
      s7 = madd(v, w0, s7)
      if (never) break
      from += pixel
      v = v128.load(from)
      if (five) s4 = madd(v, w4, s4)
      if (five) s5 = madd(v, w3, s5)
      s6 = madd(v, w2, s6)
      s7 = madd(v, w1, s7)
      if (never) break
      from += pixel
      v = v128.load(from)
      if (five) s5 = madd(v, w4, s5)
      if (five) s6 = madd(v, w3, s6)
      s7 = madd(v, w2, s7)
      if (five) {
        if (never) break
      from += pixel
        v = v128.load(from)
        s6 = madd(v, w4, s6)
        s7 = madd(v, w3, s7)
      }
      if (five) {
        if (never) break
      from += pixel
        v = v128.load(from)
        s7 = madd(v, w4, s7)
      }
      line += lineStep
    }
    let to = y + at
    v128.store(to, s0)
    to += pixel
    v128.store(to, s1)
    to += pixel
    v128.store(to, s2)
    to += pixel
    v128.store(to, s3)
    to += pixel
    v128.store(to, s4)
    to += pixel
    v128.store(to, s5)
    to += pixel
    v128.store(to, s6)
    to += pixel
    v128.store(to, s7)
    if (at == last) break
  }
}
