// SPDX-License-Identifier: Apache-2.0
/**
 * From steps to the planner's question: which buffers are alive when, and which steps may work in place.
 *
 * Time is counted in steps: 0 is the copying-in of inputs, each Wasm or host step takes one tick, the last tick is the
 * copying-out. A buffer lives from the first to the last tick that touches it. Aliases are followed to the buffer they
 * lie in, so a view keeps what it views alive.
 */
import type { Ref, StepSpec } from '../ir/lowering.ts'
import { refsOf } from './encode.ts'
import { type MemoryPlan, type Sharing, planMemory } from './memory.ts'

/** One tick: a Wasm step, or the ids that a host step reads and writes in the arena. */
export type Tick = { readonly step: StepSpec } | { readonly touches: readonly string[] }

export interface ArenaQuestion {
  readonly ticks: readonly Tick[]
  /** Ids copied in before and out after the run. */
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly aliases: ReadonlyMap<string, Ref>
  /** Size of a buffer; undefined for what does not lie in the arena (weights, tables). */
  bytesOf(id: string): number | undefined
}

/** Where a Ref lies, aliases followed. */
export function rootOf(ref: Ref, aliases: ReadonlyMap<string, Ref>): Ref {
  let { id, offset } = ref
  for (let next = aliases.get(id); next; next = aliases.get(id)) {
    id = next.id
    offset += next.offset
  }
  return { id, offset }
}

/** Plans the arena of one program. */
export function planArena(question: ArenaQuestion): MemoryPlan {
  const { ticks, inputs, outputs, aliases } = question
  const lives = new Map<string, { id: string; bytes: number; first: number; last: number }>()
  const touch = (ref: Ref, time: number): void => {
    const { id } = rootOf(ref, aliases)
    const bytes = question.bytesOf(id)
    if (bytes === undefined) return
    const life = lives.get(id)
    if (life) life.last = time
    else lives.set(id, { id, bytes, first: time, last: time })
  }
  for (const id of inputs) touch({ id, offset: 0 }, 0)
  const sharings: Sharing[] = []
  for (const [i, tick] of ticks.entries()) {
    if ('step' in tick) {
      for (const [, ref] of refsOf(tick.step)) touch(ref, i + 1)
      sharings.push(...sharingsOf(tick.step, aliases))
    } else {
      for (const id of tick.touches) touch({ id, offset: 0 }, i + 1)
    }
  }
  for (const id of outputs) touch({ id, offset: 0 }, ticks.length + 1)
  return planMemory([...lives.values()], sharings)
}

/** What is read at an index is written at the same index and read nowhere else. */
function sharingsOf(step: StepSpec, aliases: ReadonlyMap<string, Ref>): Sharing[] {
  const rule = inPlaceRules.find(([prefix]) => step.kernel.startsWith(prefix))
  if (!rule) return []
  const args = step.args as Readonly<Record<string, Ref | number | null>>
  const roots = new Map(refsOf(step).map(([name, ref]) => [name, rootOf(ref, aliases)]))
  const [, output, inputs, allowed] = rule
  const to = roots.get(output)
  if (!to || to.offset !== 0) return []
  return inputs.flatMap((input) => {
    const from = roots.get(input)
    if (!from || from.offset !== 0 || !allowed(args as Readonly<Record<string, number>>, input)) return []
    const readTwice = [...roots].some(([name, root]) => name !== input && root.id === from.id)
    return readTwice ? [] : [{ from: from.id, to: to.id }]
  })
}

type InPlaceRule = readonly [
  prefix: string,
  output: string,
  inputs: readonly string[],
  allowed: (args: Readonly<Record<string, number>>, input: string) => boolean,
]

/** Rows of `kernels/` whose documentation allows output = input. */
const inPlaceRules: readonly InPlaceRule[] = [
  ['unary_', 'y', ['x'], () => true],
  ['softmax_f32', 'y', ['x'], () => true],
  ['binary_', 'c', ['a', 'b'], isDense],
]

/** True when operand `name` of a binary step is read in the order of the dense output, without broadcasting. */
function isDense(args: Readonly<Record<string, number>>, name: string): boolean {
  if (args[`${name}Inner`] !== 1 && args.inner !== 1) return false
  let dense = args.inner
  for (let axis = 4; axis >= 0; axis--) {
    if (args[`d${axis}`] !== 1 && args[`${name}${axis}`] !== dense) return false
    dense *= args[`d${axis}`]
  }
  return true
}
