// SPDX-License-Identifier: Apache-2.0
/**
 * The last step of a run with helpers is cut in two where it is a product that writes a large result: the rows of its first
 * part are copied out while helpers are at the second.
 */
import type { Ref } from '../ir/lowering.ts'
import { rootOf } from './arena.ts'
import type { Program } from './compile.ts'
import type { encodeSteps } from './encode.ts'
import { refIds } from './lowering.ts'

type Encoded = ReturnType<typeof encodeSteps>

/** A result, and the first part of the step that writes it. */
export interface EarlyRows {
  readonly name: string
  /** What that part computes, from the result's beginning. */
  readonly bytes: number
  readonly units: number
}

/** Bytes of a result from which on two parts cost less than they give: copying as many takes some ten microseconds. */
const leastBytes = 128 * 1024

/** Multiply-adds that a thread does, at most, while it could copy a float32 of a large tensor, which takes 1.2 ns (docs/performance.md). */
const copiedWork = 48
/** Units that are left, so that all threads have some. */
const leastUnits = 4

/** Undefined where nothing is to be cut. */
export function earlyRows({ steps, results, sizes, aliases }: Program): EarlyRows | undefined {
  // units of whatever is cut into blocks of mb x nb go by rows (kernels/gemm.ts)
  const args = (steps.at(-1)?.args ?? {}) as { readonly c: Ref } & Readonly<Record<'m' | 'n' | 'mb' | 'nb', number>>
  const { c, m, n, mb, nb } = args
  const { k = 0 } = args as { readonly k?: number }
  const [blocks, across] = [Math.ceil(m / mb), Math.ceil(n / nb)]
  // what is left keeps helpers busy for longer than copying the others takes: the deeper, the fewer rows
  const share = Math.min(1 / 4, copiedWork / (copiedWork + k))
  const ahead = blocks - Math.max(Math.ceil(leastUnits / across), Math.ceil(blocks * share))
  const bytes = m * n * 4
  if (!(ahead > 0 && bytes >= leastBytes)) return undefined
  const target = rootOf(c, aliases)
  const name = results.find((result) => {
    const id = refIds.value(result)
    const root = rootOf({ id, offset: 0 }, aliases)
    return root.id === target.id && root.offset === target.offset && sizes.get(id) === bytes
  })
  return name === undefined ? name : { name, bytes: ahead * mb * n * 4, units: ahead * across }
}

/** Words with the last step in its two parts, which count as one (docs/steps.md). */
export function cutLast({ words, starts }: Encoded, { units }: Pick<EarlyRows, 'units'>): Encoded {
  const end = words.length
  const at = starts[starts.length - 2]
  const all = new Uint32Array(end + end - at)
  all.set(words)
  all.set(words.subarray(at), end)
  all[at + 2] = units
  all[at + 7] = 1
  all[end + 2] -= units
  all[end + 6] = units
  starts[starts.length - 1] = all.length
  return { words: all, starts }
}
