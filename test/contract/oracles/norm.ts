// SPDX-License-Identifier: Apache-2.0
/**
 * Normalisation of rows in float64. A mean that is off moves all of a row by as much, in units of its deviation, so that
 * bounds are shares of the magnitudes that the mean is of; and it adds its square to the variance.
 */
import { input, type Bound, type Oracle } from '../kernel.ts'
import { randomFloats } from '../values.ts'
import { hardRows, rowCases, type RowRule, rowShapes } from './rows.ts'
import { EPS, f32, LEAST, LEAST_NORMAL, magnitude, rowChain, squares, sum } from './sums.ts'

/** Element i of the row's scale or bias. */
type Affine = (i: number) => number

/** (x - mean) / sqrt(variance + epsilon) * scale + bias; `centred` false: the mean is 0. */
function normalised(row: readonly number[], epsilon: number, scale: Affine, bias: Affine, centred = true) {
  const count = row.length
  const mean = centred ? sum(row) / count : 0
  const parts = row.map((v) => v - mean)
  const variance = squares(parts) / count + epsilon
  const inverse = 1 / Math.sqrt(variance)
  const size = centred ? magnitude(row) / count : 0
  const meanOff = centred && count > 1 ? (rowChain(count) * size + Math.abs(mean)) * EPS + LEAST : 0
  // half of what the sum of squares, its division and epsilon are off, and the root and its inverse
  const inverseOff = (rowChain(count) + 4) * (EPS / 2) + 2 * EPS + 0.5 * (meanOff * inverse) ** 2
  const want = parts.map((v, i) => v * inverse * scale(i) + bias(i))
  const bounds = parts.map((v, i): Bound => {
    const gain = Math.abs(inverse * scale(i))
    const abs = gain * (meanOff + Math.abs(v) * (inverseOff + 4 * EPS)) + Math.abs(bias(i)) * EPS + LEAST
    return {
      abs: Number.isFinite(abs) ? abs : 0,
      rel: 2 * EPS,
      of: gain * (Math.max(size, LEAST_NORMAL) + Math.abs(v)) + Math.abs(bias(i)),
    }
  })
  return { want, bounds }
}

const of = (values: Float32Array | null, otherwise: number): Affine => (values ? (i) => values[i]! : () => otherwise)

/** Values with a mean far from 0: variance by E[x^2] - mean^2 would lose them. */
const shifted = (random: () => number, size: number): Float32Array => randomFloats(random, size).map((v) => v + 30)
const hard = Float32Array.from(hardRows.flat())

/** Shapes with values of their own, then the hard rows with an epsilon and without. */
function normOracle(
  draw: (random: () => number, size: number) => Float32Array,
  usual: number,
  ruleOf: (
    random: () => number,
    shape: readonly [number, number],
    which: number,
    epsilon: number,
  ) => { rule: RowRule; numbers: Parameters<typeof rowCases>[2]; kind: string },
): Oracle {
  return (random) => {
    const one = (shape: readonly [number, number], which: number, epsilon: number, x: Float32Array, more = '') => {
      const { rule, numbers, kind } = ruleOf(random, shape, which, epsilon)
      return rowCases(random, rule, { ...numbers, epsilon }, shape, x, kind + more)
    }
    return [
      ...rowShapes.flatMap((shape, which) => one(shape, which, f32(usual), draw(random, shape[0] * shape[1]))),
      ...[0, usual].flatMap((epsilon, which) =>
        one([hardRows.length, 7], which, f32(epsilon), hard, `, hard, epsilon ${epsilon}`),
      ),
      ...one([1, 8], 1, 2 ** -110, new Float32Array(8).fill(2 ** 32), ', large and alike'),
    ]
  }
}

const layerNorm = normOracle(shifted, 1e-5, (random, [, cols], which, epsilon) => {
  const scale = which % 2 === 0 ? randomFloats(random, cols) : null
  const bias = which % 3 === 0 ? randomFloats(random, cols) : null
  return {
    rule: (row) => normalised(row, epsilon, of(scale, 1), of(bias, 0)),
    numbers: { scale: scale && input(scale, 4), bias: bias && input(bias, 8) },
    kind: `scale ${!!scale}, bias ${!!bias}`,
  }
})

const scaled = (random: () => number, size: number): Float32Array => randomFloats(random, size, 3)

const rmsNorm = normOracle(scaled, 1e-6, (random, [, cols], which, epsilon) => {
  const scale = which % 2 === 0 ? randomFloats(random, cols) : null
  return {
    rule: (row) => normalised(row, epsilon, of(scale, 1), () => 0, false),
    numbers: { scale: scale && input(scale, 12) },
    kind: `scale ${!!scale}`,
  }
})

const instanceNorm = normOracle(shifted, 1e-3, (random, [rows], which, epsilon) => {
  const channels = which % 2 === 0 ? rows : 1
  const scale = which % 3 === 0 ? null : randomFloats(random, channels)
  const bias = which % 3 === 1 ? null : randomFloats(random, channels)
  return {
    rule(row, index) {
      const channel = index % channels
      return normalised(
        row,
        epsilon,
        () => of(scale, 1)(channel),
        () => of(bias, 0)(channel),
      )
    },
    numbers: { scale: scale && input(scale), bias: bias && input(bias), channels },
    kind: `${channels} channels`,
  }
})

export const oracles: Readonly<Record<string, Oracle>> = {
  layer_norm_f32: layerNorm,
  rms_norm_f32: rmsNorm,
  instance_norm_f32: instanceNorm,
}
