// SPDX-License-Identifier: Apache-2.0
/**
 * The epilogue in double precision: activations by name and the whole of y = act(x + bias + residual) * scale + shift.
 * Only references use this file.
 */
import { type Activation, activations } from '../kernels/gemm.ts'
import type { Attributes } from './define.ts'
import { epilogueOf } from './epilogue.ts'
import { erf } from './erf.ts'

type Function1 = (x: number, p0: number, p1: number) => number

const sigmoid: Function1 = (x) => 1 / (1 + Math.exp(-x))

/** Each activation of kernels/gemm.ts. Gelu is the erf form, GeluTanh the tanh form of Hendrycks & Gimpel (2016). */
export const activationFunctions: Readonly<Record<Activation, Function1>> = {
  None: (x) => x,
  Relu: (x) => Math.max(0, x),
  Clip: (x, p0, p1) => Math.min(p1, Math.max(p0, x)),
  LeakyRelu: (x, p0) => (x >= 0 ? x : x * p0),
  HardSigmoid: (x, p0, p1) => Math.min(1, Math.max(0, p0 * x + p1)),
  HardSwish: (x) => x * Math.min(1, Math.max(0, x / 6 + 0.5)),
  Sigmoid: sigmoid,
  Silu: (x) => (x === -Infinity ? 0 : x * sigmoid(x, 0, 0)),
  Tanh: Math.tanh,
  Gelu: (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
  GeluTanh: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
}

/** Applies the epilogue to `c`, rows of `channels` numbers, in place. `residual` is laid out as `c`. */
export function applyEpilogue(
  c: Float64Array,
  channels: number,
  attributes: Attributes,
  bias: ArrayLike<number> | null,
  residual: ArrayLike<number> | null,
): Float64Array {
  const { activation, p0, p1, postScale, postShift } = epilogueOf(attributes)
  const act = activationFunctions[activations[activation]]
  for (let i = 0; i < c.length; i++) {
    const x = c[i] + (bias?.[i % channels] ?? 0) + (residual?.[i] ?? 0)
    c[i] = act(x, p0, p1) * postScale + postShift
  }
  return c
}
