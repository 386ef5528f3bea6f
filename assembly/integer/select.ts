// SPDX-License-Identifier: Apache-2.0
/** c = m ? a : b with broadcast, elements of T. A unit is one inner run; four at a time where elements have four bytes. */
import { Select4Args } from '../generated/args'
import { offsetOf } from './pairs'

/** Units [from, to). */
export function selectElements<T>(args: usize, from: u32, to: u32): void {
  const g = changetype<Select4Args>(args)
  const dims = args + offsetof<Select4Args>('d0')
  const mStep = <usize>g.mInner
  const aStep = <usize>g.aInner * sizeof<T>()
  const bStep = <usize>g.bInner * sizeof<T>()
  for (let unit = from; unit < to; unit++) {
    let m = g.m + offsetOf(unit, dims, args + offsetof<Select4Args>('m0'))
    let a = g.a + offsetOf(unit, dims, args + offsetof<Select4Args>('a0')) * sizeof<T>()
    let b = g.b + offsetOf(unit, dims, args + offsetof<Select4Args>('b0')) * sizeof<T>()
    let c = g.c + <usize>unit * g.inner * sizeof<T>()
    const end = c + <usize>g.inner * sizeof<T>()
    if (sizeof<T>() == 4 && g.mInner) {
      for (; c + 16 <= end; c += 16, m += 4, a += 4 * aStep, b += 4 * bStep) {
        const x = g.aInner ? v128.load(a) : v128.load32_splat(a)
        const y = g.bInner ? v128.load(b) : v128.load32_splat(b)
        const bytes = i16x8.extend_low_i8x16_u(v128.load32_zero(m))
        const zero = i32x4.eq(i32x4.extend_low_i16x8_u(bytes), i32x4.splat(0))
        v128.store(c, v128.bitselect(y, x, zero))
      }
    }
    for (; c < end; c += sizeof<T>(), m += mStep, a += aStep, b += bStep) {
      store<T>(c, load<u8>(m) ? load<T>(a) : load<T>(b))
    }
  }
}
