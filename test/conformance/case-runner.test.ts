// SPDX-License-Identifier: Apache-2.0
/** A crash or a hang ends its case only. */
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'

interface Runner {
  run(request: unknown): Promise<unknown>
  stop(): void
}
const { CaseRunner } = (await import(new URL('../../scripts/case-runner.mjs', import.meta.url).href)) as {
  readonly CaseRunner: new (script: string, args: readonly string[], patience: number) => Runner
}

const child = fileURLToPath(new URL('./faulty-child.mjs', import.meta.url))

describe('CaseRunner', () => {
  const runner = new CaseRunner(child, [], 5000)
  afterAll(() => runner.stop())

  it('goes on behind a case that crashes, and one that never ends', async () => {
    const results = []
    for (const request of ['one', 'crash', 'two', 'hang', 'three']) results.push(await runner.run(request))
    expect(results).toEqual([
      { result: 'passed', request: 'one' },
      { result: 'failed', reason: 'the process ended (3)' },
      { result: 'passed', request: 'two' },
      { result: 'failed', reason: 'took longer than 5 s' },
      { result: 'passed', request: 'three' },
    ])
  })
})
