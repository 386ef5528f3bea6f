// SPDX-License-Identifier: Apache-2.0
/**
 * What the zero points of both sides add to a product of weights in blocks of K (src/kernels/gemm.ts): a float32 per column
 * for those of rows, an integer per column and block times one per row and block for those of weights.
 */
import { BlockSumsS4Args, BlockSumsS8Args, PackZerosS4Args, RowSumsU8Args } from '../generated/args'
import { sumLanesI32 } from '../simd/lanes'
import { ceilDiv } from '../units'
import { halfAt } from './halves'

/** Scaled block sums of int8 columns. */
export function block_sums_s8(args: usize, from: u32, to: u32, thread: u32): void {
  blockSums(8, changetype<BlockSumsS4Args>(changetype<usize>(changetype<BlockSumsS8Args>(args))), from, to)
}

/** Those of 4-bit columns. */
export function block_sums_s4(args: usize, from: u32, to: u32, thread: u32): void {
  blockSums(4, changetype<BlockSumsS4Args>(args), from, to)
}

/** The arguments of 8 bits are the first of those of 4. */
function blockSums(bits: u32, s: BlockSumsS4Args, from: u32, to: u32): void {
  const k = s.k
  const blocks = ceilDiv(k, s.block)
  for (let col = from * 8; col < to * 8; ++col) {
    let total: f64 = 0
    if (col < s.n) {
      const first = <usize>col * s.colStride
      for (let at: u32 = 0; at < blocks; ++at) {
        const end = min((at + 1) * s.block, k)
        let sum: i32 = 0
        if (bits == 8) {
          for (let i = at * s.block; i < end; ++i) sum += load<i8>(s.src + first + i)
        } else {
          const zero = s.zeros ? halfAt(s.zeros, <usize>col * s.zeroStride + at) : 8
          for (let i = at * s.block; i < end; ++i) sum += (halfAt(s.src, first + i) ^ s.flip) - zero
        }
        total += <f64>sum * load<f32>(s.scales + ((<usize>col * blocks + at) << 2))
      }
    }
    store<f32>(s.sums + (<usize>col << 2), <f32>total)
  }
}

/** What zero points of 4-bit blocks are less than the middle. */
export function pack_zeros_s4(args: usize, from: u32, to: u32, thread: u32): void {
  const s = changetype<PackZerosS4Args>(args)
  let dst = s.dst + ((<usize>from * s.blocks) << 5)
  for (let panel = from; panel < to; ++panel) {
    for (let block: u32 = 0; block < s.blocks; ++block) {
      for (let j: u32 = 0; j < 8; ++j) {
        const col = panel * 8 + j
        store<i32>(dst, col < s.n ? 8 - halfAt(s.src, <usize>col * s.colStride + block) : 0)
        dst += 4
      }
    }
  }
}

/** Block sums of quantised rows. The rows of arguments of both widths are one. */
// @ts-ignore: decorator
@inline
function rowSums<T>(args: usize, from: u32, to: u32): void {
  const s = changetype<RowSumsU8Args>(args)
  const k = s.k
  // Bytes are summed as unsigned ones, which those stored less 128 become by their top bit.
  const bias = sizeof<T>() == 1 ? s.bias : 0
  const flip = i8x16.splat(<i8>bias)
  let dst = s.sums + ((<usize>from * ceilDiv(k, s.block)) << 2)
  for (let row = from; row < to; ++row) {
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
      let sum = sumLanesI32(sums) - <i32>count * bias
      for (; q < end; q += sizeof<T>()) sum += sizeof<T>() == 1 ? <i32>load<u8>(q) ^ bias : <i32>load<i16>(q)
      store<i32>(dst, sum & 0xffff)
      i += count
      dst += 4
    }
  }
}

export function row_sums_u8(args: usize, from: u32, to: u32, thread: u32): void {
  rowSums<u8>(args, from, to)
}

export function row_sums_i16(args: usize, from: u32, to: u32, thread: u32): void {
  rowSums<i16>(args, from, to)
}
