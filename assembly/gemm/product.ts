// SPDX-License-Identifier: Apache-2.0
/** The plain matrix product: units of the grid batch x row blocks x column blocks, columns fastest. */
import { ceilDiv } from '../units'
import { multiplyBlock } from './block'
import { Mac } from './mac'
import { Epilogue, Product } from './views'

/** Units [from, to) of a product; `quant` is 0 for float32; `narrow`: bytes, and weights are narrow. */
export function multiply<M extends Mac>(args: usize, quant: usize, epilogue: Epilogue, from: u32, to: u32, narrow: bool = false): void {
  const p = changetype<Product>(args)
  const mBlocks = ceilDiv(p.m, p.mb)
  const nBlocks = ceilDiv(p.n, p.nb)
  const shift = changetype<M>(0).shift
  for (let unit = from; unit < to; ++unit) {
    const col = (unit % nBlocks) * p.nb
    const above = unit / nBlocks
    const row = (above % mBlocks) * p.mb
    const batch = above / mBlocks
    const a = p.a + ((<usize>batch * p.batchA + <usize>row * p.lda) << shift)
    multiplyBlock<M>(
      p, quant, epilogue, a, <usize>p.lda << shift, batch, row, min(p.mb, p.m - row),
      p.batchBBytes ? batch : 0, col, min(p.nb, p.n - col), 0, narrow,
    )
  }
}
