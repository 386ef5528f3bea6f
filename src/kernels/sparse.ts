// SPDX-License-Identifier: Apache-2.0
/**
 * Products with weights that are mostly zero: only the others are stored and multiplied. Epilogue as in kernels/gemm.ts;
 * a unit is a block of rows x `nb` columns, columns fastest, nb a multiple of 8 except where it is n. m, n: rows and
 * columns of C, ldc: elements between its rows. Depths and starts are followed as they are (pack: clip_u32); a list whose
 * end is before its start is empty.
 */
import { epilogueArgs } from './gemm.ts'
import { kernels } from './row.ts'

/**
 * Column j of the weights is values[i] at its k, i from starts[j] to starts[j + 1]; depths[i] is k times the bytes of 32
 * elements of A. A is [m][k], dense. A block of C has 32 rows, which are the vector axis: those of A are transposed once for
 * units that follow each other. Scratch per thread: 32 * (k + 1) elements of A, 2048 + 128 * nb bytes, nb rounded up to 4.
 */
const rowsArgs = {
  a: 'ptr', values: 'ptr', depths: 'ptr', starts: 'ptr', c: 'ptr', ldc: 'u32', m: 'u32', n: 'u32', k: 'u32', nb: 'u32',
  scratch: 'ptr', scratchBytes: 'u32',
} as const

/** int8: A is quantised by rows, aParams one record per row; scratch: and 4 * nb more, nb rounded up to 4. */
const byteRowsArgs = { ...rowsArgs, aParams: 'ptr', wScale: 'ptr', ...epilogueArgs } as const

const blockArgs = {
  a: 'ptr', lda: 'u32', b: 'ptr', depths: 'ptr', starts: 'ptr', sums: 'ptr', c: 'ptr', ldc: 'u32', m: 'u32', n: 'u32', mb: 'u32',
  nb: 'u32', aParams: 'ptr', wScale: 'ptr', scratch: 'ptr', scratchBytes: 'u32', ...epilogueArgs,
} as const

/**
 * Sparse weights as they are in a file, spread into dense panels (kernels/gemm.ts) with zeros between them; indices are
 * clipped to k and to `count`, the number of values (blocks). A unit is one panel of 8 columns.
 */
const spreadArgs = { values: 'ptr', depths: 'ptr', starts: 'ptr', dst: 'ptr', n: 'u32', k: 'u32', count: 'u32' } as const
/** Groups of `group` k; also writes the sums of the columns of whole panels. */
const byteSpreadArgs = { ...spreadArgs, group: 'u32', sums: 'ptr' } as const

export const sparse = kernels({
  /** float32, any weights zero. */
  spmm_f32: { args: { ...rowsArgs, ...epilogueArgs } },
  /** int8, any weights zero. A is of bytes as gemm_s8_dot reads them; values are int8. */
  spmm_rows_s8_dot: { args: byteRowsArgs },
  /** A is of int16 as gemm_s8_pairs reads them, values too (widen_s8). */
  spmm_rows_s8_pairs: { args: byteRowsArgs },
  /**
   * int8, blocks of 8 columns x 8 k zero or not. Block i of a panel of columns p, i from starts[p] to starts[p + 1],
   * begins depths[i] bytes into a row of A; its 64 bytes are a panel of k = 8 in the layout of the host's product (kernels/gemm.ts),
   * sums holds its 8 column sums. A is quantised as for that product, rows readable up to k rounded up to 8. A block of
   * C has mb rows. aParams one record per row; scratch: 4 * nb bytes, nb rounded up to 8, per thread, and 192 behind.
   */
  spmm_s8_dot: { args: blockArgs },
  /**
   * As the dot with bias 0 does it, of weights that are twice as narrow as in kernels/gemm.ts: none is above 64 in magnitude, and w[2i] and
   * w[2i + 1], where they have one sign, add up to at most 64, so that both groups of a block by any bytes of A add up in int16.
   */
  spmm_s8_narrow: { args: blockArgs },
  spmm_s8_pairs: { args: blockArgs },
  spread_rows_f32: { args: spreadArgs },
  spread_rows_s8: { args: byteSpreadArgs },
  /** From blocks of 8 columns x 8 k, [column][k]. */
  spread_blocks_s8: { args: byteSpreadArgs },
  /** dst[i] = src[i], int8 to int16. A unit is `block` elements. */
  widen_s8: { args: { src: 'ptr', dst: 'ptr', size: 'u32', block: 'u32' } },
})
