// SPDX-License-Identifier: Apache-2.0
/**
 * The share of zeros from which on multiplying by the weights that are there is faster than by all of them: both forms of
 * a sparse layer, made of the same weights, are held against each other, whichever the library would choose. What a
 * session copies in and out is the same for both and not part of it.
 */
import type { OpSet } from '../../src/ir/op-set.ts'
import type { KernelModule } from '../../src/runtime/module.ts'
import type { Crossover, CrossoverPoint } from '../harness/results.ts'
import { quantile } from '../harness/statistics.ts'
import { sessionTraits } from './hosts.ts'
import { type Duel, type Heat, type Runner, contest, processorTime } from './race.ts'
import { type SparseKind, sparseNode } from './sparse-nodes.ts'
import { type NodeSpec, stageOf } from './stage.ts'

/**
 * By the name of the effort: how often both forms are laid out anew at each share, since where in memory they lie counts, how
 * long each time, and how often the range of shares is halved.
 */
const efforts: Readonly<Record<string, { readonly layouts: number; readonly heat: Heat; readonly steps: number }>> = {
  full: { layouts: 3, heat: { rounds: 11, sample: 3 }, steps: 7 },
  quick: { layouts: 1, heat: { rounds: 7, sample: 1 }, steps: 5 },
}
/** Shares of zeros between which it is looked for. */
const ends = [0.02, 0.98] as const
/** Milliseconds that both forms run first. */
const warmUp = 150

/** The crossover of one kind of weights; the operators' modules are loaded by the caller. */
export function crossoverOf(
  kind: SparseKind,
  shape: { readonly m: number; readonly k: number; readonly n: number },
  effort: string,
  kernels: KernelModule,
  ops: OpSet,
): Crossover {
  const { layouts, heat, steps } = efforts[effort]
  const host = { ...sessionTraits(kernels, ['int8']), forms: undefined }
  const runner = (node: NodeSpec, form: string): Runner => {
    const stage = stageOf(kernels, ops, { ...node, attributes: { ...node.attributes, form } }, host)
    const calls = stage.calls()
    return { name: form, run: () => stage.run(calls) }
  }
  let isWarm = false
  const compare = (share: number): CrossoverPoint => {
    const node = sparseNode(shape, { kind, share })
    const duels = Array.from({ length: layouts }, () => {
      const [sparse, dense] = [runner(node, 'sparse'), runner(node, 'dense')]
      for (const end = processorTime() + warmUp; !isWarm && processorTime() < end;) {
        sparse.run()
        dense.run()
      }
      isWarm = true
      return contest(sparse, dense, heat)
    })
    const median = (of: (one: Duel) => number): number => quantile(duels.map(of), 0.5)
    return {
      zeros: share,
      sparse: median(({ times }) => times[0]),
      dense: median(({ times }) => times[1]),
      ratio: median(({ lag }) => lag),
    }
  }
  return { kind, ...shape, ...crossing(compare, ends, steps) }
}

/**
 * Where the ratio of sparse to dense, which falls with the share of zeros, passes 1: halves the range `steps` times and
 * draws a line between what is left. Zeros are null where even the last end is behind, the first end where that is ahead.
 */
export function crossing(
  compare: (share: number) => CrossoverPoint,
  [least, most]: readonly [number, number],
  steps: number,
): Pick<Crossover, 'zeros' | 'points'> {
  const points: CrossoverPoint[] = []
  const at = (share: number): CrossoverPoint => {
    const point = compare(share)
    points.push(point)
    return point
  }
  let [behind, ahead] = [at(least), at(most)]
  if (ahead.ratio >= 1) return { zeros: null, points }
  if (behind.ratio <= 1) return { zeros: least, points }
  for (let step = 0; step < steps; step++) {
    const middle = at((behind.zeros + ahead.zeros) / 2)
    if (middle.ratio > 1) behind = middle
    else ahead = middle
  }
  const part = (behind.ratio - 1) / (behind.ratio - ahead.ratio)
  points.sort((a, b) => a.zeros - b.zeros)
  return { zeros: behind.zeros + part * (ahead.zeros - behind.zeros), points }
}
