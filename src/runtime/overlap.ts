// SPDX-License-Identifier: Apache-2.0
/**
 * Copying in and out beside work: a run with helpers whose first product reads a large input by rows, or whose last writes a
 * large result, has its steps cut by rows. Helpers are at the first rows while the coordinator copies the others in, and at
 * the last ones while it copies the others out.
 */
import type { Ref, StepSpec } from '../ir/lowering.ts'
import { rootOf } from './arena.ts'
import type { Program } from './compile.ts'
import type { encodeSteps } from './encode.ts'
import { refIds } from './lowering.ts'

/** The first steps, up to a product, which go by rows of an input. */
export interface LateRows {
  readonly name: string
  /** What their first part reads, from the input's beginning. */
  readonly bytes: number
  /** Of each of these steps, what belongs to that part. */
  readonly units: readonly number[]
}

/** A result, and the first part of the last step, which writes it. */
export interface EarlyRows {
  readonly name: string
  /** What that part computes, from the result's beginning. */
  readonly bytes: number
  readonly units: number
}

/** Of a program: at least one is there. */
export interface Overlap {
  readonly late: LateRows | undefined
  readonly early: EarlyRows | undefined
  /** Words of the program's steps, cut. */
  cut(encoded: Encoded): Uint32Array
}

type Encoded = ReturnType<typeof encodeSteps>

/** Bytes from which on two parts cost less than they give: copying as many takes some ten microseconds. */
const leastBytes = 128 * 1024
/** Multiply-adds that a thread does, at most, while it could copy a float32 of a large tensor, which takes 1.2 ns (docs/performance.md). */
const copiedWork = 48
/** Units of the part that is done beside copying, and of the step before it where there is none. */
const [leastUnits, leadUnits] = [4, 2]

/** Steps of which a unit is one row. */
const rowSteps: readonly string[] = ['quantize_rows_u8', 'quantize_rows_i16', 'row_sums_u8', 'row_sums_i16']

type Parts = Pick<Program, 'steps' | 'results' | 'sizes' | 'aliases' | 'segments' | 'arenaInputs'>

/** A product whose units go by rows (kernels/gemm.ts), in blocks; undefined for other steps. */
function blocksOf(step: StepSpec | undefined) {
  const args = (step?.args ?? {}) as Partial<Record<'m' | 'n' | 'k' | 'mb' | 'nb' | 'batch', number>>
  const { m, n, k, mb, nb, batch = 1 } = args
  if (!m || !n || !k || !mb || !nb || batch !== 1 || (step!.grain ?? 1) > 1) return undefined
  return { m, n, k, mb, down: Math.ceil(m / mb), across: Math.ceil(n / nb) }
}

/** Blocks of rows that are enough work for helpers while the others are copied, at `work` multiply-adds an element; at most half. */
function besideCopying({ down, across }: { readonly down: number; readonly across: number }, work: number): number {
  const share = Math.min(1 / 2, copiedWork / (copiedWork + work))
  return Math.max(Math.ceil(leastUnits / across), Math.ceil(down * share))
}

/** Undefined where nothing is to be cut. The memory of the input has to stay what it is until the last of these steps is done. */
export function lateRows({ steps, sizes, aliases, segments, arenaInputs }: Parts): LateRows | undefined {
  const at = steps.findIndex(({ kernel }) => !rowSteps.includes(kernel))
  const blocks = steps[at]?.kernel.startsWith('gemm_') ? blocksOf(steps[at]) : undefined
  if (segments.length !== 1 || !blocks) return undefined
  const first = steps[0].args as Partial<Record<'x' | 'a', Ref>> & Partial<Record<'ldx' | 'lda', number>>
  const [x, stride] = at === 0 ? [first.a!, first.lda!] : [first.x!, first.ldx!]
  const root = rootOf(x, aliases)
  const name = arenaInputs.find((input) => refIds.value(input) === root.id)
  const chain = steps.slice(0, at + 1)
  const refs = chain.flatMap(({ args }) => Object.values(args as Readonly<Record<string, Ref | number | null>>))
  const reads = refs.filter((ref) => typeof ref === 'object' && ref !== null && rootOf(ref, aliases).id === root.id)
  const { m, n, mb, across } = blocks
  const bytes = m * stride * 4
  // all of the input, dense
  if (name === undefined || root.offset !== 0 || reads.length !== 1 || sizes.get(root.id) !== bytes) return undefined
  const ahead = besideCopying(blocks, n)
  const rows = ahead * mb
  if (bytes < leastBytes || rows >= m) return undefined
  // each step is of several chunks in both parts
  if (!steps.slice(0, at).every(({ units, grain = 1 }) => units === m && Math.min(rows, m - rows) > grain))
    return undefined
  return { name, bytes: rows * stride * 4, units: chain.map((_, i) => (i < at ? rows : ahead * across)) }
}

/** Undefined where nothing is to be cut. */
export function earlyRows({ steps, results, sizes, aliases, segments }: Parts): EarlyRows | undefined {
  const blocks = blocksOf(steps.at(-1))
  if (segments.length !== 1 || !blocks) return undefined
  const { m, n, k, mb, down, across } = blocks
  const ahead = down - besideCopying(blocks, k)
  const bytes = m * n * 4
  if (ahead < 1 || ahead * across < leastUnits || bytes < leastBytes) return undefined
  const target = rootOf((steps.at(-1)!.args as unknown as { readonly c: Ref }).c, aliases)
  const name = results.find((result) => {
    const id = refIds.value(result)
    const root = rootOf({ id, offset: 0 }, aliases)
    return root.id === target.id && root.offset === target.offset && sizes.get(id) === bytes
  })
  return name === undefined ? name : { name, bytes: ahead * mb * n * 4, units: ahead * across }
}

/** How a program that was compiled with `lateRows` is cut, or undefined. */
export function overlapOf(program: Program): Overlap | undefined {
  const { late } = program
  const early = earlyRows(program)
  return late || early ? { late, early, cut: (encoded) => cutWords(encoded, { late, early }) } : undefined
}

/** A part of a step: units [from, to), and whether the run returns when it is done, with the next one open. */
interface Part {
  readonly step: number
  readonly from: number
  readonly to: number
  readonly leads?: boolean
}

/** Where steps are cut. */
interface Cuts {
  readonly late?: Pick<LateRows, 'units'> | undefined
  readonly early?: Pick<EarlyRows, 'units'> | undefined
}

/** Words of a program's steps, cut (docs/steps.md). */
export function cutWords({ words, starts }: Encoded, { late, early }: Cuts): Uint32Array {
  const parts: Part[] = []
  const ahead = late?.units ?? []
  const product = ahead.length - 1
  // what leads is the step before the product's first part, or units of the product itself
  if (product === 0) parts.push({ step: 0, from: 0, to: leadUnits, leads: true })
  for (const [step, to] of ahead.entries())
    parts.push({ step, from: product === 0 ? leadUnits : 0, to, leads: step === product - 1 })
  for (let step = 0; step < starts.length - 1; step++)
    parts.push({ step, from: ahead[step] ?? 0, to: words[starts[step] + 2] })
  if (early) {
    const last = parts.pop()!
    parts.push({ ...last, to: early.units, leads: true }, { ...last, from: early.units })
  }
  const cut = parts.flatMap(({ step, from, to, leads = false }) => {
    const part = words.slice(starts[step], starts[step + 1])
    part.set([to - from], 2)
    part.set([from, Number(leads)], 6)
    return [...part]
  })
  return Uint32Array.from(cut)
}
