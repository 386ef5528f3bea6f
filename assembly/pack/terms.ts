// SPDX-License-Identifier: Apache-2.0
/**
 * What the zero points of both sides add to a product of weights in blocks of K (src/kernels/gemm.ts): a float32 per column
 * for those of rows, an integer per column and block times one per row and block for those of weights. And the scales themselves.
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

/** Most that a sum of bytes times weights times shares comes to before these are rounded, which adds 512 * 128 * 255 / 2 at most. */
const MOST_SUM: f64 = 2 ** 31 - 2 ** 25

/** The arguments of 8 bits are the first of those of 4. */
function blockSums(bits: u32, s: BlockSumsS4Args, from: u32, to: u32): void {
  const k = s.k
  const blocks = ceilDiv(k, s.block)
  const summed: u32 = (bits == 8 ? 512 : 4096) / max<u32>(s.block, 1)
  for (let col = from * 8; col < to * 8; ++col) {
    const first = <usize>col * s.colStride
    const scales = s.scales + (<usize>(col * blocks) << 2)
    // of the column's first block, and from one to the next
    const place = ((col >> 3) * blocks << 3) + (col & 7)
    const dst = s.dst + (<usize>place << 2)
    const shares = s.shares + (<usize>place << 1)
    let total: f64 = 0
    let size: f64 = 0
    let most: f32 = 1e-30
    let largest: f64 = 0
    for (let at: u32 = 0; at < blocks; ++at) {
      let sum: i32 = 0
      let magnitude: i32 = 0
      let scale: f32 = 0
      if (col < s.n) {
        const end = min((at + 1) * s.block, k)
        const zero = bits == 8 ? 0 : zeroOf(s, col, at)
        for (let i = at * s.block; i < end; ++i) {
          const w = bits == 8 ? <i32>load<i8>(s.src + first + i) : (halfAt(s.src, first + i) ^ s.flip) - zero
          sum += w
          magnitude += abs(w)
        }
        if (magnitude) scale = load<f32>(scales + (<usize>at << 2))
        total += <f64>sum * scale
        if (at % summed == 0) size = 0
        size += <f64>magnitude * abs(scale)
        largest = max(largest, size)
        most = max(most, abs(scale))
      }
      if (s.units) store<i16>(shares + (<usize>at << 4), <i16>sum)
      else store<f32>(dst + (<usize>at << 5), scale)
    }
    if (s.units) {
      // words of zero points are int16, too
      const limit: f32 = bits == 4 && s.zeros ? 4095 : 32767
      const unit = max(most / limit, <f32>(largest * (255 / MOST_SUM)))
      store<f32>(s.units + (<usize>col << 2), unit)
      total = 0
      for (let at: u32 = 0; at < blocks; ++at) {
        const to = shares + (<usize>at << 4)
        const share = col < s.n ? <i32>min(max(nearest(load<f32>(scales + (<usize>at << 2)) / unit), -limit), limit) : 0
        total += <f64>(<i32>load<i16>(to) * share) * unit
        store<i16>(to, <i16>share)
        if (s.dst) store<f32>(dst + (<usize>at << 5), <f32>share * unit)
        if (bits == 4 && s.zeros) store<i16>(to - s.shares + s.words, share ? <i16>(share * (8 - zeroOf(s, col, at))) : 0)
      }
    }
    store<f32>(s.sums + (<usize>col << 2), <f32>total)
  }
}

function zeroOf(s: BlockSumsS4Args, col: u32, at: u32): i32 {
  return s.zeros ? halfAt(s.zeros, <usize>col * s.zeroStride + at) : 8
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
