// SPDX-License-Identifier: Apache-2.0
/**
 * Products with weights that are mostly zero: only the others are stored and multiplied. Epilogue as in kernels/gemm.ts;
 * a unit is a block of rows x `nb` columns, columns fastest, nb a multiple of 8 except where it is n. m, n: rows and
 * columns of C, ldc: elements between its rows. Depths and starts are followed as they are (pack: clip_u32); a list whose
 * end is before its start is empty.
 */
import { epilogueArgs } from './gemm.ts'
import { kernels } from './row.ts'

const blockArgs = {
  a: 'ptr', lda: 'u32', b: 'ptr', depths: 'ptr', starts: 'ptr', sums: 'ptr', c: 'ptr', ldc: 'u32', m: 'u32', n: 'u32', mb: 'u32',
  nb: 'u32', aParams: 'ptr', wScale: 'ptr', scratch: 'ptr', scratchBytes: 'u32', ...epilogueArgs,
} as const

export const sparse = kernels({
  /**
   * float32, any weights zero. Rows of C are the vector axis, so A comes transposed: a [k][lda], at least 31 elements of
   * memory behind the last one. Column j of the weights is values[i] at depths[i] (its k), i from starts[j] to starts[j + 1]. A
   * block has 32 rows. Scratch: 512 bytes per thread.
   */
  spmm_f32: {
    args: {
      a: 'ptr', lda: 'u32', values: 'ptr', depths: 'ptr', starts: 'ptr', c: 'ptr', ldc: 'u32', m: 'u32', n: 'u32', nb: 'u32',
      scratch: 'ptr', scratchBytes: 'u32', ...epilogueArgs,
    },
  },
  /**
   * int8, blocks of 8 columns x 8 k zero or not. Block i of a panel of columns p, i from starts[p] to starts[p + 1],
   * begins at k = 8 * depths[i]; its 64 bytes are a panel of k = 8 in the layout of the host's product (kernels/gemm.ts),
   * sums holds its 8 column sums. A is quantised as for that product, rows readable up to k rounded up to 8. A block of
   * C has mb rows. aParams one record per row; scratch: 4 * nb bytes, nb rounded up to 8, per thread, and 192 behind.
   */
  spmm_s8_dot: { args: blockArgs },
  spmm_s8_pairs: { args: blockArgs },
})
