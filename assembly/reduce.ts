// SPDX-License-Identifier: Apache-2.0
/**
 * Reductions, softmax, normalisation and pooling over float32: rows of src/kernels/reduce.ts, where units and arguments
 * are described.
 */
import { fold, Largest, Norm1, Product, Smallest, Sum, SumSquare } from './reduce/fold'
import { instanceNorm, layerNorm, rmsNorm } from './reduce/norm'
import { pool } from './reduce/pool'
import { logSoftmax, logSumExp, softmax } from './reduce/softmax'

export function reduce_sum_f32(args: usize, from: u32, to: u32, thread: u32): void {
  fold<Sum>(args, from, to)
}

export function reduce_max_f32(args: usize, from: u32, to: u32, thread: u32): void {
  fold<Largest>(args, from, to)
}

export function reduce_min_f32(args: usize, from: u32, to: u32, thread: u32): void {
  fold<Smallest>(args, from, to)
}

export function reduce_prod_f32(args: usize, from: u32, to: u32, thread: u32): void {
  fold<Product>(args, from, to)
}

export function reduce_sum_square_f32(args: usize, from: u32, to: u32, thread: u32): void {
  fold<SumSquare>(args, from, to)
}

export function reduce_l1_f32(args: usize, from: u32, to: u32, thread: u32): void {
  fold<Norm1>(args, from, to)
}

export function reduce_log_sum_exp_f32(args: usize, from: u32, to: u32, thread: u32): void {
  logSumExp(args, from, to)
}

export function softmax_f32(args: usize, from: u32, to: u32, thread: u32): void {
  softmax(args, from, to)
}

export function log_softmax_f32(args: usize, from: u32, to: u32, thread: u32): void {
  logSoftmax(args, from, to)
}

export function layer_norm_f32(args: usize, from: u32, to: u32, thread: u32): void {
  layerNorm(args, from, to)
}

export function rms_norm_f32(args: usize, from: u32, to: u32, thread: u32): void {
  rmsNorm(args, from, to)
}

export function instance_norm_f32(args: usize, from: u32, to: u32, thread: u32): void {
  instanceNorm(args, from, to)
}

export function max_pool_f32(args: usize, from: u32, to: u32, thread: u32): void {
  pool<Largest>(args, from, to, false)
}

export function average_pool_f32(args: usize, from: u32, to: u32, thread: u32): void {
  pool<Sum>(args, from, to, true)
}
