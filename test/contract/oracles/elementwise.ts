// SPDX-License-Identifier: Apache-2.0
/**
 * Element-wise kernels: the functions in float64, and shapes that reach every tail, stride and broadcast. Bounds are
 * relative where the function keeps relative accuracy, and absolute where a term cancels (GELU far below zero).
 */
import { randomInteger } from '../../../src/base/rng.ts'
import { exact, inPlace, input, output, same, type Bound, type KernelCase, type Oracle } from '../kernel.ts'
import { randomFloats, wildFloats } from '../values.ts'
import { broadcasts, isDense, span } from './broadcasts.ts'
import { EPS, f32, LEAST } from './sums.ts'
import { erf } from '../../../src/ops/erf.ts'

type Unary = (x: number, p0: number, p1: number) => number
interface UnaryRule {
  readonly of: Unary
  /** One for all values, or by the input. */
  readonly bound: Bound | ((x: number) => Bound)
  readonly p?: readonly [number, number]
  /** Finite inputs beyond this are not asked of the kernel. */
  readonly most?: number
  /** Deviation of the values that are drawn; 3 and among extremes 20 where left out. */
  readonly spread?: number
}

/** A few float32 roundings: 2^-24 each. */
const rounded: Bound = { abs: 1e-45, rel: 1.3e-7 }
const close: Bound = { abs: 1.2e-38, rel: 3e-7 }
const cancelling: Bound = { abs: 2.5e-7, rel: 3e-7 }
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x))
/** x * gate(x), 0 where x is -inf. */
const gated =
  (gate: Unary): Unary =>
  (x, p0, p1) =>
    x === -Infinity ? 0 : x * gate(x, p0, p1)
const clamp = (x: number, low: number, high: number): number => (Number.isNaN(x) ? x : Math.min(Math.max(x, low), high))

function roundEven(x: number): number {
  const floor = Math.floor(x)
  const rest = x - floor
  if (rest !== 0.5) return rest < 0.5 || !Number.isFinite(x) ? floor : floor + 1
  return floor % 2 === 0 ? floor : floor + 1
}

/** As many units in the last place of the value, and its own rounding (assembly/simd). */
const ulps = (count: number, abs = LEAST): Bound => ({ abs, rel: (2 * count + 1) * EPS })
const angle = { bound: ulps(1.6), most: 2 ** 20 }

const unary: Readonly<Record<string, UnaryRule | readonly UnaryRule[]>> = {
  unary_abs_f32: { of: Math.abs, bound: exact },
  unary_neg_f32: { of: (x) => -x, bound: exact },
  unary_sqrt_f32: { of: Math.sqrt, bound: rounded },
  unary_reciprocal_f32: { of: (x) => 1 / x, bound: rounded },
  unary_exp_f32: { of: Math.exp, bound: { abs: 3e-45, rel: 2.4e-7 } },
  unary_log_f32: { of: Math.log, bound: close },
  unary_floor_f32: { of: Math.floor, bound: exact },
  unary_ceil_f32: { of: Math.ceil, bound: exact },
  unary_round_f32: { of: roundEven, bound: exact },
  unary_erf_f32: { of: erf, bound: close },
  unary_relu_f32: { of: (x) => (x < 0 ? 0 : x), bound: exact },
  unary_clip_f32: { of: clamp, bound: exact, p: [-0.75, 1.25] },
  unary_leaky_relu_f32: { of: (x, a) => (x < 0 ? a * x : x), bound: rounded, p: [0.015625, 0] },
  unary_elu_f32: { of: (x, a) => (x < 0 ? a * Math.expm1(x) : x), bound: close, p: [1.25, 0] },
  unary_hard_sigmoid_f32: { of: (x, a, b) => clamp(a * x + b, 0, 1), bound: cancelling, p: [0.25, 0.5] },
  unary_hard_swish_f32: { of: gated((x) => clamp(x / 6 + 0.5, 0, 1)), bound: cancelling },
  unary_sigmoid_f32: { of: sigmoid, bound: close },
  unary_silu_f32: { of: gated(sigmoid), bound: { abs: 1e-35, rel: 4e-7 } },
  unary_tanh_f32: { of: Math.tanh, bound: close },
  unary_gelu_f32: {
    of: gated((x) => 0.5 * (1 + erf(x * Math.SQRT1_2))),
    bound: (x) => ulps(1.6, x < 0 ? 2e-7 : LEAST),
  },
  unary_gelu_tanh_f32: {
    of: gated((x) => sigmoid(2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
    bound: (x) => ulps(2.6, x < 0 ? 6e-8 : LEAST),
  },
  unary_softplus_f32: {
    of: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
    bound: { abs: 1.2e-38, rel: 5e-7 },
  },
  unary_sin_f32: [
    { of: Math.sin, ...angle },
    { of: Math.cos, ...angle, p: [1, 0] },
    { of: Math.sin, ...angle, spread: 2 ** 19 },
    { of: Math.cos, ...angle, p: [1, 0], spread: 2 ** 19 },
  ],
  unary_affine_f32: { of: (x, a, b) => x * a + b, bound: cancelling, p: [1.5, -0.25] },
}

function unaryOracle({ of, bound: rule, p = [0, 0], most = Infinity, spread }: UnaryRule): Oracle {
  return (random) => {
    const one = (size: number, block: number, wild: boolean, offset: number, inside: boolean): KernelCase => {
      const drawn = wild ? wildFloats(random, size, spread ?? 20) : randomFloats(random, size, spread ?? 3)
      const x = drawn.map((v) => (Number.isFinite(v) ? f32(v % most) : v))
      const want = Array.from(x, (v) => f32(of(v, p[0], p[1])))
      const bound = typeof rule === 'function' ? (i: number) => rule(x[i]!) : rule
      const common = { size, block, p0: p[0], p1: p[1] }
      const title = `${size} in blocks of ${block}${wild ? ', extremes' : ''}${inside ? ', in place' : ''}, offset ${offset}`
      const args = inside
        ? { x: same('y'), y: inPlace(x, want, bound, offset), ...common }
        : { x: input(x, offset), y: output(Float32Array, want, bound, offset ? 12 : 0), ...common }
      return { title, units: Math.ceil(size / block), args }
    }
    return [
      one(64, 16, true, 0, false),
      one(1, 4, true, 4, false),
      one(2, 7, false, 8, true),
      one(3, 1, true, 0, true),
      one(257, 10, true, 4, false),
      one(randomInteger(random, 100, 300), 64, true, 12, true),
      one(300, 300, true, 0, false),
    ]
  }
}

type Binary = (a: number, b: number) => number
const binary: Readonly<Record<string, { of: Binary; bound: Bound }>> = {
  binary_add_f32: { of: (a, b) => a + b, bound: rounded },
  binary_sub_f32: { of: (a, b) => a - b, bound: rounded },
  binary_mul_f32: { of: (a, b) => a * b, bound: rounded },
  binary_div_f32: { of: (a, b) => a / b, bound: rounded },
  binary_min_f32: { of: Math.min, bound: exact },
  binary_max_f32: { of: Math.max, bound: exact },
  binary_pow_f32: { of: pow, bound: { abs: 3e-45, rel: 2e-7 } },
  binary_prelu_f32: { of: (a, b) => (a < 0 ? a * b : a), bound: rounded },
}

/** Power as IEEE 754 has it: 1 to any power is 1, and (-1) to an infinite one. */
function pow(a: number, b: number): number {
  if (a === 1 || (a === -1 && Math.abs(b) === Infinity)) return 1
  return a ** b
}

function binaryOracle({ of, bound }: { of: Binary; bound: Bound }): Oracle {
  return (random) =>
    broadcasts.flatMap((shape, which) => {
      const {
        dims,
        a,
        b,
        inner: [inner, aInner, bInner],
      } = shape
      const aData = wildFloats(random, span(a, dims, aInner ? inner : 1), 4)
      const bData = which === 1 ? new Float32Array([2]) : wildFloats(random, span(b, dims, bInner ? inner : 1), 4)
      const units = dims.reduce((x, y) => x * y)
      const want: number[] = []
      for (let unit = 0; unit < units; unit++) {
        let rest = unit
        let atA = 0
        let atB = 0
        for (let d = 4; d >= 0; d--) {
          const i = rest % dims[d]!
          rest = Math.floor(rest / dims[d]!)
          atA += i * a[d]!
          atB += i * b[d]!
        }
        for (let i = 0; i < inner; i++) want.push(f32(of(aData[atA + aInner * i]!, bData[atB + bInner * i]!)))
      }
      const numbers = {
        inner,
        aInner,
        bInner,
        d0: dims[0],
        d1: dims[1],
        d2: dims[2],
        d3: dims[3],
        d4: dims[4],
        a0: a[0],
        a1: a[1],
        a2: a[2],
        a3: a[3],
        a4: a[4],
        b0: b[0],
        b1: b[1],
        b2: b[2],
        b3: b[3],
        b4: b[4],
      }
      const title = `dims ${dims.join('x')}, a ${a.join(' ')}, b ${b.join(' ')}, inner ${inner} ${aInner} ${bInner}`
      const apart = { a: input(aData, 4), b: input(bData, 12), c: output(Float32Array, want, bound, 8) }
      const cases: KernelCase[] = [{ title, units, args: { ...apart, ...numbers } }]
      if (isDense(shape, 'a')) {
        const inside = { a: same('c'), b: input(bData), c: inPlace(aData, want, bound, 4) }
        cases.push({ title: `${title}, in place of a`, units, args: { ...inside, ...numbers } })
      }
      if (isDense(shape, 'b')) {
        const inside = { a: input(aData), b: same('c'), c: inPlace(bData, want, bound, 12) }
        cases.push({ title: `${title}, in place of b`, units, args: { ...inside, ...numbers } })
      }
      return cases
    })
}

const entries = <T>(rules: Readonly<Record<string, T>>, make: (rule: T) => Oracle): [string, Oracle][] =>
  Object.entries(rules).map(([name, rule]) => [name, make(rule)])

export const oracles: Readonly<Record<string, Oracle>> = Object.fromEntries([
  ...entries(
    unary,
    (rules): Oracle =>
      (random) =>
        [rules].flat().flatMap((rule) => unaryOracle(rule)(random)),
  ),
  ...entries(binary, binaryOracle),
])
