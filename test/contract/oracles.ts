// SPDX-License-Identifier: Apache-2.0
/** All oracles by kernel: each file of oracles/ that exports `oracles` has one entry for each row of its family. */
import { readdirSync } from 'node:fs'
import type { Bound, KernelCase, Oracle, Output } from './kernel.ts'

export async function loadOracles(): Promise<Record<string, Oracle>> {
  const files = readdirSync(new URL('./oracles/', import.meta.url)).filter((name) => name.endsWith('.ts'))
  const modules = await Promise.all(
    files.map((name) => import(`./oracles/${name.slice(0, -3)}.ts`) as Promise<{ oracles?: Record<string, Oracle> }>),
  )
  return Object.assign({}, ...modules.map((one) => one.oracles ?? {})) as Record<string, Oracle>
}

/** Largest deviation that the cases allow, as a share of the largest value of its output (where all are 0: as it is); 0: they are exact. */
export function widestBound(cases: readonly KernelCase[]): number {
  const outputs = cases.flatMap(({ args }) => Object.values(args).filter((arg): arg is Output => isOutput(arg)))
  return Math.max(0, ...outputs.map(boundOf))
}

function isOutput(arg: KernelCase['args'][string]): boolean {
  return typeof arg === 'object' && arg?.kind === 'output'
}

function boundOf({ want, bound }: Output): number {
  const values = Array.from(want, (value) => Math.abs(Number(value ?? 0)))
  const finite = values.filter((value) => Number.isFinite(value))
  const largest = Math.max(0, ...finite) || 1
  const allowed = values.map((value, i) => {
    const { abs, rel }: Bound = typeof bound === 'function' ? bound(i) : bound
    return abs + rel * value
  })
  return Math.max(0, ...allowed.filter((one) => Number.isFinite(one))) / largest
}
