// SPDX-License-Identifier: Apache-2.0
/** Kernels of src/kernels/sparse.ts. */
import { SpmmF32Args, SpmmS8DotArgs, SpmmS8PairsArgs } from './generated/args'
import { S8Dot, S8Pairs } from './gemm/mac'
import { Epilogue } from './gemm/views'
import { multiplyBlocks } from './sparse/blocks'
import { multiplyRows } from './sparse/rows'

export function spmm_f32(args: usize, from: u32, to: u32, thread: u32): void {
  const epilogue = changetype<Epilogue>(args + offsetof<SpmmF32Args>('bias'))
  multiplyRows(changetype<SpmmF32Args>(args), epilogue, from, to, thread)
}

export function spmm_s8_dot(args: usize, from: u32, to: u32, thread: u32): void {
  const epilogue = changetype<Epilogue>(args + offsetof<SpmmS8DotArgs>('bias'))
  multiplyBlocks<S8Dot>(changetype<SpmmS8DotArgs>(args), epilogue, from, to, thread)
}

export function spmm_s8_pairs(args: usize, from: u32, to: u32, thread: u32): void {
  const epilogue = changetype<Epilogue>(args + offsetof<SpmmS8PairsArgs>('bias'))
  multiplyBlocks<S8Pairs>(changetype<SpmmS8DotArgs>(args), epilogue, from, to, thread)
}
