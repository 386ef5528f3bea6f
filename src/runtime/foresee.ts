// SPDX-License-Identifier: Apache-2.0
/**
 * Which layouts of which weights a model will want, found before any input is there: the graph is compiled for guessed
 * shapes. Layouts do not depend on activation shapes, so any shapes the graph accepts give the right answer; where no
 * guess is accepted, and for what lies behind a shape only data tells, weights are kept as they are.
 */
import { WhittleError } from '../base/errors.ts'
import { type Dim, areKnown, substitute, symbolsOf } from '../ir/dim.ts'
import type { Graph, ValueInfo } from '../ir/graph.ts'
import { inferGraph } from '../ir/infer.ts'
import type { HostTraits } from '../ir/lowering.ts'
import type { OpSet } from '../ir/op-set.ts'
import { type Program, compile } from './compile.ts'
import { type WeightRequest, refIds } from './lowering.ts'

/**
 * Values for symbols, in the order they are tried: the first for symbols of the first axis (batches), the second for
 * all others (extents that strides and kernels of vision models divide; lengths of sequences).
 */
const guesses: readonly (readonly [number, number])[] = [
  [1, 64],
  [1, 224],
  [1, 16],
  [1, 1],
  [64, 64],
]

/** Requests for every constant without a tensor that the model uses. @param program of `compileGuess` */
export function foreseenWeights(graph: Graph, program: Program | undefined): WeightRequest[] {
  const streamed = [...graph.constants].filter(([, constant]) => !constant.tensor).map(([name]) => name)
  if (!program) return streamed.map(asItIs)
  const onHost = new Set(program.segments.flatMap((segment) => (segment.kind === 'host' ? segment.call.reads : [])))
  const later = new Set(program.rest ? streamed : program.results)
  const requests = [...program.weights.values()].filter(({ constant, beside = [] }) =>
    [constant, ...beside].some((name) => streamed.includes(name)),
  )
  const asked = new Set(requests.map(({ id }) => id))
  for (const name of streamed) {
    if ((onHost.has(name) || later.has(name)) && !asked.has(refIds.raw(name))) requests.push(asItIs(name))
  }
  return requests
}

function asItIs(constant: string): WeightRequest {
  return { id: refIds.raw(constant), constant }
}

/** The graph compiled for the first guess it accepts. */
export function compileGuess(
  graph: Graph,
  ops: OpSet,
  host: HostTraits,
  intern: (bytes: Uint8Array) => string,
): Program | undefined {
  for (const guess of guesses) {
    try {
      const infos = inferGraph(graph, ops, { inputs: guessedInputs(graph, guess) })
      return compile({ graph, infos, ops, host, intern })
    } catch (error) {
      // a guess the graph does not accept
      if (!(error instanceof WhittleError)) throw error
    }
  }
  return undefined
}

function guessedInputs({ inputs }: Graph, [batch, extent]: readonly [number, number]): Map<string, ValueInfo> {
  const values = new Map<string, Dim>()
  for (const { dims } of inputs) {
    for (const [axis, dim] of (dims ?? []).entries()) {
      for (const name of symbolsOf(dim)) if (!values.has(name)) values.set(name, axis === 0 ? batch : extent)
    }
  }
  return new Map(
    inputs.map(({ name, dtype, dims }) => {
      const known = dims?.map((dim) => substitute(dim, values)) ?? null
      return [name, { dtype, dims: known && areKnown(known) ? known : dims }]
    }),
  )
}
