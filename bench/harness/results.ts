// SPDX-License-Identifier: Apache-2.0
/**
 * What a benchmark leaves behind: plain data that says by itself where and how it was measured. A file of
 * `bench/results/` is one `GroupResult`, where `fileOf` says: hosts and runtimes do not overwrite each other's.
 */
import type { FormChoice } from '../../src/ir/lowering.ts'
import type { ByteDot } from '../../src/kernels/row.ts'
import type { Summary } from './statistics.ts'

/** Where a group was measured. */
export interface Setting {
  readonly date: string
  readonly processor: string
  readonly cores: number
  readonly runtime: string
  /** Wasm build that whittle used. */
  readonly build: string
  readonly relaxed: ByteDot
  readonly threads: number
  /** GMAC/s of one thread, of loops that hold all operands in registers. */
  readonly peaks: Readonly<Record<'f32' | 'int8' | 'int4', number | null>>
  /** Load averages of the machine over a minute before and after: above the threads in use, figures are of a busy machine. */
  readonly load: readonly [before: number, after: number]
  /** Versions of the peers. */
  readonly peers: Readonly<Record<string, string>>
}

/** One contender at one case. */
export interface Entry extends Summary {
  readonly contender: string
  /** Runs per sample. */
  readonly batch: number
  /** Share of a run that is not spent in Wasm; median of some runs. Of whittle only. */
  readonly outsideWasm?: number
}

export interface CaseResult {
  readonly name: string
  /** Multiply-adds of a run; null where nobody counted. */
  readonly macs: number | null
  readonly entries: readonly Entry[]
  /** Contenders that could not run, with the reason. */
  readonly missing: Readonly<Record<string, string>>
  /** The form in which a contender's sparse layer ran, and what both took when they were timed at load. */
  readonly forms?: Readonly<Record<string, FormChoice>>
}

/** Both forms of a sparse layer at one share of zeros: milliseconds of its steps, and the median ratio of rounds. */
export interface CrossoverPoint {
  readonly zeros: number
  readonly sparse: number
  readonly dense: number
  /** Sparse over dense. */
  readonly ratio: number
}

/** From which share of zeros on a kind of sparse weights is faster than dense ones; null where it never is. */
export interface Crossover {
  readonly kind: string
  readonly m: number
  readonly k: number
  readonly n: number
  readonly zeros: number | null
  readonly points: readonly CrossoverPoint[]
}

export interface GroupResult {
  readonly group: string
  readonly title: string
  readonly setting: Setting
  readonly cases: readonly CaseResult[]
  readonly crossovers?: readonly Crossover[]
}

/** Folders in `bench/results/`, by what the byte dot is on the host; `none` of runtimes without relaxed SIMD, too. */
const hostFolders: Readonly<Record<ByteDot, string>> = {
  vnni: '',
  sdot: 'sdot',
  pmaddubsw: 'without-vnni',
  none: 'without-vnni',
  broken: 'without-vnni',
}

/** Where the result of a group lies in `bench/results/`, measured in this runtime, such as `Node 24.1.0` or `Chromium 140`. */
export function fileOf(group: string, { runtime, relaxed }: Pick<Setting, 'runtime' | 'relaxed'>): string {
  return [hostFolders[relaxed], nameOf(group, runtime)].filter((part) => part !== '').join('/')
}

/** The file's name: a Node's with its major version. */
export function nameOf(group: string, runtime: string): string {
  const [name, version] = runtime.toLowerCase().split(/[ .]/)
  return `${group}-${name}${name === 'node' ? version : ''}.json`
}

/** Median of a contender, or null where it did not run. */
export function medianOf({ entries }: CaseResult, contender: string): number | null {
  return entries.find((entry) => entry.contender === contender)?.median ?? null
}
