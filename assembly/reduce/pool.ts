// SPDX-License-Identifier: Apache-2.0
/**
 * Pooling over NHWC, vectorised along the channels: a window is cut to the taps inside the image first, so the loops
 * over taps have no conditions. A unit is one output row of one image. Taps are folded in row order.
 */
import { AveragePoolF32Args, MaxPoolF32Args } from '../generated/args'
import { loadUpTo4, storeUpTo4 } from '../simd/lanes'
import { Fold } from './fold'

/** First tap with origin + tap * dilation >= 0. */
// @ts-ignore: decorator
@inline
function firstTap(origin: i32, dilation: u32): u32 {
  return origin >= 0 ? 0 : (<u32>-origin + dilation - 1) / dilation
}

/** One past the last tap, of `taps`, with origin + tap * dilation < size. */
// @ts-ignore: decorator
@inline
function endTap(origin: i32, size: i32, taps: u32, dilation: u32): u32 {
  return origin >= size ? 0 : min<u32>(taps, (<u32>(size - origin) + dilation - 1) / dilation)
}

/**
 * Units [from, to) of a pool of kind F. `average`: the fold is divided by the number of taps, of which those in the
 * padding count when includePad is set.
 */
// @ts-ignore: decorator
@inline
export function pool<F extends Fold>(args: usize, from: u32, to: u32, average: bool): void {
  const a = changetype<MaxPoolF32Args>(args)
  const pixel = <usize>a.channels << 2
  const line = <usize>a.inW * pixel
  for (let unit = from; unit < to; unit++) {
    const image = unit / a.outH
    const top = <i32>((unit - image * a.outH) * a.strideH) - a.padTop
    const ky0 = firstTap(top, a.dilationH)
    const ky1 = endTap(top, a.inH, a.kh, a.dilationH)
    const base = a.x + <usize>image * a.inH * line
    let y = a.y + <usize>unit * a.outW * pixel
    for (let ox: u32 = 0; ox < a.outW; ox++, y += pixel) {
      const left = <i32>(ox * a.strideW) - a.padLeft
      const kx0 = firstTap(left, a.dilationW)
      const kx1 = endTap(left, a.inW, a.kw, a.dilationW)
      const rows = ky1 > ky0 ? ky1 - ky0 : 0
      const cols = kx1 > kx0 ? kx1 - kx0 : 0
      const x = base + <isize>(top + <i32>(ky0 * a.dilationH)) * line + <isize>(left + <i32>(kx0 * a.dilationW)) * pixel
      const count: f32 = average ? tapCount(args, top, left, rows * cols) : 1
      foldWindow<F>(x, y, a.channels, rows, cols, <usize>a.dilationH * line, <usize>a.dilationW * pixel, count)
    }
  }
}

/** Taps an average is divided by. */
function tapCount(args: usize, top: i32, left: i32, inside: u32): f32 {
  const a = changetype<AveragePoolF32Args>(args)
  if (!a.includePad) return <f32>inside
  // Windows of a rounded-up output reach beyond the padding; what lies there does not count.
  const rows = endTap(top, a.inH + a.padBottom, a.kh, a.dilationH)
  const cols = endTap(left, a.inW + a.padRight, a.kw, a.dilationW)
  return <f32>(rows * cols)
}

/** One output pixel: all channels of a window of rows x cols taps starting at x. */
// @ts-ignore: decorator
@inline
function foldWindow<F extends Fold>(
  x: usize,
  y: usize,
  channels: u32,
  rows: u32,
  cols: u32,
  rowStep: usize,
  colStep: usize,
  count: f32,
): void {
  let left = channels
  for (; left >= 16; left -= 16, x += 64, y += 64) {
    let acc0 = changetype<F>(0).start()
    let acc1 = acc0
    let acc2 = acc0
    let acc3 = acc0
    for (let ky: u32 = 0, row = x; ky < rows; ky++, row += rowStep) {
      for (let kx: u32 = 0, p = row; kx < cols; kx++, p += colStep) {
        acc0 = changetype<F>(0).step(acc0, v128.load(p))
        acc1 = changetype<F>(0).step(acc1, v128.load(p, 16))
        acc2 = changetype<F>(0).step(acc2, v128.load(p, 32))
        acc3 = changetype<F>(0).step(acc3, v128.load(p, 48))
      }
    }
    v128.store(y, changetype<F>(0).finish(acc0, count))
    v128.store(y, changetype<F>(0).finish(acc1, count), 16)
    v128.store(y, changetype<F>(0).finish(acc2, count), 32)
    v128.store(y, changetype<F>(0).finish(acc3, count), 48)
  }
  for (let more = <i32>left; more > 0; more -= 4, x += 16, y += 16) {
    let acc = changetype<F>(0).start()
    for (let ky: u32 = 0, row = x; ky < rows; ky++, row += rowStep) {
      for (let kx: u32 = 0, p = row; kx < cols; kx++, p += colStep) acc = changetype<F>(0).step(acc, loadUpTo4(p, more))
    }
    storeUpTo4(y, changetype<F>(0).finish(acc, count), more)
  }
}
