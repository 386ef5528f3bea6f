// SPDX-License-Identifier: Apache-2.0
/**
 * Sums of depthwise windows that slide by one pixel: four neighbouring outputs share most of their inputs, so each
 * input vector is loaded once a line for all four. All taps are inside the image, `lines` lines `lineStep` bytes apart;
 * weights are [lines][taps][channels]. Raw sums of the four pixels go to `y`, dense; channels >= 4, and the last four
 * channels may overlap those before, whose sums are written again.
 */
import { madd } from '../simd/madd'

/** Windows of 3 taps a line. */
export function slide3(
  x: usize,
  lineStep: usize,
  w: usize,
  lines: u32,
  y: usize,
  channels: u32,
): void {
  const pixel = <usize>channels << 2
  const last = pixel - 16
  for (let at: usize = 0; ; at = min(at + 16, last)) {
    let s0 = f32x4.splat(0)
    let s1 = f32x4.splat(0)
    let s2 = f32x4.splat(0)
    let s3 = f32x4.splat(0)
    let line = x + at
    let tap = w + at
    for (let left = lines; left != 0; --left) {
      const w0 = v128.load(tap)
      const w1 = v128.load(tap + pixel)
      const w2 = v128.load(tap + 2 * pixel)
      let v = v128.load(line)
      s0 = madd(v, w0, s0)
      v = v128.load(line + pixel)
      s0 = madd(v, w1, s0)
      s1 = madd(v, w0, s1)
      v = v128.load(line + 2 * pixel)
      s0 = madd(v, w2, s0)
      s1 = madd(v, w1, s1)
      s2 = madd(v, w0, s2)
      v = v128.load(line + 3 * pixel)
      s1 = madd(v, w2, s1)
      s2 = madd(v, w1, s2)
      s3 = madd(v, w0, s3)
      v = v128.load(line + 4 * pixel)
      s2 = madd(v, w2, s2)
      s3 = madd(v, w1, s3)
      v = v128.load(line + 5 * pixel)
      s3 = madd(v, w2, s3)
      line += lineStep
      tap += 3 * pixel
    }
    const to = y + at
    v128.store(to, s0)
    v128.store(to + pixel, s1)
    v128.store(to + 2 * pixel, s2)
    v128.store(to + 3 * pixel, s3)
    if (at == last) break
  }
}

/** Windows of 5 taps a line. */
export function slide5(
  x: usize,
  lineStep: usize,
  w: usize,
  lines: u32,
  y: usize,
  channels: u32,
): void {
  const pixel = <usize>channels << 2
  const last = pixel - 16
  for (let at: usize = 0; ; at = min(at + 16, last)) {
    let s0 = f32x4.splat(0)
    let s1 = f32x4.splat(0)
    let s2 = f32x4.splat(0)
    let s3 = f32x4.splat(0)
    let line = x + at
    let tap = w + at
    for (let left = lines; left != 0; --left) {
      const w0 = v128.load(tap)
      const w1 = v128.load(tap + pixel)
      const w2 = v128.load(tap + 2 * pixel)
      const w3 = v128.load(tap + 3 * pixel)
      const w4 = v128.load(tap + 4 * pixel)
      let v = v128.load(line)
      s0 = madd(v, w0, s0)
      v = v128.load(line + pixel)
      s0 = madd(v, w1, s0)
      s1 = madd(v, w0, s1)
      v = v128.load(line + 2 * pixel)
      s0 = madd(v, w2, s0)
      s1 = madd(v, w1, s1)
      s2 = madd(v, w0, s2)
      v = v128.load(line + 3 * pixel)
      s0 = madd(v, w3, s0)
      s1 = madd(v, w2, s1)
      s2 = madd(v, w1, s2)
      s3 = madd(v, w0, s3)
      v = v128.load(line + 4 * pixel)
      s0 = madd(v, w4, s0)
      s1 = madd(v, w3, s1)
      s2 = madd(v, w2, s2)
      s3 = madd(v, w1, s3)
      v = v128.load(line + 5 * pixel)
      s1 = madd(v, w4, s1)
      s2 = madd(v, w3, s2)
      s3 = madd(v, w2, s3)
      v = v128.load(line + 6 * pixel)
      s2 = madd(v, w4, s2)
      s3 = madd(v, w3, s3)
      v = v128.load(line + 7 * pixel)
      s3 = madd(v, w4, s3)
      line += lineStep
      tap += 5 * pixel
    }
    const to = y + at
    v128.store(to, s0)
    v128.store(to + pixel, s1)
    v128.store(to + 2 * pixel, s2)
    v128.store(to + 3 * pixel, s3)
    if (at == last) break
  }
}
