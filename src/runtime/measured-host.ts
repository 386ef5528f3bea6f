// SPDX-License-Identifier: Apache-2.0
/**
 * What a session finds out about its host, each once per host (measurements.ts): how byte products are done where there is
 * a choice, in which form sparse layers run, how many threads programs run best with. Imported only by sessions that may
 * have to.
 */
import { crc32 } from '../base/crc.ts'
import type { HostTraits } from '../ir/lowering.ts'
import type { Program } from './compile.ts'
import type { CoreOptions } from './core.ts'
import { type MeasurementPlace, Measurements } from './measurements.ts'
import { openRows } from './open-rows.ts'
import { ThreadSearch, candidatesFor } from './thread-search.ts'
import { hostTraits, openForms } from './traits.ts'
import { FormTrials } from './trials.ts'

/** What is to be found out, and what of a session it depends on. */
interface Questions extends Pick<
  CoreOptions,
  'graph' | 'ops' | 'kernels' | 'threads' | 'searchThreads' | 'measure' | 'profile'
> {
  /** Whether there are layers that have several forms. */
  readonly hasForms: boolean
}

export interface MeasuredHost {
  readonly host: HostTraits
  /** How many threads a program is to run with, where that is searched for. */
  readonly search?: (program: Program) => ThreadSearch
  /** Done when all that was measured so far is kept, or cannot be. */
  settled?(): Promise<void>
}

/** @param place where measurements are kept; it is not touched where there is nothing to find out */
export async function measuredHost(
  questions: Questions,
  place: MeasurementPlace,
  usual: HostTraits,
): Promise<MeasuredHost> {
  const { graph, ops, kernels, threads, searchThreads, measure, profile, hasForms } = questions
  const isOpen = hasForms || searchThreads || (measure && openForms(graph, kernels).length > 0)
  const measurements = await Measurements.open(isOpen ? place : false, kernels, threads)
  const forms = hasForms ? { forms: new FormTrials(kernels, measurements), openRows: openRows(graph, ops) } : {}
  const traits = measure ? hostTraits(kernels, graph, usual, measurements) : usual
  return {
    host: { ...traits, ...forms },
    settled: () => measurements.settled(),
    ...(searchThreads ? { search: (program) => searchOf(program, threads, measurements, !profile) } : {}),
  }
}

/**
 * The search of a program, which is over where one that does the same was searched for before.
 * @param keep false where runs are not what they are elsewhere, since every step is timed
 */
function searchOf(program: Program, most: number, measurements: Measurements, keep: boolean): ThreadSearch {
  const what = `threads of ${most}, ${nameOf(program)}`
  const known = measurements.find(what, candidatesFor(most).map(String))
  return new ThreadSearch(most, known?.figures, (times) => keep && measurements.note(what, times))
}

/** Checksum of what a program does, wherever its operands lie. */
function nameOf({ steps, segments }: Program): string {
  const work = steps.map(({ kernel, units, grain, args }) => [
    kernel,
    units,
    grain,
    Object.values(args).filter((arg) => typeof arg === 'number'),
  ])
  const others = segments.map((segment) => (segment.kind === 'host' ? segment.call.node.op : ''))
  return crc32(new TextEncoder().encode(JSON.stringify([work, others]))).toString(16)
}
