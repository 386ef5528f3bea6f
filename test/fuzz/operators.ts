// SPDX-License-Identifier: Apache-2.0
/**
 * Operators under operands and attributes that make no sense, by a graph that goes straight to inference and lowering:
 * the suite as a function of how many of the variants of an operator it tries.
 */
import { beforeAll, describe, expect, test } from 'vitest'
import { seededRandom } from '../../src/base/rng.ts'
import type { Evaluator } from '../../src/ops/evaluate.ts'
import { type KernelModule, Modules } from '../../src/runtime/module.ts'
import { casesOf, operators, wholeTable } from '../contract/op.ts'
import { disagreement } from './agreement.ts'
import { variantsOf } from './variants.ts'

/** Tests for every operator of the table; `share` of its variants, chosen by a seed: 1 for all. */
export function testOperators(share: number): void {
  describe('operands and attributes that make no sense', () => {
    let evaluator: Evaluator
    let kernels: KernelModule
    beforeAll(async () => {
      evaluator = await wholeTable()
      kernels = await new Modules().choose('auto', false)
    })

    test.each(operators)('%s refuses them by name, or its kernels give what its reference gives', async (op) => {
      const faults: string[] = []
      const random = seededRandom(operators.indexOf(op))
      for (const constants of ['rest', 'none'] as const) {
        const cases = await casesOf(evaluator, op, constants)
        // the sample that uses most of the operator
        const rich = cases.reduce((a, b) => (weightOf(b.graph.nodes[0]) > weightOf(a.graph.nodes[0]) ? b : a))
        for (const variant of variantsOf(rich, evaluator.ops.get(op)!)) {
          if (random() < share) faults.push(...(await disagreement(variant, evaluator, kernels)))
        }
      }
      expect(faults.slice(0, 20).join('\n')).toBe('')
    })
  })
}

function weightOf({ inputs, attributes }: { readonly inputs: readonly string[]; readonly attributes: object }): number {
  return 2 * inputs.filter((name) => name !== '').length + Object.keys(attributes).length
}
