// SPDX-License-Identifier: Apache-2.0
/** Kernels of src/kernels/quantized.ts. */
import { lookUp, requantizeRows, rowSums, stageRows, subtractOuter, transposeBytes } from './quantized/bytes'
import { dequantizeLinear, quantizeLinear, quantParams, quantRange } from './quantized/linear'

export function quantize_linear(args: usize, from: u32, to: u32, thread: u32): void {
  quantizeLinear(args, from, to)
}

export function dequantize_linear(args: usize, from: u32, to: u32, thread: u32): void {
  dequantizeLinear(args, from, to)
}

export function quant_range(args: usize, from: u32, to: u32, thread: u32): void {
  quantRange(args)
}

export function quant_params(args: usize, from: u32, to: u32, thread: u32): void {
  quantParams(args)
}

export function stage_u8(args: usize, from: u32, to: u32, thread: u32): void {
  stageRows<u8>(args, from, to)
}

export function stage_i16(args: usize, from: u32, to: u32, thread: u32): void {
  stageRows<i16>(args, from, to)
}

export function row_sums(args: usize, from: u32, to: u32, thread: u32): void {
  rowSums(args, from, to)
}

export function subtract_outer(args: usize, from: u32, to: u32, thread: u32): void {
  subtractOuter(args, from, to)
}

export function requantize(args: usize, from: u32, to: u32, thread: u32): void {
  requantizeRows(args, from, to)
}

export function lookup_u8(args: usize, from: u32, to: u32, thread: u32): void {
  lookUp(args, from, to)
}

export function transpose_1(args: usize, from: u32, to: u32, thread: u32): void {
  transposeBytes(args, from, to)
}
