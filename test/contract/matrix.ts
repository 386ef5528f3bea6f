// SPDX-License-Identifier: Apache-2.0
/**
 * The kernel contract in one runtime, without a test runner: every case of every row, on every build that the runtime
 * accepts, called directly in many splits and by the walker (docs/steps.md) on one to four threads; on three, steps are
 * cut in two, the first of which leads. What is exact leaves a checksum, so that runtimes and builds can be held against
 * each other.
 */
import { readFileSync } from 'node:fs'
import { crc32 } from '../../src/base/crc.ts'
import { seededRandom } from '../../src/base/rng.ts'
import { type KernelName, kernelNames, kernelTable } from '../../src/kernels/table.ts'
import { instantiateKernels } from '../../src/runtime/instance.ts'
import { Pool } from '../../src/runtime/pool.ts'
import { cutLast } from '../../src/runtime/early-copy.ts'
import { stepWords } from '../../src/runtime/encode.ts'
import { type Build, type Dispatch, type Oracle, buildNames, checkCase } from './kernel.ts'

export type Oracles = Readonly<Record<string, Oracle>>

/** What one build did. */
export interface BuildReport {
  readonly cases: number
  /** Numbers of threads that every case was done with. */
  readonly threads: readonly number[]
  readonly failures: readonly string[]
  /** Of all exact results of a kernel. */
  readonly checksums: Readonly<Record<string, number>>
}

export interface MatrixOptions {
  /** Folder of the `.wasm` files, and script of the helpers. */
  readonly wasm: URL
  readonly helpers: URL
  /** Times that random operands are drawn. */
  readonly seeds: number
  /** Share of the cases that are tried, drawn at random; 1: all. */
  readonly share?: number
}

const mostThreads = 4
/** Places in the first page, which cases leave alone. */
const control = 1024
const list = 4096
const headerWords = 8
/** Codes of `run` (docs/steps.md). */
const finished = 0
const underWay = 3
const led = 4

/** Runs the matrix; null for builds that the runtime does not accept. */
export async function runMatrix(oracles: Oracles, options: MatrixOptions): Promise<Record<string, BuildReport | null>> {
  const reports: Record<string, BuildReport | null> = {}
  for (const name of buildNames) {
    const bytes = new Uint8Array(readFileSync(new URL(`${name}.wasm`, options.wasm)))
    reports[name] = WebAssembly.validate(bytes) ? await runBuild(name, bytes, oracles, options) : null
  }
  return reports
}

async function runBuild(
  name: string,
  bytes: Uint8Array<ArrayBuffer>,
  oracles: Oracles,
  { helpers, seeds, share = 1 }: MatrixOptions,
): Promise<BuildReport> {
  const shared = name.endsWith('-threads')
  const memory = new WebAssembly.Memory({ initial: 64, maximum: 16384, shared })
  const module = await WebAssembly.compile(bytes)
  const instance = instantiateKernels(module, memory)
  const build: Build = { name, memory, exports: instance as unknown as Build['exports'] }
  const deaths: string[] = []
  const pool = shared
    ? await Pool.start({
        threads: mostThreads,
        module,
        memory,
        control,
        script: helpers,
        onDeath: (reason) => deaths.push(reason.message),
      })
    : undefined
  const threads = shared ? [1, 2, 3, 4] : [1]
  const dispatches = threads.map((count) => walker(build, count))
  const failures: string[] = []
  const checksums: Record<string, number> = {}
  let cases = 0
  for (const [number, kernel] of kernelNames.entries()) {
    const draw = seededRandom(number + 1000)
    for (let seed = 0; seed < seeds; seed++) {
      for (const one of oracles[kernel](seededRandom(number + 1 + 1000 * seed))) {
        if (draw() >= share) continue
        cases++
        try {
          for (const result of checkCase(build, kernel, one, dispatches)) {
            checksums[kernel] = crc32(result, checksums[kernel] ?? 0)
          }
        } catch (error) {
          failures.push((error as Error).message)
        }
      }
    }
  }
  await pool?.dispose()
  return { cases, threads, failures: [...failures, ...deaths], checksums }
}

/** The walker on a list of one step, or of its two parts. */
function walker({ memory, exports }: Build, threads: number): Dispatch {
  const { run, resume } = exports as unknown as Readonly<Record<string, (...args: number[]) => number>>
  return {
    name: `the walker on ${threads} threads`,
    run(kernel: KernelName, args: number, units: number) {
      const count = Object.keys(kernelTable[kernel].args).length
      const step = new Uint32Array(stepWords(kernelTable[kernel]))
      step.set([kernelNames.indexOf(kernel), step.length, units, 1])
      step.set(new Uint32Array(memory.buffer, args, count), headerWords)
      const encoded = { words: step, starts: Uint32Array.of(0, step.length) }
      const { words } = threads === 3 && units >= 4 ? cutLast(encoded, { units: units >> 1 }) : encoded
      new Uint32Array(memory.buffer, list, words.length).set(words)
      let code = run(list, words.length, control, 0, threads)
      while (code === underWay || code === led) code = resume(control, 0, threads)
      if (code !== finished) throw new Error(`${kernel}: the walker on ${threads} threads ended with ${code}`)
    },
  }
}
