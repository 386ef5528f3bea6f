// SPDX-License-Identifier: Apache-2.0
/** Indices out of a file, brought into the range in which kernels may follow them. */
import { ClipU32Args } from '../generated/args'

/** dst = min(src, most) * times, unsigned. */
export function clip_u32(args: usize, from: u32, to: u32, thread: u32): void {
  const s = changetype<ClipU32Args>(args)
  const end = min(<usize>to * s.block, <usize>s.size) << 2
  for (let i = (<usize>from * s.block) << 2; i < end; i += 4)
    store<u32>(s.dst + i, min(load<u32>(s.src + i), s.most) * s.times)
}
