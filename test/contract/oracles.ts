// SPDX-License-Identifier: Apache-2.0
/** All oracles by kernel: each file of oracles/ that exports `oracles` has one entry for each row of its family. */
import { readdirSync } from 'node:fs'
import type { Bound, KernelCase, Oracle, Output } from './kernel.ts'
import { LEAST_NORMAL } from './oracles/sums.ts'

export async function loadOracles(): Promise<Record<string, Oracle>> {
  const files = readdirSync(new URL('./oracles/', import.meta.url)).filter((name) => name.endsWith('.ts'))
  const modules = await Promise.all(
    files.map((name) => import(`./oracles/${name.slice(0, -3)}.ts`) as Promise<{ oracles?: Record<string, Oracle> }>),
  )
  return Object.assign({}, ...modules.map((one) => one.oracles ?? {})) as Record<string, Oracle>
}

/** What is promised of the values, for a title. */
export function promiseOf(cases: readonly KernelCase[]): string {
  const bounds = outputsOf(cases).map(boundOf)
  const widest = (summed: boolean): string =>
    Math.max(0, ...bounds.filter((one) => one.summed === summed).map(({ share }) => share)).toExponential(1)
  if (bounds.every(({ share }) => share === 0)) return "the oracle's values exactly"
  const shares = [
    ...(bounds.some(({ share, summed }) => summed && share > 0) ? [`${widest(true)} of the magnitudes summed`] : []),
    ...(bounds.some(({ share, summed }) => !summed && share > 0) ? [`${widest(false)} of the largest`] : []),
  ]
  return `the oracle's values within ${shares.join(', or ')}`
}

const outputsOf = (cases: readonly KernelCase[]): Output[] =>
  cases.flatMap(({ args }) => Object.values(args).filter((arg): arg is Output => isOutput(arg)))

function isOutput(arg: KernelCase['args'][string]): boolean {
  return typeof arg === 'object' && arg?.kind === 'output'
}

/**
 * Largest deviation that an output may have: as a share of what was summed for an element, else of its largest value
 * (where all are 0: as it is); what is below normal float32 counts as the least of them. 0: it is exact.
 */
function boundOf({ want, bound }: Output): { share: number; summed: boolean } {
  const values = Array.from(want, (value) => Math.abs(Number(value ?? 0)))
  const bounds = values.map((_, i): Bound => (typeof bound === 'function' ? bound(i) : bound))
  const largest = Math.max(0, ...values.filter((value) => Number.isFinite(value))) || 1
  const shares = bounds.map(({ abs, rel, of }, i) => (abs + rel * values[i]!) / Math.max(of ?? largest, LEAST_NORMAL))
  return {
    share: Math.max(0, ...shares.filter((one) => Number.isFinite(one))),
    summed: bounds.some(({ of }) => of !== undefined),
  }
}
