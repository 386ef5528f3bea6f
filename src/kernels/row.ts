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

/**
 * What a relaxed byte dot does on a host: exact with the second operand unsigned ('vnni') or signed ('sdot'), saturating,
 * or nothing that is known. 'none': a build without it, which emulates the first.
 */
export type ByteDot = 'none' | 'vnni' | 'sdot' | 'pmaddubsw' | 'broken'

/** How the rows of A and the panels of B lie that a product reads (kernels/gemm.ts); 'short': as for the dot, sums in int16. */
export type Form = 'float' | 'dot' | 'pairs' | 'short'

/**
 * How activations of a byte product are stored: unsigned or signed bytes for the dot, or int16 for pairs. Rows of one
 * form share their quantised activations (ops/lower-gemm.ts).
 */
export type ByteForm = 'u8' | 's8' | 'pairs'

/** What `select` has to know of a product, to hold it against others of the same outcome. */
export interface ProductTraits {
  readonly family: 'gemm' | 'conv'
  /** Its weights: of float32, of int8 with a scale per output, of int8 or 4 bits with a scale per block. */
  readonly weights: 'f32' | 's8' | 's8 blocks' | 's4 blocks'
  readonly form: Form
  /** Hosts on which it is exact and not emulated; all where left out. */
  readonly dots?: readonly ByteDot[]
  /** It turns panels into another form once for all rows of a unit, so it wants units of many rows. */
  readonly widens?: true
}

export interface KernelRow {
  readonly args: Readonly<Record<string, ArgKind>>
  /** Of rows that there may be a choice between. */
  readonly product?: ProductTraits
}

/** Identity with types. */
export function kernels<const T extends Readonly<Record<string, KernelRow>>>(rows: T): T {
  return rows
}
