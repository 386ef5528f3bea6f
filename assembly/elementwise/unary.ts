// SPDX-License-Identifier: Apache-2.0
/**
 * y[i] = f(x[i]; p0, p1): functors and their one loop. A unit is a run of `block` elements of a dense float32 array;
 * a lane's value never depends on its neighbours, so a cut anywhere gives the same bits.
 */
import { UnaryAbsF32Args } from '../generated/args'
import { Activation } from '../simd/activation'
import { loadUpTo4, storeUpTo4 } from '../simd/lanes'
import { madd } from '../simd/madd'
import { erf, exp, expm1Negative, expNormal, log, log1pUnit, roundEven, splat } from '../simd/math'
import { sine } from '../simd/trigonometry'

/** Units [from, to) of y = F(x). x and y are 4-byte aligned and equal or apart. */
// @ts-ignore: decorator
@inline
export function mapUnary<F extends Activation>(args: usize, from: u32, to: u32): void {
  const a = changetype<UnaryAbsF32Args>(args)
  const p0 = splat(a.p0)
  const p1 = splat(a.p1)
  const first = from * a.block
  const count = min<u32>(to * a.block, a.size) - first
  let x = a.x + (<usize>first << 2)
  let y = a.y + (<usize>first << 2)
  // One body for whole vectors and the tail: the functors are long, the test is cheap.
  for (let left = <i32>count; left > 0; left -= 4, x += 16, y += 16) {
    storeUpTo4(y, changetype<F>(0).apply(loadUpTo4(x, left), p0, p1), left)
  }
}

@unmanaged
@final
export class Abs extends Activation {
  @inline
  apply(x: v128, p0: v128, p1: v128): v128 {
    return f32x4.abs(x)
  }
}

@unmanaged
@final
export class Neg extends Activation {
  @inline
  apply(x: v128, p0: v128, p1: v128): v128 {
    return f32x4.neg(x)
  }
}

@unmanaged
@final
export class Sqrt extends Activation {
  @inline
  apply(x: v128, p0: v128, p1: v128): v128 {
    return f32x4.sqrt(x)
  }
}

@unmanaged
@final
export class Reciprocal extends Activation {
  @inline
  apply(x: v128, p0: v128, p1: v128): v128 {
    return f32x4.div(splat(1), x)
  }
}

@unmanaged
@final
export class Exp extends Activation {
  @inline
  apply(x: v128, p0: v128, p1: v128): v128 {
    return exp(x)
  }
}

@unmanaged
@final
export class Log extends Activation {
  @inline
  apply(x: v128, p0: v128, p1: v128): v128 {
    return log(x)
  }
}

@unmanaged
@final
export class Floor extends Activation {
  @inline
  apply(x: v128, p0: v128, p1: v128): v128 {
    return f32x4.floor(x)
  }
}

@unmanaged
@final
export class Ceil extends Activation {
  @inline
  apply(x: v128, p0: v128, p1: v128): v128 {
    return f32x4.ceil(x)
  }
}

/** Ties to even. */
@unmanaged
@final
export class Round extends Activation {
  @inline
  apply(x: v128, p0: v128, p1: v128): v128 {
    return roundEven(x)
  }
}

@unmanaged
@final
export class Erf extends Activation {
  @inline
  apply(x: v128, p0: v128, p1: v128): v128 {
    return erf(x)
  }
}

/** x < 0 ? p0 * (e^x - 1) : x. */
@unmanaged
@final
export class Elu extends Activation {
  @inline
  apply(x: v128, p0: v128, p1: v128): v128 {
    return v128.bitselect(f32x4.mul(p0, expm1Negative(x)), x, f32x4.lt(x, splat(0)))
  }
}

/** log(1 + e^x) = max(x, 0) + log(1 + e^-|x|). Below 2 ulp; 0 from -87.33654 down. */
@unmanaged
@final
export class Softplus extends Activation {
  @inline
  apply(x: v128, p0: v128, p1: v128): v128 {
    return f32x4.add(f32x4.pmax(x, splat(0)), log1pUnit(expNormal(f32x4.neg(f32x4.abs(x)))))
  }
}

/** x * p0 + p1. */
@unmanaged
@final
export class Affine extends Activation {
  @inline
  apply(x: v128, p0: v128, p1: v128): v128 {
    return madd(x, p0, p1)
  }
}

@unmanaged
@final
export class Sin extends Activation {
  @inline
  apply(x: v128, p0: v128, p1: v128): v128 {
    return sine(x, i32x4.trunc_sat_f32x4_s(p0))
  }
}
