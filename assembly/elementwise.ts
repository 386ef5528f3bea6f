// SPDX-License-Identifier: Apache-2.0
/**
 * Element-wise kernels over float32, one line each: a functor put into the loop of its kind. Rows of
 * src/kernels/elementwise.ts; what a unit is and which arguments there are stands there.
 */
import { rotateHeads } from './elementwise/rotary'
import { Clip, Gelu, GeluTanh, HardSigmoid, HardSwish, LeakyRelu, Relu, Sigmoid, Silu, Tanh } from './simd/activation'
import { Add, Div, Max, Min, Mul, PRelu, Pow, Sub, mapBinary } from './elementwise/binary'
import {
  Abs,
  Affine,
  Ceil,
  Elu,
  Erf,
  Exp,
  Floor,
  Log,
  Neg,
  Reciprocal,
  Round,
  Sin,
  Softplus,
  Sqrt,
  mapUnary,
} from './elementwise/unary'

export function unary_abs_f32(args: usize, from: u32, to: u32, thread: u32): void {
  mapUnary<Abs>(args, from, to)
}

export function unary_neg_f32(args: usize, from: u32, to: u32, thread: u32): void {
  mapUnary<Neg>(args, from, to)
}

export function unary_sqrt_f32(args: usize, from: u32, to: u32, thread: u32): void {
  mapUnary<Sqrt>(args, from, to)
}

export function unary_reciprocal_f32(args: usize, from: u32, to: u32, thread: u32): void {
  mapUnary<Reciprocal>(args, from, to)
}

export function unary_exp_f32(args: usize, from: u32, to: u32, thread: u32): void {
  mapUnary<Exp>(args, from, to)
}

export function unary_log_f32(args: usize, from: u32, to: u32, thread: u32): void {
  mapUnary<Log>(args, from, to)
}

export function unary_floor_f32(args: usize, from: u32, to: u32, thread: u32): void {
  mapUnary<Floor>(args, from, to)
}

export function unary_ceil_f32(args: usize, from: u32, to: u32, thread: u32): void {
  mapUnary<Ceil>(args, from, to)
}

export function unary_round_f32(args: usize, from: u32, to: u32, thread: u32): void {
  mapUnary<Round>(args, from, to)
}

export function unary_erf_f32(args: usize, from: u32, to: u32, thread: u32): void {
  mapUnary<Erf>(args, from, to)
}

export function unary_relu_f32(args: usize, from: u32, to: u32, thread: u32): void {
  mapUnary<Relu>(args, from, to)
}

export function unary_clip_f32(args: usize, from: u32, to: u32, thread: u32): void {
  mapUnary<Clip>(args, from, to)
}

export function unary_leaky_relu_f32(args: usize, from: u32, to: u32, thread: u32): void {
  mapUnary<LeakyRelu>(args, from, to)
}

export function unary_elu_f32(args: usize, from: u32, to: u32, thread: u32): void {
  mapUnary<Elu>(args, from, to)
}

export function unary_hard_sigmoid_f32(args: usize, from: u32, to: u32, thread: u32): void {
  mapUnary<HardSigmoid>(args, from, to)
}

export function unary_hard_swish_f32(args: usize, from: u32, to: u32, thread: u32): void {
  mapUnary<HardSwish>(args, from, to)
}

export function unary_sigmoid_f32(args: usize, from: u32, to: u32, thread: u32): void {
  mapUnary<Sigmoid>(args, from, to)
}

export function unary_silu_f32(args: usize, from: u32, to: u32, thread: u32): void {
  mapUnary<Silu>(args, from, to)
}

export function unary_tanh_f32(args: usize, from: u32, to: u32, thread: u32): void {
  mapUnary<Tanh>(args, from, to)
}

export function unary_gelu_f32(args: usize, from: u32, to: u32, thread: u32): void {
  mapUnary<Gelu>(args, from, to)
}

export function unary_gelu_tanh_f32(args: usize, from: u32, to: u32, thread: u32): void {
  mapUnary<GeluTanh>(args, from, to)
}

export function unary_softplus_f32(args: usize, from: u32, to: u32, thread: u32): void {
  mapUnary<Softplus>(args, from, to)
}

export function unary_sin_f32(args: usize, from: u32, to: u32, thread: u32): void {
  mapUnary<Sin>(args, from, to)
}

export function unary_affine_f32(args: usize, from: u32, to: u32, thread: u32): void {
  mapUnary<Affine>(args, from, to)
}

export function binary_add_f32(args: usize, from: u32, to: u32, thread: u32): void {
  mapBinary<Add>(args, from, to)
}

export function binary_sub_f32(args: usize, from: u32, to: u32, thread: u32): void {
  mapBinary<Sub>(args, from, to)
}

export function binary_mul_f32(args: usize, from: u32, to: u32, thread: u32): void {
  mapBinary<Mul>(args, from, to)
}

export function binary_div_f32(args: usize, from: u32, to: u32, thread: u32): void {
  mapBinary<Div>(args, from, to)
}

export function binary_min_f32(args: usize, from: u32, to: u32, thread: u32): void {
  mapBinary<Min>(args, from, to)
}

export function binary_max_f32(args: usize, from: u32, to: u32, thread: u32): void {
  mapBinary<Max>(args, from, to)
}

export function binary_pow_f32(args: usize, from: u32, to: u32, thread: u32): void {
  mapBinary<Pow>(args, from, to)
}

export function binary_prelu_f32(args: usize, from: u32, to: u32, thread: u32): void {
  mapBinary<PRelu>(args, from, to)
}

export function rotary_f32(args: usize, from: u32, to: u32, thread: u32): void {
  rotateHeads(args, from, to)
}
