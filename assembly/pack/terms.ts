// SPDX-License-Identifier: Apache-2.0
/**
 * What the zero points of both sides add to a product of weights in blocks of K: a word of two int16 per column and
 * block, and one per row and block (src/kernels/gemm.ts).
 */
import { BlockTermsS8Args, PackZerosS4Args, RowTermsU8Args, ShortTermsS4Args } from '../generated/args'
import { RowParams } from '../gemm/views'
import { sumLanesI32 } from '../simd/lanes'
import { ceilDiv } from '../units'
import { halfAt } from './halves'

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

/** Negated zero points of 4-bit blocks, in the high halves of words. */
export function pack_zeros_s4(args: usize, from: u32, to: u32, thread: u32): void {
  const s = changetype<PackZerosS4Args>(args)
  let dst = s.dst + ((<usize>from * s.blocks) << 5)
  for (let panel = from; panel < to; ++panel) {
    for (let block: u32 = 0; block < s.blocks; ++block) {
      for (let j: u32 = 0; j < 8; ++j) {
        const col = panel * 8 + j
        store<i32>(dst, col < s.n ? (s.from - halfAt(s.src, <usize>col * s.colStride + block)) << 16 : 0)
        dst += 4
      }
    }
  }
}

/** Negated half sums of runs of 32 k, centred. */
export function short_terms_s4(args: usize, from: u32, to: u32, thread: u32): void {
  const s = changetype<ShortTermsS4Args>(args)
  const panel = <usize>ceilDiv(s.k, 8) << 5
  const runs = ceilDiv(s.k, 32)
  let dst = s.dst + ((<usize>from * runs) << 5)
  for (let unit = from; unit < to; ++unit) {
    const src = s.src + <usize>unit * panel
    for (let run: u32 = 0; run < runs; ++run) {
      const end = min(run * 32 + 32, s.k)
      for (let j: u32 = 0; j < 8; ++j) {
        let first = 0
        let last = 0
        for (let i = run * 32; i < end; ++i) {
          const byte = <i32>load<u8>(src + ((i >> 3) << 5) + (j << 2) + (i & 3))
          const w = (i & 4 ? byte >> 4 : byte & 15) - 8
          if (i & 2) last -= w
          else first -= w
        }
        store<i32>(dst, (first & 0xffff) | (last << 16))
        dst += 4
      }
    }
  }
}

/** Zeros and centred block sums of quantised rows. The rows of arguments of both widths are one. */
// @ts-ignore: decorator
@inline
function rowTerms<T>(args: usize, from: u32, to: u32): void {
  const s = changetype<RowTermsU8Args>(args)
  const k = s.k
  // Bytes are summed as unsigned ones, which those stored less 128 become by their top bit.
  const bias = sizeof<T>() == 1 ? s.bias : 0
  const flip = i8x16.splat(<i8>bias)
  let dst = s.terms + ((<usize>from * ceilDiv(k, s.block)) << 2)
  for (let row = from; row < to; ++row) {
    const zero = changetype<RowParams>(s.params + <usize>row * offsetof<RowParams>()).zero
    let q = s.q + <usize>row * s.ldq * sizeof<T>()
    for (let i: u32 = 0; i < k; ) {
      const count = min(s.block, k - i)
      const end = q + <usize>count * sizeof<T>()
      let sums = i32x4.splat(0)
      for (; q + 16 <= end; q += 16) {
        const x = v128.load(q)
        if (sizeof<T>() == 1) {
          sums = i32x4.add(sums, i32x4.extadd_pairwise_i16x8_s(i16x8.extadd_pairwise_i8x16_u(v128.xor(x, flip))))
        } else {
          sums = i32x4.add(sums, i32x4.extadd_pairwise_i16x8_s(x))
        }
      }
      let sum = sumLanesI32(sums) - <i32>count * (zero + bias)
      for (; q < end; q += sizeof<T>()) sum += sizeof<T>() == 1 ? <i32>load<u8>(q) ^ bias : <i32>load<i16>(q)
      store<i32>(dst, (zero & 0xffff) | (sum << 16))
      i += count
      dst += 4
    }
  }
}

export function row_terms_u8(args: usize, from: u32, to: u32, thread: u32): void {
  rowTerms<u8>(args, from, to)
}

export function row_terms_i16(args: usize, from: u32, to: u32, thread: u32): void {
  rowTerms<i16>(args, from, to)
}
