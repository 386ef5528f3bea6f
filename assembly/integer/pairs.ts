// SPDX-License-Identifier: Apache-2.0
/**
 * c = f(a, b) with broadcast, one element after the other: what is not worth vectors. A unit is one inner run; where its
 * operands begin is worked out anew for each, so that there is one such code for all.
 */

/** Elements from an operand's beginning to unit `unit` of five dims, the last fastest; dims and strides are words. */
export function offsetOf(unit: u32, dims: usize, strides: usize): usize {
  let at: u32 = 0
  for (let k: i32 = 16; k >= 0; k -= 4) {
    const size = load<u32>(dims + k)
    const above = unit / size
    at += (unit - above * size) * load<u32>(strides + k)
    unit = above
  }
  return at
}

/** c = F(a, b) over a run of elements of C at `c`; F is a class with `apply(a: T, b: T): C`, steps are in bytes. */
// @ts-ignore: decorator
@inline
export function mapRun<T, C, F>(a: usize, b: usize, c: usize, end: usize, aStep: usize, bStep: usize): void {
  for (; c < end; c += sizeof<C>(), a += aStep, b += bStep) {
    store<C>(c, changetype<F>(0).apply(load<T>(a), load<T>(b)))
  }
}

@unmanaged
@final
export class Add<T> {
  @inline
  apply(a: T, b: T): T {
    return <T>(a + b)
  }
}

@unmanaged
@final
export class Sub<T> {
  @inline
  apply(a: T, b: T): T {
    return <T>(a - b)
  }
}

@unmanaged
@final
export class Mul<T> {
  @inline
  apply(a: T, b: T): T {
    return <T>(a * b)
  }
}

/** Towards zero; the machine's division traps at 0 and at the least number by -1. */
@unmanaged
@final
export class Div<T> {
  @inline
  apply(a: T, b: T): T {
    if (b == 0) return <T>0
    return b == -1 ? <T>(0 - a) : <T>(a / b)
  }
}

/** The sign of the divisor. */
@unmanaged
@final
export class Mod<T> {
  @inline
  apply(a: T, b: T): T {
    if (b == 0) return <T>0
    const rest = <T>(a % b)
    return rest != 0 && rest < 0 != b < 0 ? <T>(rest + b) : rest
  }
}

/** The sign of the dividend. */
@unmanaged
@final
export class Rem<T> {
  @inline
  apply(a: T, b: T): T {
    return b == 0 ? <T>0 : <T>(a % b)
  }
}

@unmanaged
@final
export class Min<T> {
  @inline
  apply(a: T, b: T): T {
    return a < b ? a : b
  }
}

@unmanaged
@final
export class Max<T> {
  @inline
  apply(a: T, b: T): T {
    return a > b ? a : b
  }
}

@unmanaged
@final
export class And<T> {
  @inline
  apply(a: T, b: T): T {
    return <T>(a & b)
  }
}

@unmanaged
@final
export class Or<T> {
  @inline
  apply(a: T, b: T): T {
    return <T>(a | b)
  }
}

@unmanaged
@final
export class Xor<T> {
  @inline
  apply(a: T, b: T): T {
    return <T>(a ^ b)
  }
}

/** Logic of bytes, which are true unless 0. */
@unmanaged
@final
export class Both<T> {
  @inline
  apply(a: T, b: T): u8 {
    return <u8>((a != 0) & (b != 0))
  }
}

@unmanaged
@final
export class Either<T> {
  @inline
  apply(a: T, b: T): u8 {
    return <u8>((a | b) != 0)
  }
}

@unmanaged
@final
export class OneOf<T> {
  @inline
  apply(a: T, b: T): u8 {
    return <u8>((a != 0) != (b != 0))
  }
}

@unmanaged
@final
export class Equal<T> {
  @inline
  apply(a: T, b: T): u8 {
    return <u8>(a == b)
  }
}

@unmanaged
@final
export class Greater<T> {
  @inline
  apply(a: T, b: T): u8 {
    return <u8>(a > b)
  }
}

@unmanaged
@final
export class GreaterOrEqual<T> {
  @inline
  apply(a: T, b: T): u8 {
    return <u8>(a >= b)
  }
}

@unmanaged
@final
export class Less<T> {
  @inline
  apply(a: T, b: T): u8 {
    return <u8>(a < b)
  }
}

@unmanaged
@final
export class LessOrEqual<T> {
  @inline
  apply(a: T, b: T): u8 {
    return <u8>(a <= b)
  }
}
