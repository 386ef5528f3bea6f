// SPDX-License-Identifier: Apache-2.0
/**
 * c = f(a, b) with broadcast: functors and their one loop nest. Along the last of five outer dims each operand advances
 * by its own stride, and where that ends its place is computed anew; inside, an operand is either dense (1) or one value
 * (0). c is dense. A unit is one inner run.
 */
import { BinaryAddF32Args } from '../generated/args'
import { offsetOf } from '../integer/pairs'
import { loadUpTo4, storeUpTo4 } from '../simd/lanes'
import { splat } from '../simd/math'
import { pow } from '../simd/pow'

@unmanaged
export abstract class Binary {
  abstract apply(a: v128, b: v128): v128
}

/** Units [from, to) of c = F(a, b). */
// @ts-ignore: decorator
@inline
export function mapBinary<F extends Binary>(args: usize, from: u32, to: u32): void {
  const g = changetype<BinaryAddF32Args>(args)
  const inner = g.inner
  const dense = g.aInner | (g.bInner << 1)
  const dims = args + offsetof<BinaryAddF32Args>('d0')
  let i4 = g.d4
  let a: usize = 0
  let b: usize = 0
  let c = g.c + ((<usize>from * inner) << 2)
  for (let unit = from; unit < to; unit++) {
    if (i4 >= g.d4) {
      i4 = unit % g.d4
      a = g.a + (offsetOf(unit, dims, args + offsetof<BinaryAddF32Args>('a0')) << 2)
      b = g.b + (offsetOf(unit, dims, args + offsetof<BinaryAddF32Args>('b0')) << 2)
    }
    if (dense == 3) denseDense<F>(a, b, c, inner)
    else if (inner) withValue<F>(a, b, c, inner, dense)
    a += <usize>g.a4 << 2
    b += <usize>g.b4 << 2
    c += <usize>inner << 2
    i4++
  }
}

// @ts-ignore: decorator
@inline
function denseDense<F extends Binary>(a: usize, b: usize, c: usize, count: u32): void {
  for (let left = <i32>count; left > 0; left -= 4, a += 16, b += 16, c += 16) {
    storeUpTo4(c, changetype<F>(0).apply(loadUpTo4(a, left), loadUpTo4(b, left)), left)
  }
}

/** At most one operand is dense; the other one, or both, are a value. */
// @ts-ignore: decorator
@inline
function withValue<F extends Binary>(a: usize, b: usize, c: usize, count: u32, dense: u32): void {
  let x = v128.load32_splat(a)
  let y = v128.load32_splat(b)
  for (let left = <i32>count; left > 0; left -= 4, c += 16) {
    if (dense == 1) {
      x = loadUpTo4(a, left)
      a += 16
    } else if (dense) {
      y = loadUpTo4(b, left)
      b += 16
    }
    storeUpTo4(c, changetype<F>(0).apply(x, y), left)
  }
}

@unmanaged
@final
export class Add extends Binary {
  @inline
  apply(a: v128, b: v128): v128 {
    return f32x4.add(a, b)
  }
}

@unmanaged
@final
export class Sub extends Binary {
  @inline
  apply(a: v128, b: v128): v128 {
    return f32x4.sub(a, b)
  }
}

@unmanaged
@final
export class Mul extends Binary {
  @inline
  apply(a: v128, b: v128): v128 {
    return f32x4.mul(a, b)
  }
}

@unmanaged
@final
export class Div extends Binary {
  @inline
  apply(a: v128, b: v128): v128 {
    return f32x4.div(a, b)
  }
}

/** NaN if one of them is. */
@unmanaged
@final
export class Min extends Binary {
  @inline
  apply(a: v128, b: v128): v128 {
    return f32x4.min(a, b)
  }
}

/** NaN if one of them is. */
@unmanaged
@final
export class Max extends Binary {
  @inline
  apply(a: v128, b: v128): v128 {
    return f32x4.max(a, b)
  }
}

@unmanaged
@final
export class Pow extends Binary {
  @inline
  apply(a: v128, b: v128): v128 {
    return pow(a, b)
  }
}

/** a < 0 ? a * b : a. */
@unmanaged
@final
export class PRelu extends Binary {
  @inline
  apply(a: v128, b: v128): v128 {
    return v128.bitselect(f32x4.mul(a, b), a, f32x4.lt(a, splat(0)))
  }
}
