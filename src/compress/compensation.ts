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

function factorOf(moments: Float64Array, mean: number): Float64Array | undefined {
  const width = Math.sqrt(moments.length)
  const added = damping * mean || 1
  const h = Matrix.from1DArray(width, width, moments).add(Matrix.eye(width).mul(added))
  const whole = new CholeskyDecomposition(h)
  if (!whole.isPositiveDefinite()) return
  const inverse = whole.solve(Matrix.eye(width))
  const lower = new CholeskyDecomposition(Matrix.add(inverse, inverse.transpose()).mul(0.5))
  if (!lower.isPositiveDefinite()) return
  const l = lower.lowerTriangularMatrix
  return Float64Array.from({ length: width * width }, (_, at) => {
    const [i, j] = [Math.floor(at / width), at % width]
    return j < i ? 0 : l.get(j, i) / l.get(i, i)
  })
}
