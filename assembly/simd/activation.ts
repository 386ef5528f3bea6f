// SPDX-License-Identifier: Apache-2.0
/**
 * Activations as functors: classes without fields whose `apply` inlines into whatever loop takes the class as its
 * type argument (`changetype<F>(0).apply(x, p0, p1)`). The unary kernels and the GEMM epilogue share them; the names
 * are those of `activations` in src/kernels/gemm.ts. NaN stays NaN.
 */
import { madd } from './madd'
import { erf, expNormal, sigmoid, splat, tanh } from './math'

/** y = f(x; p0, p1) on four float32 lanes. */
@unmanaged
export abstract class Activation {
  abstract apply(x: v128, p0: v128, p1: v128): v128
}

@unmanaged
@final
export class None extends Activation {
  @inline
  apply(x: v128, p0: v128, p1: v128): v128 {
    return x
  }
}

@unmanaged
@final
export class Relu extends Activation {
  @inline
  apply(x: v128, p0: v128, p1: v128): v128 {
    return f32x4.pmax(x, splat(0))
  }
}

/** min(max(x, p0), p1). */
@unmanaged
@final
export class Clip extends Activation {
  @inline
  apply(x: v128, p0: v128, p1: v128): v128 {
    return f32x4.pmin(f32x4.pmax(x, p0), p1)
  }
}

/** x < 0 ? p0 * x : x. */
@unmanaged
@final
export class LeakyRelu extends Activation {
  @inline
  apply(x: v128, p0: v128, p1: v128): v128 {
    return v128.bitselect(f32x4.mul(x, p0), x, f32x4.lt(x, splat(0)))
  }
}

/** min(max(p0 * x + p1, 0), 1). */
@unmanaged
@final
export class HardSigmoid extends Activation {
  @inline
  apply(x: v128, p0: v128, p1: v128): v128 {
    return f32x4.pmin(f32x4.pmax(madd(x, p0, p1), splat(0)), splat(1))
  }
}

/** x * min(max(x / 6 + 0.5, 0), 1); 0 at -inf. */
@unmanaged
@final
export class HardSwish extends Activation {
  @inline
  apply(x: v128, p0: v128, p1: v128): v128 {
    const gate = f32x4.pmin(f32x4.pmax(f32x4.add(x, splat(3)), splat(0)), splat(6))
    return f32x4.mul(f32x4.pmax(x, splat(-3)), f32x4.mul(gate, splat(0.16666667)))
  }
}

@unmanaged
@final
export class Sigmoid extends Activation {
  @inline
  apply(x: v128, p0: v128, p1: v128): v128 {
    return sigmoid(x)
  }
}

/** x * sigmoid(x); 0 below -88.3763. Below 2.5 ulp. */
@unmanaged
@final
export class Silu extends Activation {
  @inline
  apply(x: v128, p0: v128, p1: v128): v128 {
    const floored = f32x4.pmax(x, splat(-100))
    return f32x4.div(floored, f32x4.add(splat(1), expNormal(f32x4.neg(floored))))
  }
}

@unmanaged
@final
export class Tanh extends Activation {
  @inline
  apply(x: v128, p0: v128, p1: v128): v128 {
    return tanh(x)
  }
}

/** x * (1 + erf(x / sqrt 2)) / 2; 0 at -inf. Below 1.6 ulp; where x < 0 the sum cancels and the error is below 2e-7. */
@unmanaged
@final
export class Gelu extends Activation {
  @inline
  apply(x: v128, p0: v128, p1: v128): v128 {
    const half = f32x4.mul(f32x4.pmax(x, splat(-100)), splat(0.5))
    return madd(half, erf(f32x4.mul(x, splat(0.70710678))), half)
  }
}

/**
 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2, written as x * sigmoid(2 * ...); 0 at -inf. Below 2.6 ulp; where
 * x < 0 the error is below 6e-8.
 */
@unmanaged
@final
export class GeluTanh extends Activation {
  @inline
  apply(x: v128, p0: v128, p1: v128): v128 {
    const floored = f32x4.pmax(x, splat(-100))
    // 2 * sqrt(2 / pi) and 0.044715 times that.
    const inner = madd(f32x4.mul(floored, floored), splat(0.07135481), splat(1.5957691))
    return f32x4.mul(floored, sigmoid(f32x4.mul(floored, inner)))
  }
}
