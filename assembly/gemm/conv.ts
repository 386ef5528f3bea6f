// SPDX-License-Identifier: Apache-2.0
/**
 * Convolution as implicit GEMM over NHWC. The rows of A are output pixels: a unit gathers its windows into the
 * thread's scratch and multiplies them like any other rows. Units that follow each other on the same pixels (n is
 * fastest) share one gathering; a pointwise convolution reads the image itself.
 */
import { ceilDiv } from '../units'
import { multiplyBlock } from './block'
import { gatherWindows } from './gather'
import { Mac } from './mac'
import { Epilogue, Product, Quant, RowParams, Taps } from './views'

/** True when the windows are the image's pixels in order. */
function isPointwise(p: Product, taps: Taps): bool {
  return (
    (taps.kh | taps.kw | taps.strideH | taps.strideW) == 1 &&
    (taps.padTop | taps.padLeft) == 0 &&
    taps.outW == taps.inW &&
    p.m <= taps.inH * taps.inW
  )
}

/** The elements of padding that fill a word: 0, or the image's stored zero point. */
// @ts-ignore: decorator
@inline
function paddingOf<M extends Mac>(quant: usize, image: u32): u32 {
  if (!quant) return 0
  const q = changetype<Quant>(quant)
  const zero = load<u32>(
    q.aParams + <usize>image * q.batchParams * offsetof<RowParams>(),
    offsetof<RowParams>('zero'),
  )
  return changetype<M>(0).shift == 0 ? (zero & 0xff) * 0x01010101 : (zero & 0xffff) * 0x00010001
}

/** Units [from, to) of a convolution; `quant` is 0 for float32; `narrow` as in product.ts. */
export function convolve<M extends Mac>(
  args: usize,
  taps: Taps,
  quant: usize,
  epilogue: Epilogue,
  from: u32,
  to: u32,
  thread: u32,
  narrow: bool = false,
): void {
  const p = changetype<Product>(args)
  const mBlocks = ceilDiv(p.m, p.mb)
  const nBlocks = ceilDiv(p.n, p.nb)
  const shift = changetype<M>(0).shift
  const scratch = taps.scratch + <usize>thread * taps.scratchBytes
  const pointwise = isPointwise(p, taps)
  let gathered: u32 = 0xffffffff
  for (let unit = from; unit < to; ++unit) {
    const col = (unit % nBlocks) * p.nb
    const above = unit / nBlocks
    const row = (above % mBlocks) * p.mb
    const batch = above / mBlocks
    const rows = min(p.mb, p.m - row)
    const image = batch / taps.groups
    const group = batch % taps.groups
    let a = p.a + ((<usize>image * p.batchA + <usize>group * taps.channels) << shift)
    let lda = taps.pixelStride
    if (pointwise) {
      a += (<usize>row * lda) << shift
    } else {
      if (above != gathered) gatherWindows(taps, a, row, rows, scratch, shift, paddingOf<M>(quant, image))
      gathered = above
      a = scratch
      lda = taps.ldp
    }
    multiplyBlock<M>(
      p, quant, epilogue, a, <usize>lda << shift, image, row, rows, group, col, min(p.nb, p.n - col), group * p.n, narrow,
    )
  }
}
