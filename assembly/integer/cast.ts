// SPDX-License-Identifier: Apache-2.0
/** Between any two of the types of `castKinds` in src/kernels/codes.ts. A unit is a run of `block` elements. */
import { CastAnyArgs, NotU8Args } from '../generated/args'

/** Units [from, to) of dst = src as another type. The pairs that are worth a loop of their own are in move/cast. */
export function castAny(args: usize, from: u32, to: u32): void {
  const a = changetype<CastAnyArgs>(args)
  const end = min<u32>(to * a.block, a.size)
  const target = a.to
  const fromFloat = a.from == 4
  for (let i = from * a.block; i < end; i++) {
    let x: i64 = 0
    if (fromFloat) {
      const v = load<f32>(a.src + (<usize>i << 2))
      x = target == 5 ? <i64>(v != 0) : <i64>v
      if (target == 2) x = max(min(x, i32.MAX_VALUE), i32.MIN_VALUE)
      else if (target < 2) x = max(min(x, 255 - (target == 0 ? 128 : 0)), target == 0 ? -128 : 0)
    } else if (a.from == 3) x = load<i64>(a.src + (<usize>i << 3))
    else if (a.from == 2) x = load<i32>(a.src + (<usize>i << 2))
    else if (a.from == 0) x = load<i8>(a.src + i)
    else x = a.from == 5 ? <i64>(load<u8>(a.src + i) != 0) : <i64>load<u8>(a.src + i)
    if (target == 3) store<i64>(a.dst + (<usize>i << 3), x)
    else if (target == 2) store<i32>(a.dst + (<usize>i << 2), <i32>x)
    else if (target == 4) store<f32>(a.dst + (<usize>i << 2), <f32>x)
    else store<u8>(a.dst + i, target == 5 ? <u8>(x != 0) : <u8>x)
  }
}

/** Units [from, to) of dst = not src. */
export function invert(args: usize, from: u32, to: u32): void {
  const a = changetype<NotU8Args>(args)
  const first = <usize>from * a.block
  const end = a.dst + <usize>min<u32>(to * a.block, a.size)
  let src = a.src + first
  let dst = a.dst + first
  for (; dst + 16 <= end; dst += 16, src += 16) {
    v128.store(dst, v128.and(i8x16.eq(v128.load(src), i8x16.splat(0)), i8x16.splat(1)))
  }
  for (; dst < end; dst++, src++) store<u8>(dst, <u8>(load<u8>(src) == 0))
}
