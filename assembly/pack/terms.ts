// SPDX-License-Identifier: Apache-2.0
/** What weights in blocks add to a product for the zero points of both sides: a word per column and block of K. */
import { BlockTermsS8Args } from '../generated/args'
import { ceilDiv } from '../units'

/** Negated block sums of int8 columns. */
export function block_terms_s8(args: usize, from: u32, to: u32, thread: u32): void {
  const s = changetype<BlockTermsS8Args>(args)
  const k = s.k
  const panelBytes = <usize>ceilDiv(k, s.block) << 5
  for (let panel = from; panel < to; ++panel) {
    for (let j: u32 = 0; j < 8; ++j) {
      const col = panel * 8 + j
      let src = s.src + <usize>col * s.colStride
      let dst = s.dst + <usize>panel * panelBytes + (<usize>j << 2)
      for (let i: u32 = 0; i < k; ) {
        const end = i + min(s.block, k - i)
        let sum: i32 = 0
        for (; i < end; ++i) {
          if (col < s.n) sum += load<i8>(src)
          src += s.depthStride
        }
        store<i32>(dst, -sum & 0xffff)
        dst += 32
      }
    }
  }
}
