// SPDX-License-Identifier: Apache-2.0
/** Softmax and its logarithm in float64. */
import { type Oracle } from '../kernel.ts'
import { randomFloats } from '../values.ts'
import { hardRows, rowCases, type RowRule, rowShapes } from './rows.ts'
import { EPS, sum } from './sums.ts'

const softmaxRow: RowRule = (row) => {
  const largest = Math.max(...row)
  const terms = row.map((v) => Math.exp(v - largest))
  const total = sum(terms)
  const bound = { abs: 1.2e-38, rel: 4e-7 + row.length * EPS }
  return { want: terms.map((t) => t / total), bounds: row.map(() => bound) }
}

const logSoftmaxRow: RowRule = (row) => {
  const largest = Math.max(...row)
  const logTotal = Math.log(sum(row.map((v) => Math.exp(v - largest))))
  const bound = { abs: 4e-7 + row.length * EPS, rel: 3e-7 }
  return { want: row.map((v) => v - largest - logTotal), bounds: row.map(() => bound) }
}

const softmaxOracle =
  (rule: RowRule): Oracle =>
  (random) => [
    ...rowShapes.flatMap((shape) =>
      rowCases(random, rule, {}, shape, randomFloats(random, shape[0] * shape[1], 4), 'normal'),
    ),
    ...rowCases(random, rule, {}, [hardRows.length, 7], Float32Array.from(hardRows.flat()), 'hard'),
  ]

export const oracles: Readonly<Record<string, Oracle>> = {
  softmax_f32: softmaxOracle(softmaxRow),
  log_softmax_f32: softmaxOracle(logSoftmaxRow),
}
