// SPDX-License-Identifier: Apache-2.0
/**
 * Operands of products at the ends of what they may hold. Float rows: an infinity, NaN, only denormals, both infinities.
 * Byte rows: all zero, all as large as the host's dots agree on. Weights: all zero, the least and the largest, denormals;
 * so that 0 times infinity, sums of unlike infinities and the largest integer sums come up.
 */
import type { Activation } from '../../../src/kernels/gemm.ts'
import type { KernelCase } from '../kernel.ts'
import type { EpilogueOptions } from './epilogue.ts'
import type { Kind } from './panels.ts'

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

/** Pairs at the edge of what is narrow: of one sign and 128 together, or of two signs and as large as may be. */
const narrowEdges = [
  [64, 64],
  [127, 1],
  [-128, 0],
  [-64, -64],
  [-1, -127],
  [127, -128],
  [-127, 127],
  [0, -128],
] as const

/** Makes most bytes of A 255, and of weights w, [n][k], most pairs of a narrow product as above; `makeNarrow` comes behind. */
export function makeWide(
  kind: Kind,
  random: () => number,
  a: Float32Array | Uint8Array | Int16Array,
  w: Float32Array | Int8Array,
  k: number,
): void {
  for (let i = 0; i < a.length; i++) a[i] = random() < 0.8 ? 255 : Math.floor(random() * 256)
  if (kind !== 's8_narrow') return
  for (let start = 0; start < w.length; start += k) {
    // every fourth column all of one sign, so that sums are as far from 0 as they come
    const pick = (start / k) % 4 === 0 ? () => 3 : () => Math.floor(random() * narrowEdges.length)
    for (let i = start; i < start + k; i += 2) {
      const pair = narrowEdges[pick()]!
      w[i] = pair[0]
      if (i + 1 < start + k) w[i + 1] = pair[1]
    }
  }
}

/** What a case with such bytes asks of the host. */
export function bytesOf(kind: Kind, { wide = false }: EpilogueOptions): Pick<KernelCase, 'bytes'> {
  if (!wide || kind === 's8_pairs' || kind === 'f32') return {}
  return { bytes: kind === 's8_narrow' ? 'pairs' : 'all' }
}

const unfused: readonly (Activation | undefined)[] = [undefined, 'None', 'Relu']

/** Whether what follows the sums rounds alike in all builds: no activation with a fused step. */
export const roundsAlike = ({ activation }: EpilogueOptions): boolean => unfused.includes(activation)
