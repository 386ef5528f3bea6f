// SPDX-License-Identifier: Apache-2.0
/**
 * Operands of products at the ends of what they may hold. Float rows: an infinity, NaN, only denormals, both infinities.
 * Byte rows: all zero, all as large as the host's dots agree on. Weights: all zero, the least and the largest, denormals;
 * so that 0 times infinity, sums of unlike infinities and the largest integer sums come up.
 */
import type { Activation } from '../../../src/kernels/gemm.ts'
import type { EpilogueOptions } from './epilogue.ts'

const least = 1.401298464324817e-45

/** Overwrites the first rows of a (`lda` elements each, `k` of them used). */
export function makeRowsExtreme(a: Float32Array | Uint8Array | Int16Array, lda: number, k: number): void {
  const rows = Math.floor(a.length / lda)
  if (!(a instanceof Float32Array)) {
    const largest = a instanceof Uint8Array ? 127 : 255
    for (let row = 0; row < Math.min(rows, 4); row += 2) {
      a.fill(0, row * lda, row * lda + k)
      if (row + 1 < rows) a.fill(largest, (row + 1) * lda, (row + 1) * lda + k)
    }
    return
  }
  a[k - 1] = Infinity
  if (rows > 1) a[lda] = NaN
  if (rows > 2) for (let i = 0; i < k; i++) a[2 * lda + i] = least * ((i % 5) - 2)
  if (rows > 3 && k > 1) a.set([Infinity, -Infinity], 3 * lda)
}

/** Overwrites the first columns of w, [n][k]. */
export function makeWeightsExtreme(w: Float32Array | Int8Array, k: number): void {
  const ends = w instanceof Int8Array ? [0, -128, 127] : [0, -1e30, 1e-40]
  ends.forEach((value, column) => {
    if ((column + 1) * k <= w.length) w.fill(value, column * k, (column + 1) * k)
  })
}

/** Makes weights w, [n][k], narrow (src/kernels/gemm.ts): two neighbours of one sign add up to at most 128. */
export function makeNarrow(w: Float32Array | Int8Array, k: number): void {
  for (let start = 0; start < w.length; start += k) {
    for (let i = start + 1; i < start + k; i += 2) {
      const [a, b] = [w[i - 1]!, w[i]!]
      if (Math.abs(a + b) > 128) w[i] = Math.sign(b) * 128 - a
    }
  }
}

const unfused: readonly (Activation | undefined)[] = [undefined, 'None', 'Relu']

/** Whether what follows the sums rounds alike in all builds: no activation with a fused step. */
export const roundsAlike = ({ activation }: EpilogueOptions): boolean => unfused.includes(activation)
