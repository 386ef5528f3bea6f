// SPDX-License-Identifier: Apache-2.0
/**
 * Packing of 4-bit weights, two to a byte, into panels of 8 columns (layouts: src/kernels/gemm.ts). A byte of a panel
 * holds the same place of two neighbouring groups of k, so that one load and one mask give a group of the int8 layout.
 * Columns past n and depths past k are stored as 8, which is 0 where weights have no zero point.
 */
import { PackS4X8c2Args, PackS4X8c4Args } from '../generated/args'
import { ceilDiv } from '../units'

/** Half `index` of the bytes at `p`, low halves first: 0..15. */
// @ts-ignore: decorator
@inline
export function halfAt(p: usize, index: usize): i32 {
  return (<i32>load<u8>(p + (index >> 1)) >> (<i32>(index & 1) << 2)) & 15
}

/** [k/8][8][4]. */
export function pack_s4_x8c4(args: usize, from: u32, to: u32, thread: u32): void {
  packHalves(changetype<PackS4X8c4Args>(args), 4, from, to)
}

/** [k/4][8][2]. The rows of arguments of both layouts are one. */
export function pack_s4_x8c2(args: usize, from: u32, to: u32, thread: u32): void {
  packHalves(changetype<PackS4X8c4Args>(changetype<usize>(changetype<PackS4X8c2Args>(args))), 2, from, to)
}

/** Panels of pairs of groups of `size` depths. */
function packHalves(s: PackS4X8c4Args, size: u32, from: u32, to: u32): void {
  const k = s.k
  const pairs = ceilDiv(k, 2 * size)
  const panelBytes = <usize>pairs * (8 * size)
  for (let panel = from; panel < to; ++panel) {
    for (let j: u32 = 0; j < 8; ++j) {
      const col = panel * 8 + j
      const known = col < s.n
      const first = <usize>col * s.colStride
      let dst = s.dst + <usize>panel * panelBytes + j * size
      for (let i: u32 = 0; i < k; i += 2 * size) {
        for (let g: u32 = 0; g < size; ++g) {
          const low = known && i + g < k ? halfAt(s.src, first + i + g) ^ s.flip : 8
          const high = known && i + size + g < k ? halfAt(s.src, first + i + size + g) ^ s.flip : 8
          store<u8>(dst + g, low | (high << 4))
        }
        dst += 8 * size
      }
    }
  }
}
