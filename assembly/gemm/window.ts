// SPDX-License-Identifier: Apache-2.0
/**
 * Sums of a depthwise window. All taps named are inside the image: `lines` lines `lineStep` bytes apart, `taps` taps
 * `tapStep` bytes apart in each; a tap's weights are `channels` float32, its neighbour's follow, a kernel line is
 * `weightLine` bytes. Raw sums go to `y`, dense. Channels go by blocks; the last block may overlap the one before,
 * whose sums it writes again.
 */
import { madd } from '../simd/madd'

/** Four output pixels whose windows are `pixelStep` bytes apart. */
export function fourPixels(
  x: usize,
  pixelStep: usize,
  lineStep: usize,
  tapStep: usize,
  w: usize,
  weightLine: usize,
  lines: u32,
  taps: u32,
  y: usize,
  channels: u32,
): void {
  const pixel = <usize>channels << 2
  let at: usize = 0
  for (; at + 32 <= pixel; at += 32) {
    fourPixels8(x + at, pixelStep, lineStep, tapStep, w + at, weightLine, lines, taps, y + at, pixel)
  }
  if (at == pixel) return
  if (channels < 4) {
    for (let i: usize = 0; i < 4; ++i) {
      onePixel(x + i * pixelStep, lineStep, tapStep, w, weightLine, lines, taps, y + i * pixel, channels)
    }
    return
  }
  for (; at < pixel; at += 16) {
    at = min(at, pixel - 16)
    fourPixels4(x + at, pixelStep, lineStep, tapStep, w + at, weightLine, lines, taps, y + at, pixel)
  }
}

/** 4 pixels x 8 channels. */
function fourPixels8(
  x: usize,
  pixelStep: usize,
  lineStep: usize,
  tapStep: usize,
  w: usize,
  weightLine: usize,
  lines: u32,
  taps: u32,
  y: usize,
  pixel: usize,
): void {
  let s00 = f32x4.splat(0)
  let s01 = f32x4.splat(0)
  let s10 = f32x4.splat(0)
  let s11 = f32x4.splat(0)
  let s20 = f32x4.splat(0)
  let s21 = f32x4.splat(0)
  let s30 = f32x4.splat(0)
  let s31 = f32x4.splat(0)
  for (; lines != 0; --lines) {
    let x0 = x
    let x1 = x0 + pixelStep
    let x2 = x1 + pixelStep
    let x3 = x2 + pixelStep
    let v = w
    for (let t = taps; t != 0; --t) {
      const w0 = v128.load(v)
      const w1 = v128.load(v, 16)
      s00 = madd(v128.load(x0), w0, s00)
      s01 = madd(v128.load(x0, 16), w1, s01)
      s10 = madd(v128.load(x1), w0, s10)
      s11 = madd(v128.load(x1, 16), w1, s11)
      s20 = madd(v128.load(x2), w0, s20)
      s21 = madd(v128.load(x2, 16), w1, s21)
      s30 = madd(v128.load(x3), w0, s30)
      s31 = madd(v128.load(x3, 16), w1, s31)
      x0 += tapStep
      x1 += tapStep
      x2 += tapStep
      x3 += tapStep
      v += pixel
    }
    x += lineStep
    w += weightLine
  }
  v128.store(y, s00)
  v128.store(y, s01, 16)
  y += pixel
  v128.store(y, s10)
  v128.store(y, s11, 16)
  y += pixel
  v128.store(y, s20)
  v128.store(y, s21, 16)
  y += pixel
  v128.store(y, s30)
  v128.store(y, s31, 16)
}

/** 4 pixels x 4 channels. */
function fourPixels4(
  x: usize,
  pixelStep: usize,
  lineStep: usize,
  tapStep: usize,
  w: usize,
  weightLine: usize,
  lines: u32,
  taps: u32,
  y: usize,
  pixel: usize,
): void {
  let s0 = f32x4.splat(0)
  let s1 = f32x4.splat(0)
  let s2 = f32x4.splat(0)
  let s3 = f32x4.splat(0)
  for (; lines != 0; --lines) {
    let x0 = x
    let x1 = x0 + pixelStep
    let x2 = x1 + pixelStep
    let x3 = x2 + pixelStep
    let v = w
    for (let t = taps; t != 0; --t) {
      const w0 = v128.load(v)
      s0 = madd(v128.load(x0), w0, s0)
      s1 = madd(v128.load(x1), w0, s1)
      s2 = madd(v128.load(x2), w0, s2)
      s3 = madd(v128.load(x3), w0, s3)
      x0 += tapStep
      x1 += tapStep
      x2 += tapStep
      x3 += tapStep
      v += pixel
    }
    x += lineStep
    w += weightLine
  }
  v128.store(y, s0)
  y += pixel
  v128.store(y, s1)
  y += pixel
  v128.store(y, s2)
  y += pixel
  v128.store(y, s3)
}

/** One output pixel. */
export function onePixel(
  x: usize,
  lineStep: usize,
  tapStep: usize,
  w: usize,
  weightLine: usize,
  lines: u32,
  taps: u32,
  y: usize,
  channels: u32,
): void {
  const pixel = <usize>channels << 2
  let at: usize = 0
  for (; at + 128 <= pixel; at += 128) {
    onePixel32(x + at, lineStep, tapStep, w + at, weightLine, lines, taps, y + at, pixel)
  }
  for (; at + 64 <= pixel; at += 64) {
    onePixel16(x + at, lineStep, tapStep, w + at, weightLine, lines, taps, y + at, pixel)
  }
  if (channels < 4) {
    for (; at < pixel; at += 4) oneChannel(x + at, lineStep, tapStep, w + at, weightLine, lines, taps, y + at, pixel)
    return
  }
  for (; at < pixel; at += 16) {
    at = min(at, pixel - 16)
    onePixel4(x + at, lineStep, tapStep, w + at, weightLine, lines, taps, y + at, pixel)
  }
}

/** 1 pixel x 32 channels: as many sums as hide the latency of a multiply-add. */
function onePixel32(
  x: usize,
  lineStep: usize,
  tapStep: usize,
  w: usize,
  weightLine: usize,
  lines: u32,
  taps: u32,
  y: usize,
  pixel: usize,
): void {
  let s0 = f32x4.splat(0)
  let s1 = f32x4.splat(0)
  let s2 = f32x4.splat(0)
  let s3 = f32x4.splat(0)
  let s4 = f32x4.splat(0)
  let s5 = f32x4.splat(0)
  let s6 = f32x4.splat(0)
  let s7 = f32x4.splat(0)
  for (; lines != 0; --lines) {
    let u = x
    let v = w
    for (let t = taps; t != 0; --t) {
      s0 = madd(v128.load(u), v128.load(v), s0)
      s1 = madd(v128.load(u, 16), v128.load(v, 16), s1)
      s2 = madd(v128.load(u, 32), v128.load(v, 32), s2)
      s3 = madd(v128.load(u, 48), v128.load(v, 48), s3)
      s4 = madd(v128.load(u, 64), v128.load(v, 64), s4)
      s5 = madd(v128.load(u, 80), v128.load(v, 80), s5)
      s6 = madd(v128.load(u, 96), v128.load(v, 96), s6)
      s7 = madd(v128.load(u, 112), v128.load(v, 112), s7)
      u += tapStep
      v += pixel
    }
    x += lineStep
    w += weightLine
  }
  v128.store(y, s0)
  v128.store(y, s1, 16)
  v128.store(y, s2, 32)
  v128.store(y, s3, 48)
  v128.store(y, s4, 64)
  v128.store(y, s5, 80)
  v128.store(y, s6, 96)
  v128.store(y, s7, 112)
}

/** 1 pixel x 16 channels. */
function onePixel16(
  x: usize,
  lineStep: usize,
  tapStep: usize,
  w: usize,
  weightLine: usize,
  lines: u32,
  taps: u32,
  y: usize,
  pixel: usize,
): void {
  let s0 = f32x4.splat(0)
  let s1 = f32x4.splat(0)
  let s2 = f32x4.splat(0)
  let s3 = f32x4.splat(0)
  for (; lines != 0; --lines) {
    let u = x
    let v = w
    for (let t = taps; t != 0; --t) {
      s0 = madd(v128.load(u), v128.load(v), s0)
      s1 = madd(v128.load(u, 16), v128.load(v, 16), s1)
      s2 = madd(v128.load(u, 32), v128.load(v, 32), s2)
      s3 = madd(v128.load(u, 48), v128.load(v, 48), s3)
      u += tapStep
      v += pixel
    }
    x += lineStep
    w += weightLine
  }
  v128.store(y, s0)
  v128.store(y, s1, 16)
  v128.store(y, s2, 32)
  v128.store(y, s3, 48)
}

/** 1 pixel x 4 channels. */
function onePixel4(
  x: usize,
  lineStep: usize,
  tapStep: usize,
  w: usize,
  weightLine: usize,
  lines: u32,
  taps: u32,
  y: usize,
  pixel: usize,
): void {
  let sum = f32x4.splat(0)
  for (; lines != 0; --lines) {
    let u = x
    let v = w
    for (let t = taps; t != 0; --t) {
      sum = madd(v128.load(u), v128.load(v), sum)
      u += tapStep
      v += pixel
    }
    x += lineStep
    w += weightLine
  }
  v128.store(y, sum)
}

/** 1 pixel x 1 channel, of images with fewer than 4. */
function oneChannel(
  x: usize,
  lineStep: usize,
  tapStep: usize,
  w: usize,
  weightLine: usize,
  lines: u32,
  taps: u32,
  y: usize,
  pixel: usize,
): void {
  let sum: f32 = 0
  for (; lines != 0; --lines) {
    let u = x
    let v = w
    for (let t = taps; t != 0; --t) {
      sum += load<f32>(u) * load<f32>(v)
      u += tapStep
      v += pixel
    }
    x += lineStep
    w += weightLine
  }
  store<f32>(y, sum)
}
