// SPDX-License-Identifier: Apache-2.0
/**
 * What there is to choose for a node, as races: the blocks of its product against others, and the whole node against
 * itself in another form (other panels and rows, weights that are zero multiplied or not) or another way (convolutions).
 */
import type { HostTraits } from '../../src/ir/lowering.ts'
import type { OpSet } from '../../src/ir/op-set.ts'
import type { KernelModule } from '../../src/runtime/module.ts'
import { otherWayOps } from './conv-ways.ts'
import { otherTraits, sessionTraits } from './hosts.ts'
import { type Precision, nodeOf, weightsOf } from './nodes.ts'
import type { Runner } from './race.ts'
import type { Shape } from './shapes.ts'
import { type Cut, type NodeSpec, type Stage, stageOf } from './stage.ts'

/** The library's pick and all else that does the same. */
export interface Question {
  /** What is to be chosen. */
  readonly of: 'blocks' | 'form' | 'way'
  /** The kernels that run. */
  readonly kernels: readonly string[]
  readonly pick: Runner
  readonly others: readonly Runner[]
}

const heights = [1, 2, 4, 6, 8, 12, 24, 48, 96, 192]
const widths = [8, 16, 32, 64, 128, 256, 512]
/** Multiply-adds beyond which the blocks tried are fewer: the small ones and those between are not it. */
const largeProduct = 8e6
const largeHeights = [6, 12, 48, 192]
const largeWidths = [32, 128, 512]
/** A unit that gathers holds at most this many bytes of rows. */
const mostGathered = 1024 * 1024

/** All questions of a shape, each in memory of its own. Without those of which all answers are the same. */
export function questionsOf(shape: Shape, precision: Precision, kernels: KernelModule, ops: OpSet): Question[] {
  const node = nodeOf(shape, precision)
  if (!node) return []
  const constants = node.inputs.filter(({ constant }) => constant).map(({ dtype }) => dtype)
  const host = sessionTraits(kernels, constants)
  const stageWith = (traits: HostTraits, set = ops, spec = node): Stage => stageOf(kernels, set, spec, traits)
  const stage = stageWith(host)
  const whole = (name: string, of: Stage): Runner => {
    const calls = of.calls()
    return { name, run: () => of.run(calls) }
  }
  const kernelNames = stage.steps.map(({ kernel }) => kernel)
  const pick = whole(nameOf(stage), stage)
  pick.run()
  const questions: Question[] = []
  const ask = (of: Question['of'], own: Runner, others: readonly Runner[]): void => {
    if (others.length > 0) questions.push({ of, kernels: kernelNames, pick: own, others })
  }
  // a sparse layer in its dense form is asked about where dense ones are
  const asked = node.op.includes('Sparse') && !nameOf(stage).includes('spmm')
  if (stage.product && !asked) ask('blocks', ...blocksOf(stage, stage.product))
  const weights = weightsOf[precision]
  const forms = weights && shape.kind === 'gemm' ? otherTraits(kernels, weights, host).map((one) => stageWith(one)) : []
  const unmeasured = { ...host, forms: undefined }
  if (node.op.includes('Sparse')) {
    const sets = ['sparse', 'dense'].map((form): NodeSpec => ({ ...node, attributes: { ...node.attributes, form } }))
    forms.push(
      ...sets.map((spec) => stageWith(unmeasured, ops, spec)).filter((other) => nameOf(other) !== nameOf(stage)),
    )
  }
  ask(
    'form',
    pick,
    forms.map((other) => whole(nameOf(other), other)),
  )
  if (node.op === 'whittle.Conv') {
    const by = otherWayOps(ops)
    const other = stageWith(host, by.ops)
    ask('way', pick, by.differs ? [whole(nameOf(other), other)] : [])
  }
  return questions
}

function nameOf({ steps }: Stage): string {
  return steps.map(({ kernel }) => kernel).join('+')
}

/** The product as it was lowered, and in other blocks. */
function blocksOf(stage: Stage, { args }: NonNullable<Stage['product']>): [Runner, Runner[]] {
  const words = args as unknown as Readonly<Record<string, number>>
  const columns = Math.ceil(words.n / 8) * 8
  const rows = 'mb' in words ? words.m : 1
  /** Blocks that end at the product's end are the same. */
  const whole = ({ mb, nb }: Cut): Cut => ({ mb: Math.min(mb, rows), nb: Math.min(nb, columns) })
  const nameOfCut = ({ mb, nb }: Cut): string => ('mb' in words ? `${mb}x${nb}` : `x${nb}`)
  const runner = (cut: Cut): Runner => {
    const calls = [stage.cut(cut)]
    return { name: nameOfCut(cut), run: () => stage.run(calls) }
  }
  const own = whole({ mb: words.mb ?? 1, nb: words.nb })
  const cuts = new Map(cutsOf(words, rows, columns, own).map((cut) => [nameOfCut(whole(cut)), whole(cut)]))
  cuts.delete(nameOfCut(own))
  return [runner(own), [...cuts.values()].map(runner)]
}

function cutsOf(words: Readonly<Record<string, number>>, rows: number, columns: number, own: Cut): Cut[] {
  const { m, n, k = 0, ldp } = words
  const isLarge = m * n * k > largeProduct
  const downs = [...new Set([own.mb, rows, ...(isLarge ? largeHeights : heights)])]
  const acrosses = [...new Set([own.nb, columns, ...(isLarge ? largeWidths : widths)])]
  const all = downs.flatMap((mb) => acrosses.map((nb) => ({ mb, nb })))
  return all.filter(({ mb, nb }) => {
    const units = Math.ceil(rows / mb) * Math.ceil(n / nb)
    if (ldp !== undefined && mb > 6 && mb * ldp * 4 > mostGathered) return false
    // blocks of a few rows of a tall product are never the fastest, and there would be thousands
    return units === 1 || (m * n * k) / units >= 4096 || mb >= own.mb
  })
}
