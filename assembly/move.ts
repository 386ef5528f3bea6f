// SPDX-License-Identifier: Apache-2.0
/** Data movement and casts: rows of src/kernels/move.ts, where units and arguments are described. */
import { castFromF32, castToF32 } from './move/cast'
import { copyStrided } from './move/copy'
import { keepTriangle, pickElements, pickTuples } from './move/pick'
import { copyBlocks, fillBlocks, gatherRows, transposeBands } from './move/rows'

export function copy_1(args: usize, from: u32, to: u32, thread: u32): void {
  copyStrided<u8>(args, from, to)
}

export function copy_2(args: usize, from: u32, to: u32, thread: u32): void {
  copyStrided<u16>(args, from, to)
}

export function copy_4(args: usize, from: u32, to: u32, thread: u32): void {
  copyStrided<u32>(args, from, to)
}

export function copy_8(args: usize, from: u32, to: u32, thread: u32): void {
  copyStrided<u64>(args, from, to)
}

export function transpose_4(args: usize, from: u32, to: u32, thread: u32): void {
  transposeBands<u32>(args, from, to)
}

export function transpose_1(args: usize, from: u32, to: u32, thread: u32): void {
  transposeBands<u8>(args, from, to)
}

export function transpose_2(args: usize, from: u32, to: u32, thread: u32): void {
  transposeBands<u16>(args, from, to)
}

export function copy_bytes(args: usize, from: u32, to: u32, thread: u32): void {
  copyBlocks(args, from, to)
}

export function fill_4(args: usize, from: u32, to: u32, thread: u32): void {
  fillBlocks(args, from, to)
}

export function gather_rows(args: usize, from: u32, to: u32, thread: u32): void {
  gatherRows(args, from, to)
}

export function gather_elements(args: usize, from: u32, to: u32, thread: u32): void {
  pickElements(args, from, to, false)
}

export function scatter_elements(args: usize, from: u32, to: u32, thread: u32): void {
  pickElements(args, from, to, true)
}

export function gather_tuples(args: usize, from: u32, to: u32, thread: u32): void {
  pickTuples(args, from, to, false)
}

export function scatter_tuples(args: usize, from: u32, to: u32, thread: u32): void {
  pickTuples(args, from, to, true)
}

export function triangle(args: usize, from: u32, to: u32, thread: u32): void {
  keepTriangle(args, from, to)
}

export function cast_to_f32(args: usize, from: u32, to: u32, thread: u32): void {
  castToF32(args, from, to)
}

export function cast_from_f32(args: usize, from: u32, to: u32, thread: u32): void {
  castFromF32(args, from, to)
}
