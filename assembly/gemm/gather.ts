// SPDX-License-Identifier: Apache-2.0
/**
 * Rows of A for a convolution: each output pixel's window, tap by tap (row of the kernel, column, channel), copied out
 * of an NHWC image into consecutive rows of scratch. Taps outside the image are filled with the padding's bytes.
 * Never reads outside the image nor writes outside the row's k elements.
 */
import { Taps } from './views'

/** Copies `bytes` between places that do not overlap. */
// @ts-ignore: decorator
@inline
function copyRun(to: usize, from: usize, bytes: usize): void {
  if (bytes >= 16) {
    const last = bytes - 16
    for (let i: usize = 0; i < last; i += 16) v128.store(to + i, v128.load(from + i))
    v128.store(to + last, v128.load(from + last))
  } else if (bytes >= 8) {
    store<u64>(to, load<u64>(from))
    store<u64>(to + bytes - 8, load<u64>(from + bytes - 8))
  } else if (bytes >= 4) {
    store<u32>(to, load<u32>(from))
    store<u32>(to + bytes - 4, load<u32>(from + bytes - 4))
  } else {
    for (let i: usize = 0; i < bytes; ++i) store<u8>(to + i, load<u8>(from + i))
  }
}

/** Fills `bytes`, a multiple of the element whose bytes `word` repeats. */
function fillRun(to: usize, bytes: usize, word: u32): void {
  const pattern = i32x4.splat(word)
  let i: usize = 0
  for (; i + 16 <= bytes; i += 16) v128.store(to + i, pattern)
  for (; i + 4 <= bytes; i += 4) store<u32>(to + i, word)
  if (bytes - i >= 2) {
    store<u16>(to + i, <u16>word)
    i += 2
  }
  if (i < bytes) store<u8>(to + i, <u8>word)
}

/**
 * Writes the windows of output pixels [pixel, pixel + rows) to `to`, `ldp` elements apart. `image` is the group's
 * first channel of the image's first pixel; an element has 1 << shift bytes; `padding` is its word of padded elements.
 */
export function gatherWindows(
  taps: Taps,
  image: usize,
  pixel: u32,
  rows: u32,
  to: usize,
  shift: u32,
  padding: u32,
): void {
  const channelBytes = <usize>taps.channels << shift
  const pixelBytes = <usize>taps.pixelStride << shift
  const rowBytes = pixelBytes * taps.inW
  const ldp = <usize>taps.ldp << shift
  const kw = <i32>taps.kw
  const inW = <i32>taps.inW
  const dilationW = <i32>taps.dilationW
  // Neighbouring taps of a kernel row are neighbours in the image: one run.
  const dense = taps.pixelStride == taps.channels && dilationW == 1
  let outY = pixel / taps.outW
  let outX = pixel % taps.outW
  for (; rows != 0; --rows) {
    const left = <i32>(outX * taps.strideW) - taps.padLeft
    let inY = <i32>(outY * taps.strideH) - taps.padTop
    let row = to
    for (let y: u32 = 0; y < taps.kh; ++y) {
      if (<u32>inY >= taps.inH) {
        fillRun(row, channelBytes * kw, padding)
        row += channelBytes * kw
      } else if (dense) {
        const line = image + <usize>inY * rowBytes
        if (left >= 0 && left + kw <= inW) {
          copyRun(row, line + <usize>left * pixelBytes, channelBytes * kw)
          row += channelBytes * kw
          inY += <i32>taps.dilationH
          continue
        }
        const before = min(max(-left, 0), kw)
        const end = max(min(inW - left, kw), before)
        fillRun(row, channelBytes * before, padding)
        row += channelBytes * before
        copyRun(row, line + <usize>(left + before) * pixelBytes, channelBytes * (end - before))
        row += channelBytes * (end - before)
        fillRun(row, channelBytes * (kw - end), padding)
        row += channelBytes * (kw - end)
      } else {
        const line = image + <usize>inY * rowBytes
        let inX = left
        for (let x = 0; x < kw; ++x) {
          if (<u32>inX < <u32>inW) copyRun(row, line + <usize>inX * pixelBytes, channelBytes)
          else fillRun(row, channelBytes, padding)
          row += channelBytes
          inX += dilationW
        }
      }
      inY += <i32>taps.dilationH
    }
    to += ldp
    if (++outX == taps.outW) {
      outX = 0
      outY += 1
    }
  }
}
