// SPDX-License-Identifier: Apache-2.0
/**
 * A graph run by the runtime and by the references: where both give outputs, these are the same; where one refuses by a
 * named error, nothing is asked of the other; everything else is a fault. A kernel that reads outside of an operand
 * that inference let through shows here, because the reference reads nothing there.
 */
import { StateError, WhittleError } from '../../src/base/errors.ts'
import { evaluateGraph, type Evaluator } from '../../src/ops/evaluate.ts'
import { SessionCore } from '../../src/runtime/core.ts'
import type { KernelModule } from '../../src/runtime/module.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { tensorFaults } from '../contract/op.ts'
import { isSmall } from './trial.ts'
import type { Variant } from './variants.ts'

/** What is wrong with how the variant ends; empty where nothing is. */
export async function disagreement(
  { title, graph, feeds, isBeyondFloat = false }: Variant,
  evaluator: Evaluator,
  kernels: KernelModule,
): Promise<string[]> {
  const faults: string[] = []
  const named = async (who: string, body: () => Promise<readonly Tensor[]>): Promise<readonly Tensor[] | undefined> => {
    try {
      return await body()
    } catch (error) {
      const isNamed = error instanceof WhittleError && !(error instanceof StateError)
      if (!isNamed) faults.push(`${title}: ${who}: ${error instanceof Error ? (error.stack ?? '') : String(error)}`)
      return undefined
    }
  }
  const got = await named('runtime', async () => {
    // what inference refuses here it refuses in a session, which takes longer to make
    if (!isSmall(graph, evaluator.ops, Object.fromEntries(feeds))) return []
    const options = { graph, ops: evaluator.ops, kernels, threads: 1, profile: false, bytes: () => 0 }
    const session = await SessionCore.create(options)
    try {
      const outputs = await session.run(Object.fromEntries(feeds))
      return graph.outputs.map(({ name }) => outputs[name])
    } finally {
      await session.dispose()
    }
  })
  if (got === undefined || got.length === 0) return faults
  const wanted = await named('reference', async () => evaluateGraph(evaluator, graph, feeds))
  const [{ op, attributes }] = graph.nodes
  // chance, which no seed fixes
  const isChance =
    evaluator.ops.get(op)?.impure === true &&
    /^(Random|Bernoulli|Multinomial)/.test(op) &&
    attributes.seed === undefined
  if (wanted === undefined || isBeyondFloat || isChance) return faults
  const promise = evaluator.ops.get(graph.nodes[0].op)?.numerics ?? 'exact'
  // made-up numbers may be far from those that the promise was made for
  const numerics =
    promise === 'exact'
      ? promise
      : { ...promise, relative: 8 * promise.relative, absolute: Math.max(8 * promise.absolute, 1e-5) }
  return [
    ...faults,
    ...wanted.flatMap((tensor, i) => tensorFaults(got[i], tensor, numerics).map((f) => `${title}: ${f}`)),
  ]
}
