// SPDX-License-Identifier: Apache-2.0
/**
 * A kernel row. The table is the contract between `assembly/` and the host: from it `scripts/generate-assembly.ts`
 * writes the dispatch switch and one class of arguments per row, and the tests hold module exports against it.
 *
 * Every kernel is `(args: usize, from: u32, to: u32, thread: u32) => void`: it reads its arguments at `args`, does the
 * units [from, to) and writes nothing else; units are independent, so any split gives the same bits. Strides and
 * counts are in elements unless the name says bytes. Pointers are byte addresses, 0 = left out; an argument word is
 * 4 bytes, in the order of the row.
 */
export type ArgKind = 'ptr' | 'u32' | 'i32' | 'f32'

export interface KernelRow {
  readonly args: Readonly<Record<string, ArgKind>>
}

/** Identity with types. */
export function kernels<const T extends Readonly<Record<string, KernelRow>>>(rows: T): T {
  return rows
}
