// SPDX-License-Identifier: Apache-2.0
/**
 * Depthwise convolution over NHWC: one kernel per channel, so channels are the lanes. A unit is one output row; it is
 * done in tiles of eight or four neighbouring pixels where their windows lie inside the image, else pixel by pixel with
 * the taps that do. Which rows and columns of the kernel count is decided outside the loops, which check nothing.
 */
import { DwconvF32Args } from '../generated/args'
import { ceilDiv } from '../units'
import { finish } from './epilogue'
import { Five, SLID, Three, slide } from './slide'
import { onePixel, fourPixels } from './window'
import { Epilogue } from './views'

/** Units [from, to): output rows, images outermost. */
export function convolveDepthwise(s: DwconvF32Args, epilogue: Epilogue, from: u32, to: u32): void {
  const pixel = <usize>s.channels << 2
  const line = pixel * s.inW
  const ldr = <usize>epilogue.ldr << 2
  const lineStep = line * s.dilationH
  const tapStep = pixel * s.dilationW
  const pixelStep = pixel * s.strideW
  const weightLine = pixel * s.kw
  const slides = (s.strideW | s.dilationW) == 1 && s.channels >= 4 && (s.kw == 3 || s.kw == 5)
  // Output columns whose windows lie inside the image.
  const room = <i32>s.inW + s.padLeft - <i32>((s.kw - 1) * s.dilationW)
  const end = room > 0 ? min(ceilDiv(<u32>room, s.strideW), s.outW) : 0
  const begin = s.padLeft > 0 ? ceilDiv(<u32>s.padLeft, s.strideW) : 0
  for (let unit = from; unit < to; ++unit) {
    const image = unit / s.outH
    const outY = unit % s.outH
    const top = <i32>(outY * s.strideH) - s.padTop
    const firstY = firstTap(top, s.dilationH, s.kh)
    const taps = endTap(top, s.inH, s.dilationH, s.kh) - firstY
    const x = s.x + <usize>image * s.inH * line + <usize>(top + <i32>(firstY * s.dilationH)) * line
    const w = s.w + <usize>firstY * weightLine
    let y = s.y + <usize>unit * s.outW * pixel
    let residual = epilogue.residual
      ? epilogue.residual + (<usize>image * epilogue.batchR << 2) + <usize>(outY * s.outW) * ldr
      : 0
    for (let outX: u32 = 0; outX < s.outW; ) {
      const left = <i32>(outX * s.strideW) - s.padLeft
      const inside = outX >= begin && outX < end ? end - outX : 0
      let pixels: u32 = 1
      if (slides && inside >= SLID) {
        pixels = SLID
        if (s.kw == 3) slide<Three>(x + <usize>left * pixel, lineStep, w, taps, y, s.channels)
        else slide<Five>(x + <usize>left * pixel, lineStep, w, taps, y, s.channels)
      } else if (inside >= 4) {
        pixels = 4
        fourPixels(x + <usize>left * pixel, pixelStep, lineStep, tapStep, w, weightLine, taps, s.kw, y, s.channels)
      } else {
        const firstX = firstTap(left, s.dilationW, s.kw)
        const count = endTap(left, s.inW, s.dilationW, s.kw) - firstX
        onePixel(
          x + <usize>(left + <i32>(firstX * s.dilationW)) * pixel, lineStep, tapStep,
          w + <usize>firstX * pixel, weightLine, taps, count, y, s.channels,
        )
      }
      finish(epilogue, y, pixel, pixels, s.channels, 0, 0, 0, 0, epilogue.bias, residual)
      outX += pixels
      y += pixel * pixels
      if (residual) residual += ldr * pixels
    }
  }
}

/** The first of `count` taps `dilation` apart, the first at `start`, that is not before 0. */
// @ts-ignore: decorator
@inline
function firstTap(start: i32, dilation: u32, count: u32): u32 {
  if (start >= 0) return 0
  return min(dilation == 1 ? <u32>-start : ceilDiv(<u32>-start, dilation), count)
}

/** One past the last of these taps that is below `size`, and not below firstTap. */
// @ts-ignore: decorator
@inline
function endTap(start: i32, size: u32, dilation: u32, count: u32): u32 {
  const inside = <i32>size - start
  if (inside <= 0) return firstTap(start, dilation, count)
  const end = min(dilation == 1 ? <u32>inside : ceilDiv(<u32>inside, dilation), count)
  return max(end, firstTap(start, dilation, count))
}
