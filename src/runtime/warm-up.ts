// SPDX-License-Identifier: Apache-2.0
/**
 * Warms the kernels of a session with helpers up: engines compile Wasm well only while it runs, and what the first run
 * waited for is done here by all threads, each of which takes its units. The model's first steps, up to where the host is
 * needed, are run on zeros of guessed shapes: of models whose weights stream in, since for those a guess was compiled
 * (foresee.ts).
 */
import { StateError, WhittleError } from '../base/errors.ts'
import type { Graph } from '../ir/graph.ts'
import { now } from '../platform/clock.ts'
import { byteLengthOf } from '../tensor/dtype.ts'
import { sizeOf } from '../tensor/shape.ts'
import { type Tensor, tensorFromBytes } from '../tensor/tensor.ts'
import type { Program } from './compile.ts'
import type { BoundProgram, Executor } from './execute.ts'

/** What binds programs and runs them. */
type Runner = Pick<Executor, 'bind' | 'run' | 'unbind'>

/** Milliseconds, looked at between steps, and passes over the steps: a load is not to get much longer. */
const limits = { time: 30, passes: 3 }

/** Bytes of arena. Where shapes are guessed, what a run of others does not need is left unused beside what it does. */
const mostArena = { guessed: 2 ** 19, known: 2 ** 26 }

/**
 * @param program of `compileGuess`
 * @throws StateError when a helper dies meanwhile
 */
export async function warmUp({ inputs }: Graph, program: Program, executor: Runner): Promise<void> {
  const isGuessed = inputs.some(({ dims }) => !dims?.every((dim) => typeof dim === 'number'))
  const [first] = program.segments
  if (first?.kind !== 'stretch' || program.arena.bytes > mostArena[isGuessed ? 'guessed' : 'known']) return
  try {
    const bound = await executor.bind(program)
    try {
      await runFor(limits.time, executor, bound, first.to)
    } finally {
      executor.unbind(bound)
    }
  } catch (error) {
    // the model may not like the shapes, or zeros
    if (!(error instanceof WhittleError) || error instanceof StateError) throw error
  }
}

/** Runs the first steps one by one, and again. */
async function runFor(time: number, executor: Runner, bound: BoundProgram, steps: number): Promise<void> {
  const { search: _search, program, ...rest } = bound
  const inputs = new Map(program.arenaInputs.map((name) => [name, zeros(program, name)]))
  const start = now()
  for (let pass = 0; pass < limits.passes; pass++) {
    for (let step = 0; step < steps; step++) {
      const segments = [{ kind: 'stretch', from: step, to: step + 1 } as const]
      const arenaInputs = step === 0 ? program.arenaInputs : []
      await executor.run({ ...rest, program: { ...program, segments, arenaInputs, results: [] } }, inputs, () => [])
      if (now() - start > time) return
    }
  }
}

function zeros({ types }: Program, name: string): Tensor {
  const { dtype, dims } = types.get(name)!
  return tensorFromBytes(dtype, new Uint8Array(byteLengthOf(dtype, sizeOf(dims))), dims)
}
