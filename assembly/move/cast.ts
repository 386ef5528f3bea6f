// SPDX-License-Identifier: Apache-2.0
/**
 * Between float32 and integers or 16-bit floats. `kind`: 0 int8, 1 uint8 or bool, 2 int32, 3 int64, 4 float16, 5 bfloat16.
 * To float32 the value is rounded to nearest; from float32 to an integer it is truncated, saturated, and NaN gives 0. A
 * unit is a run of `block` elements.
 */
import { CastToF32Args } from '../generated/args'
import { narrowHalves, widenHalves } from './half'

/** Units [from, to) of dst = f32(src). */
// @ts-ignore: decorator
@inline
export function castToF32(args: usize, from: u32, to: u32): void {
  const a = changetype<CastToF32Args>(args)
  const first = from * a.block
  const count = min<u32>(to * a.block, a.size) - first
  const dst = a.dst + (<usize>first << 2)
  if (a.kind == 0) toF32<i8>(a.src + first, dst, count)
  else if (a.kind == 1) toF32<u8>(a.src + first, dst, count)
  else if (a.kind == 2) toF32<i32>(a.src + (<usize>first << 2), dst, count)
  else if (a.kind > 3) widenHalves(a.src + (<usize>first << 1), dst, count, a.kind == 5)
  else toF32<i64>(a.src + (<usize>first << 3), dst, count)
}

/** Units [from, to) of dst = integer or 16-bit float of src, kind 2 or more. */
// @ts-ignore: decorator
@inline
export function castFromF32(args: usize, from: u32, to: u32): void {
  const a = changetype<CastToF32Args>(args)
  const first = from * a.block
  let count = min<u32>(to * a.block, a.size) - first
  let src = a.src + (<usize>first << 2)
  if (a.kind > 3) {
    narrowHalves(src, a.dst + (<usize>first << 1), count, a.kind == 5)
    return
  }
  if (a.kind == 3) {
    let dst = a.dst + (<usize>first << 3)
    for (; count; count--, src += 4, dst += 8) store<i64>(dst, <i64>load<f32>(src))
    return
  }
  let dst = a.dst + (<usize>first << 2)
  for (; count >= 4; count -= 4, src += 16, dst += 16) {
    v128.store(dst, i32x4.trunc_sat_f32x4_s(v128.load(src)))
  }
  for (; count; count--, src += 4, dst += 4) store<i32>(dst, <i32>load<f32>(src))
}

// @ts-ignore: decorator
@inline
function toF32<T>(src: usize, dst: usize, count: u32): void {
  if (sizeof<T>() < 8) {
    for (; count >= 4; count -= 4, src += 4 * sizeof<T>(), dst += 16) {
      v128.store(dst, f32x4.convert_i32x4_s(widen<T>(src)))
    }
  }
  for (; count; count--, src += sizeof<T>(), dst += 4) store<f32>(dst, <f32>load<T>(src))
}

/** Four elements as int32. */
// @ts-ignore: decorator
@inline
function widen<T>(src: usize): v128 {
  if (sizeof<T>() == 4) return v128.load(src)
  const bytes = v128.load32_zero(src)
  if (isSigned<T>()) return i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(bytes))
  return i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(bytes))
}
