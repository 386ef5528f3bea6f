// SPDX-License-Identifier: Apache-2.0
/** The options of `load`, checked: what a user may say, and what it comes down to on this host. */
import { checkBoolean, checkInteger, checkOneOf, describe } from '../base/check.ts'
import { InputError } from '../base/errors.ts'
import type { Host } from '../platform/host.ts'
import { mostThreads } from './address.ts'
import type { WasmBuild } from './assets.ts'
import type { KernelChoice, WasmModules } from './module.ts'

/** How far loading is. */
export interface ProgressEvent {
  /**
   * 'read': the model's bytes arrive, and the weights of a .whittle file are packed as they do; then for .onnx files
   * 'optimise': the passes run, before it 'external data' for each file of weights beside the model; last 'ready'.
   */
  readonly phase: string
  /** Bytes of the phase's file so far. */
  readonly loaded: number
  /** Bytes in all, where known. */
  readonly total?: number
}

export interface LoadOptions {
  /**
   * Threads to compute with; as many as the machine has but at most 4 where left out. 1 where memory can't be shared.
   * 'auto' starts up to 8 and finds out: the first runs of each set of input shapes are timed with 1, 2, 4 … of them, and
   * the fastest count stays. `session.profile().threads` tells which.
   */
  readonly threads?: number | 'auto'
  /**
   * Serves overlapping runs on so many workers of one thread each, which need no shared memory: a page scales without
   * cross-origin isolation. Each has a copy of the packed weights; the source is read once.
   */
  readonly instances?: number
  /**
   * False: no worker is started, all is done in the caller's thread, and with one. In a page that saves each run the
   * messages to the engine's worker and back, which take longer than the runs of small models; the page waits meanwhile.
   */
  readonly worker?: boolean
  /** Which builds may be used; 'auto' takes the best this host runs correctly. */
  readonly kernels?: KernelChoice
  /**
   * True fixes build (`simd`), kernels and the order of sums, so that float32 results are equal to the bit on every host
   * and with any number of threads, as far as steps run in Wasm (`session.profile().hostSteps` is empty). Costs speed
   * where relaxed SIMD would be used.
   */
  readonly deterministic?: boolean
  readonly onProgress?: (event: ProgressEvent) => void
  readonly signal?: AbortSignal
  /** Times every step; costs a call into Wasm for each. */
  readonly profile?: boolean
  /** For .onnx sources: false runs the graph as it is, without the passes; `{ off: [name, …] }` leaves those out. */
  readonly passes?: boolean | PassChoice
  /**
   * Builds that are compiled already, for hosts that compile no Wasm from bytes: nothing is fetched or compiled then, and
   * without a `-threads` build one thread is used. They are the package's files `whittle/wasm/<build>.wasm`.
   */
  readonly wasm?: WasmModules
}

/** Which passes run. */
export interface PassChoice {
  /** Names of passes to leave out. */
  readonly off: readonly string[]
}

/** The part of the options that is plain data. */
export interface PlainOptions {
  /** 0: as many as suit the host. */
  readonly threads: number | 'auto'
  readonly kernels: KernelChoice
  /** Nothing that is chosen may depend on the host; `kernels` is 'simd' then. */
  readonly deterministic: boolean
  readonly profile: boolean
  readonly passes: boolean | PassChoice
  readonly wasm?: WasmModules
}

/** Options of which the plain part is complete. */
export type CheckedOptions = PlainOptions & Pick<LoadOptions, 'onProgress' | 'signal'>

const names: readonly (keyof LoadOptions)[] = [
  'threads',
  'instances',
  'worker',
  'kernels',
  'deterministic',
  'onProgress',
  'signal',
  'profile',
  'passes',
  'wasm',
]

/** Builds by name. */
const builds: readonly WasmBuild[] = ['simd', 'simd-threads', 'relaxed', 'relaxed-threads']

/** Threads used where nobody says how many: beyond, small models gain nothing. */
const defaultThreads = 4

/** More workers than any machine has cores for. */
const mostInstances = 64

/** Threads that 'auto' goes up to: beyond, models of the size a page loads gain nothing. */
export const mostSearched = 8

/** Checks. @throws InputError naming the option */
export function checkOptions(
  options: unknown,
): CheckedOptions & { readonly instances?: number; readonly worker: boolean } {
  if (typeof options !== 'object' || options === null) {
    throw new InputError({ where: 'options', expected: 'an object', got: describe(options) })
  }
  for (const name of Object.keys(options)) {
    if (!(names as readonly string[]).includes(name)) {
      throw new InputError({
        where: `options.${name}`,
        expected: `one of ${names.join(', ')}`,
        got: 'an unknown option',
      })
    }
  }
  const { threads, instances, worker = true, deterministic = false } = options as LoadOptions
  const { onProgress, signal, wasm } = options as LoadOptions
  const { kernels = deterministic ? 'simd' : 'auto', profile = false, passes = true } = options as LoadOptions
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw new InputError({ where: 'options.onProgress', expected: 'a function', got: describe(onProgress) })
  }
  if (signal !== undefined && typeof (signal as Partial<AbortSignal>)?.addEventListener !== 'function') {
    throw new InputError({ where: 'options.signal', expected: 'an AbortSignal', got: describe(signal) })
  }
  checkBoolean('options.deterministic', deterministic)
  checkOneOf('options.kernels', kernels, deterministic ? ['simd'] : ['auto', 'simd', 'relaxed'])
  checkBoolean('options.worker', worker)
  if (instances !== undefined) checkInteger('options.instances', instances, 1, mostInstances)
  const isOne = instances !== undefined || !worker
  if (isOne && (threads ?? 1) !== 1) {
    const expected = `1 beside options.${worker ? 'instances' : 'worker: false'}`
    throw new InputError({ where: 'options.threads', expected, got: describe(threads), todo: 'leave one out' })
  }
  if (!worker && instances !== undefined) {
    const expected = 'true beside options.instances'
    throw new InputError({ where: 'options.worker', expected, got: 'false', todo: 'leave one out' })
  }
  return {
    threads: isOne ? 1 : checkThreads(threads),
    worker,
    kernels,
    deterministic,
    profile: checkBoolean('options.profile', profile),
    passes: typeof passes === 'boolean' ? passes : checkPassChoice(passes),
    ...(instances === undefined ? {} : { instances }),
    ...(onProgress ? { onProgress } : {}),
    ...(signal ? { signal } : {}),
    ...(wasm === undefined ? {} : { wasm: checkModules(wasm) }),
  }
}

function checkThreads(threads: LoadOptions['threads']): PlainOptions['threads'] {
  if (threads === undefined) return 0
  return threads === 'auto' ? threads : checkInteger('options.threads', threads, 1, mostThreads)
}

/** Names are held against the passes when those run. */
function checkPassChoice(choice: unknown): PassChoice {
  const off = (choice as Partial<PassChoice> | null)?.off
  const isChoice = Array.isArray(off) && off.every((name) => typeof name === 'string')
  if (!isChoice || Object.keys(choice as object).length !== 1) {
    const expected = 'true, false or { off: [names of passes] }'
    throw new InputError({ where: 'options.passes', expected, got: describe(choice) })
  }
  return { off: [...off] }
}

/** `wasm` as compiled builds. @throws InputError naming what is not one */
export function checkModules(wasm: unknown): WasmModules {
  if (typeof wasm !== 'object' || wasm === null) {
    throw new InputError({ where: 'options.wasm', expected: 'an object of compiled builds', got: describe(wasm) })
  }
  for (const [name, module] of Object.entries(wasm)) {
    const where = `options.wasm.${name}`
    checkOneOf(where, name, builds)
    if (module !== undefined && Object.prototype.toString.call(module) !== '[object WebAssembly.Module]')
      throw new InputError({ where, expected: 'a WebAssembly.Module', got: describe(module) })
  }
  return wasm
}

/** Threads to start for the `threads` of PlainOptions, with the builds that were given, if any were. */
export function threadsFor(threads: PlainOptions['threads'], host: Host, wasm?: WasmModules): number {
  if (!host.sharedMemory || (wasm && !wasm['simd-threads'] && !wasm['relaxed-threads'])) return 1
  if (threads === 'auto') return Math.min(host.threads, mostSearched)
  return threads === 0 ? Math.min(host.threads, defaultThreads) : threads
}
