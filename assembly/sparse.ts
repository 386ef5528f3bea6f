// SPDX-License-Identifier: Apache-2.0
/** Kernels of src/kernels/sparse.ts. */
import { SpmmF32Args, SpmmRowsS8DotArgs, SpmmRowsS8PairsArgs, SpmmS8DotArgs, SpmmS8NarrowArgs, SpmmS8PairsArgs } from './generated/args'
import { S8Dot, S8Pairs } from './gemm/mac'
import { Epilogue } from './gemm/views'
import { multiplyBlocks } from './sparse/blocks'
import { DotLine, F32Line, PairsLine } from './sparse/lines'
import { Rows, multiplyRows } from './sparse/rows'
export { spread_blocks_s8, spread_rows_f32, spread_rows_s8, widen_s8 } from './sparse/spread'

export function spmm_f32(args: usize, from: u32, to: u32, thread: u32): void {
  const epilogue = changetype<Epilogue>(args + offsetof<SpmmF32Args>('bias'))
  multiplyRows<F32Line>(changetype<Rows>(args), 0, epilogue, from, to, thread)
}

export function spmm_rows_s8_dot(args: usize, from: u32, to: u32, thread: u32): void {
  const epilogue = changetype<Epilogue>(args + offsetof<SpmmRowsS8DotArgs>('bias'))
  const scales = args + offsetof<SpmmRowsS8DotArgs>('aParams')
  multiplyRows<DotLine>(changetype<Rows>(args), scales, epilogue, from, to, thread)
}

export function spmm_rows_s8_pairs(args: usize, from: u32, to: u32, thread: u32): void {
  const epilogue = changetype<Epilogue>(args + offsetof<SpmmRowsS8PairsArgs>('bias'))
  const scales = args + offsetof<SpmmRowsS8PairsArgs>('aParams')
  multiplyRows<PairsLine>(changetype<Rows>(args), scales, epilogue, from, to, thread)
}

export function spmm_s8_dot(args: usize, from: u32, to: u32, thread: u32): void {
  const epilogue = changetype<Epilogue>(args + offsetof<SpmmS8DotArgs>('bias'))
  multiplyBlocks<S8Dot>(changetype<SpmmS8DotArgs>(args), epilogue, from, to, thread, false)
}

export function spmm_s8_narrow(args: usize, from: u32, to: u32, thread: u32): void {
  const epilogue = changetype<Epilogue>(args + offsetof<SpmmS8NarrowArgs>('bias'))
  multiplyBlocks<S8Dot>(changetype<SpmmS8DotArgs>(args), epilogue, from, to, thread, ASC_FEATURE_RELAXED_SIMD)
}

export function spmm_s8_pairs(args: usize, from: u32, to: u32, thread: u32): void {
  const epilogue = changetype<Epilogue>(args + offsetof<SpmmS8PairsArgs>('bias'))
  multiplyBlocks<S8Pairs>(changetype<SpmmS8DotArgs>(args), epilogue, from, to, thread, false)
}
