// SPDX-License-Identifier: Apache-2.0
import { beforeAll, describe, expect, test } from 'vitest'
import { type Evaluator, evaluateGraph } from '../../src/ops/evaluate.ts'
import { wholeTable } from '../contract/op.ts'
import { missingData } from '../models/data.ts'
import { type ConformanceCase, type Half, type Outcome, conformanceCases, replay } from './replay.ts'

const missing = missingData('conformance')

/** Whole networks take the references minutes: those are the runtime's to run. */
function isSmall({ folder, size }: ConformanceCase): boolean {
  return folder !== 'light' && size < 3_000_000
}

/** Cases whose expected outputs are not what ONNX says, with what they are instead. */
const mistaken: Readonly<Record<string, string>> = Object.fromEntries([
  ...['cast_FLOAT_to_BFLOAT16', 'castlike_FLOAT_to_BFLOAT16', 'castlike_FLOAT_to_BFLOAT16_expanded'].map((name) => [
    `legacy test_${name}`,
    'cut off instead of rounded to nearest',
  ]),
  ...['dft_inverse', 'dft_inverse_opset19'].map((name) => [
    `current test_${name}`,
    'the rounding of float32 sums, where the sums are zero',
  ]),
])

/** One line: how many passed, and per operator under test 'passed/all' where not all did. */
function summary(half: Half, outcomes: readonly (readonly [ConformanceCase, Outcome])[]): string {
  const byOperator = new Map<string, { passed: number; all: number }>()
  for (const [one, { result }] of outcomes) {
    const key = one.primary ?? one.ops.join('+')
    const count = byOperator.get(key) ?? { passed: 0, all: 0 }
    byOperator.set(key, { passed: count.passed + Number(result === 'passed'), all: count.all + 1 })
  }
  const whole = [...byOperator].filter(([, { passed, all }]) => passed === all).length
  const partly = [...byOperator].filter(([, { passed, all }]) => passed < all)
  const passed = outcomes.filter(([, { result }]) => result === 'passed').length
  const rest = partly.map(([op, count]) => `${op} ${count.passed}/${count.all}`).join(', ')
  return `conformance ${half}: ${passed} of ${outcomes.length} cases pass; all cases of ${whole} operators or models; ${rest}`
}

describe.skipIf(missing !== undefined)('the operator tests of the ONNX project', () => {
  let evaluator: Evaluator
  beforeAll(async () => {
    evaluator = await wholeTable()
  })

  test.each([
    ['current', 1046],
    ['legacy', 645],
  ] as const)(
    '%s: every case whose operators are in the table passes by the references, %i at least',
    async (half, least) => {
      const outcomes: (readonly [ConformanceCase, Outcome])[] = []
      for (const one of conformanceCases(half).filter(isSmall)) {
        outcomes.push([one, await replay(half, one, async (graph, feeds) => evaluateGraph(evaluator, graph, feeds))])
      }
      console.info(summary(half, outcomes))
      const failed = outcomes.filter(([one, { result }]) => result === 'failed' && !(`${half} ${one.case}` in mistaken))
      expect(failed.map(([one, { reason }]) => `${one.case}: ${reason}`).join('\n')).toBe('')
      expect(outcomes.filter(([, { result }]) => result === 'passed').length).toBeGreaterThanOrEqual(least)
    },
  )
})
