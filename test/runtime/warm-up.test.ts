// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import { GraphError, StateError } from '../../src/base/errors.ts'
import { parseGraph } from '../../src/ir/text-parse.ts'
import { operatorsOf } from '../../src/ops/evaluate.ts'
import { loadOps } from '../../src/ops/table.ts'
import type { Program } from '../../src/runtime/compile.ts'
import type { BoundProgram, Executor } from '../../src/runtime/execute.ts'
import { compileGuess } from '../../src/runtime/foresee.ts'
import { warmUp } from '../../src/runtime/warm-up.ts'

type Run = Executor['run']

/** Warms a model up on an executor that writes down what it is asked to do. */
async function warmed(body: string, run: (...args: Parameters<Run>) => void = () => undefined): Promise<string[]> {
  const graph = parseGraph(`graph main opset 17 { ${body} }`)
  const program = compileGuess(graph, await loadOps(operatorsOf(graph)), { int8: 'pairs', threads: 2 }, () => 'table')!
  const log: string[] = []
  await warmUp(graph, program, {
    bind: (bound: Program) => Promise.resolve({ program: bound } as BoundProgram),
    unbind: () => void log.push('unbind'),
    run: (...args) => {
      const [{ program: part }, inputs] = args
      const given = part.arenaInputs.map((name) => `${name}[${inputs.get(name)!.dims.join(', ')}] `)
      log.push(given.join('') + part.segments.map((s) => (s.kind === 'host' ? 'host' : `${s.from}-${s.to}`)).join(' '))
      run(...args)
      return Promise.resolve(new Map())
    },
  })
  return log
}

const chain = `
  input x: float32[n, 3]
  h = Exp(x)
  y = Sqrt(h)
  output y: float32[n, 3]`

describe('warmUp', () => {
  it('runs the steps in order on zeros of a guess, some times, and gives the memory back', async () => {
    const pass = ['x[1, 3] 0-1', '1-2']
    expect(await warmed(chain)).toEqual([...pass, ...pass, ...pass, 'unbind'])
  })

  it('does nothing where the first node runs on the host', async () => {
    expect(await warmed('input x: float32[4] y = Sinh(x) output y: float32[4]')).toEqual([])
  })

  it('does nothing where a guess takes more memory than runs may want', async () => {
    expect(await warmed('input x: float32[n, 700000] y = Exp(x) output y: float32[n, 700000]')).toEqual([])
    expect(await warmed('input x: float32[1, 700000] y = Exp(x) output y: float32[1, 700000]')).toHaveLength(4)
    expect(await warmed('input x: float32[20000000] y = Exp(x) output y: float32[20000000]')).toEqual([])
  })

  it('leaves a model that does not like zeros for its runs to say so', async () => {
    const fail = (error: Error) => (): void => {
      throw error
    }
    const notes = { where: 'a node', expected: 'one', got: 'zero' }
    expect((await warmed(chain, fail(new GraphError(notes)))).at(-1)).toBe('unbind')
    await expect(warmed(chain, fail(new StateError(notes)))).rejects.toThrow(StateError)
    await expect(warmed(chain, fail(new TypeError('a bug')))).rejects.toThrow(TypeError)
  })
})
