// SPDX-License-Identifier: Apache-2.0
/**
 * Which weights make up for the rounding of one: those whose inputs go together with its input. For weights w of an output,
 * rounded to w + e, the output is off by e^T x, in the mean square by e^T H e with H = E[x x^T]. As in GPTQ (Frantar et al.
 * 2022, arXiv:2210.17323, section 3) weights are rounded one after the other, and what one is off by is made up for by
 * those that are not rounded yet, the best way for H: with H^-1 = U^T U, U upper triangular, w_j -= e_i U_ij / U_ii. Only
 * inputs of one block of H count (calibrate.ts), which keeps the work linear in K.
 */
import { CholeskyDecomposition, Matrix } from 'ml-matrix'

/**
 * Share of the mean of H's diagonal that is added to it: inputs that hardly occurred are not relied on. GPTQ has 0.01; the
 * data here may be few, or made up (synthetic-inputs.ts). Found on the text recogniser: from 0.1 to 0.5 it hardly matters.
 */
const damping = 0.1

/** Of each block of inputs, row-major: rows i of U_ij / U_ii, of which j > i is read. */
export type Compensation = readonly Float64Array[]

/** What is made up for how, by E[x x^T] of the blocks; undefined where those say nothing: none are there, or all are 0. */
export function compensationOf(moments: readonly Float64Array[]): Compensation | undefined {
  const diagonals = moments.map((matrix) => diagonalMean(matrix))
  if (diagonals.length === 0 || !diagonals.every(Number.isFinite) || diagonals.every((mean) => mean === 0)) return
  const factors: Float64Array[] = []
  for (const [i, matrix] of moments.entries()) {
    const factor = factorOf(matrix, diagonals[i])
    if (factor === undefined) return
    factors.push(factor)
  }
  return factors
}

function diagonalMean(matrix: Float64Array): number {
  const width = Math.sqrt(matrix.length)
  let sum = 0
  for (let i = 0; i < width; i++) sum += matrix[i * width + i]
  return sum / width
}

/**
 * The factors of one block. With H = R R^T, R upper triangular, U is the inverse of R; R is the Cholesky factor of H from the
 * last input to the first.
 */
function factorOf(moments: Float64Array, mean: number): Float64Array | undefined {
  const width = Math.sqrt(moments.length)
  const last = width - 1
  const h = Matrix.from1DArray(width, width, Float64Array.from(moments).reverse())
  const added = damping * mean || 1
  for (let i = 0; i < width; i++) h.set(i, i, h.get(i, i) + added)
  const decomposition = new CholeskyDecomposition(h)
  if (!decomposition.isPositiveDefinite()) return
  const lower = decomposition.lowerTriangularMatrix
  const r = Float64Array.from({ length: width * width }, (_, at) => {
    const [i, j] = [Math.floor(at / width), at % width]
    return j < i ? 0 : lower.get(last - i, last - j)
  })
  const factor = new Float64Array(width * width)
  for (let i = last; i >= 0; i--) {
    const row = i * width
    factor[row + i] = 1
    // a row of R U = I, from what is known of the rows below, each of which is U_jk / U_jj, with U_jj = 1 / R_jj
    for (let j = i + 1; j < width; j++) {
      const share = -r[row + j] / r[j * width + j]
      for (let k = j; k < width; k++) factor[row + k] += share * factor[j * width + k]
    }
  }
  return factor
}
