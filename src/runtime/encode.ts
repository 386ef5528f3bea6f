// SPDX-License-Identifier: Apache-2.0
/**
 * Steps as words: what `docs/steps.md` says, written into a Uint32Array. Pointers become addresses through the caller's
 * `resolve`; numbers are encoded as the kernel's row says. The words do not move afterwards: a changed memory map means
 * encoding again.
 */
import { GraphError } from '../base/errors.ts'
import type { Ref, StepSpec } from '../ir/lowering.ts'
import type { ArgKind, KernelRow } from '../kernels/row.ts'
import { usualRows } from '../kernels/usual.ts'

/** Words before the arguments. */
const headerWords = 8

/** Gives a place in Wasm memory its address in bytes. */
export type Resolve = (ref: Ref) => number

/** Rows by kernel, in the order of the kernels' numbers: the table, or its beginning. */
export type KernelRows = Readonly<Record<string, KernelRow>>

/** Rows that have these kernels: those at hand, or all, which then are fetched. */
export async function rowsOf(steps: readonly StepSpec[]): Promise<KernelRows> {
  if (steps.every(({ kernel }) => kernel in usualRows)) return usualRows
  return { ...usualRows, ...(await import('../kernels/others.ts')).otherRows }
}

/** Words that a step of this kernel takes, header included; a multiple of 4. */
export function stepWords({ args }: KernelRow): number {
  return Math.ceil((headerWords + Object.keys(args).length) / 4) * 4
}

/**
 * Encodes steps one after the other.
 * @param rows what `rowsOf` gave for these steps
 * @returns the words, and where each step starts in them (one entry more than steps: the last is the end)
 * @throws GraphError when an argument is missing or out of its kind's range
 */
export function encodeSteps(
  steps: readonly StepSpec[],
  resolve: Resolve,
  rows: KernelRows,
): { words: Uint32Array; starts: Uint32Array } {
  const numbers = new Map(Object.keys(rows).map((name, number) => [name, number]))
  const starts = new Uint32Array(steps.length + 1)
  for (const [i, { kernel }] of steps.entries()) starts[i + 1] = starts[i] + stepWords(rows[kernel])
  const words = new Uint32Array(starts[steps.length])
  const floats = new Float32Array(words.buffer)
  for (const [i, step] of steps.entries()) {
    const at = starts[i]
    words[at] = numbers.get(step.kernel)!
    words[at + 1] = starts[i + 1] - at
    words[at + 2] = checked(step, 'units', 'u32', step.units)
    words[at + 3] = Math.max(1, step.grain ?? 1)
    const given = step.args as Readonly<Record<string, Ref | number | null>>
    for (const [j, [name, kind]] of Object.entries(rows[step.kernel].args).entries()) {
      const value = given[name]
      const word = at + headerWords + j
      if (kind === 'ptr') words[word] = value === null ? 0 : pointer(step, name, value, resolve)
      else if (kind === 'f32') floats[word] = checked(step, name, kind, value)
      else words[word] = checked(step, name, kind, value) >>> 0
    }
  }
  return { words, starts }
}

/** The Refs among a step's arguments, with the argument's name. */
export function refsOf(step: StepSpec): [string, Ref][] {
  return Object.entries(step.args as Readonly<Record<string, Ref | number | null>>).filter(
    (entry): entry is [string, Ref] => typeof entry[1] === 'object' && entry[1] !== null,
  )
}

function pointer(step: StepSpec, name: string, value: Ref | number | undefined, resolve: Resolve): number {
  if (typeof value !== 'object') throw wrong(step, name, 'a place in memory or null', value)
  return resolve(value) >>> 0
}

function checked(step: StepSpec, name: string, kind: ArgKind, value: Ref | number | null | undefined): number {
  if (typeof value !== 'number') throw wrong(step, name, 'a number', value)
  const [low, high] = kind === 'i32' ? [-(2 ** 31), 2 ** 31 - 1] : [0, 2 ** 32 - 1]
  if (kind !== 'f32' && !(Number.isInteger(value) && value >= low && value <= high)) {
    throw wrong(step, name, `an integer in [${low}, ${high}]`, value)
  }
  return value
}

function wrong(step: StepSpec, name: string, expected: string, got: unknown): GraphError {
  return new GraphError({
    where: `${step.kernel}.${name}`,
    expected,
    got: typeof got === 'object' && got !== null ? 'a place in memory' : String(got),
    todo: 'the shapes may be too large for 32-bit Wasm',
  })
}
