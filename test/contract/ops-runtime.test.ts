// SPDX-License-Identifier: Apache-2.0
/**
 * The runtime under the contract of operators: for every sample it gives what the reference gives, within what the
 * operator promises, on the build of each kind this host accepts; with inputs as constants and as feeds, which are left
 * as they were.
 */
import { beforeAll, describe, expect, test } from 'vitest'
import { UnsupportedError } from '../../src/base/errors.ts'
import type { Evaluator } from '../../src/ops/evaluate.ts'
import { SessionCore } from '../../src/runtime/core.ts'
import { type KernelChoice, type KernelModule, Modules } from '../../src/runtime/module.ts'
import { type Implementation, casesOf, implementationFaults, keepingInputs, operators, wholeTable } from './op.ts'

async function buildFor(choice: KernelChoice): Promise<KernelModule | undefined> {
  try {
    return await new Modules().choose(choice, false)
  } catch (error) {
    if (!(error instanceof UnsupportedError)) throw error
    console.warn(`skipped: ${error.message}`)
    return undefined
  }
}

const builds = await Promise.all(
  (['simd', 'relaxed'] as const).map(async (name) => ({ name, kernels: await buildFor(name) })),
)

describe.each(builds)('on the $name build', ({ kernels }) => {
  let evaluator: Evaluator
  beforeAll(async () => {
    evaluator = await wholeTable()
  })

  test.skipIf(kernels === undefined).each(operators)('%s gives what its reference gives', async (op) => {
    const run: Implementation = async (graph, feeds) => {
      const options = { graph, ops: evaluator.ops, kernels: kernels!, threads: 1, profile: false, bytes: () => 0 }
      const session = await SessionCore.create(options)
      try {
        const outputs = await session.run(Object.fromEntries(feeds))
        return graph.outputs.map(({ name }) => outputs[name])
      } finally {
        await session.dispose()
      }
    }
    const fed = await casesOf(evaluator, op, 'none')
    const cases = [...(await casesOf(evaluator, op)), ...fed, ...fed.map(keepingInputs)]
    expect((await implementationFaults(run, cases)).join('\n')).toBe('')
  })
})
