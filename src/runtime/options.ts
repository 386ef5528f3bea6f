// SPDX-License-Identifier: Apache-2.0
/**
 * The options of `load`, checked: what a user may say, and what it comes down to on this host. Those that few use are checked
 * in a file of their own.
 */
import { checkBoolean, checkInteger, checkOneOf, describe } from '../base/check.ts'
import { InputError } from '../base/errors.ts'
import type { Host } from '../platform/host.ts'
import { mostThreads } from './address.ts'
import type { MeasurementPlace } from './measurements.ts'
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
  /**
   * Where it is kept what was measured on this host: how long the forms of sparse layers take, how byte products are done
   * best, how many threads `'auto'` found. Left out or true: a file in the user's cache folder (`whittle/measurements.json`;
   * in Deno where both reading and writing it are granted), in pages the Cache API (`whittle`), on edge hosts nowhere. A text names another
   * file, or in a page another cache; an object keeps one text itself, where no worker is between it and the engine. False:
   * nowhere, and nothing that was kept is used. A place that cannot be read or written counts as empty. Sessions with
   * `deterministic` do not look.
   */
  readonly measurements?: MeasurementPlace
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
  readonly measurements: MeasurementPlace
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
  'measurements',
  'onProgress',
  'signal',
  'profile',
  'passes',
  'wasm',
]

/** Threads used where nobody says how many: beyond, small models gain nothing. */
const defaultThreads = 4

/** Threads that 'auto' goes up to: beyond, models of the size a page loads gain nothing. */
export const mostSearched = 8

/** Checks. @throws InputError naming the option */
export async function checkOptions(
  options: unknown,
): Promise<CheckedOptions & { readonly instances?: number; readonly worker: boolean }> {
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
  const { threads, instances, worker = true, deterministic = false, measurements = true } = options as LoadOptions
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
  const isOne = instances !== undefined || !worker
  if (isOne || wasm !== undefined || worker !== true || passes !== true || measurements !== true)
    (await import('./rare-options.ts')).checkRareOptions({ threads, instances, worker, passes, measurements, wasm })
  return {
    threads: isOne ? 1 : checkThreads(threads),
    worker,
    kernels,
    deterministic,
    profile: checkBoolean('options.profile', profile),
    passes,
    measurements,
    ...(instances === undefined ? {} : { instances }),
    ...(onProgress ? { onProgress } : {}),
    ...(signal ? { signal } : {}),
    ...(wasm === undefined ? {} : { wasm }),
  }
}

function checkThreads(threads: LoadOptions['threads']): PlainOptions['threads'] {
  if (threads === undefined) return 0
  return threads === 'auto' ? threads : checkInteger('options.threads', threads, 1, mostThreads, "'auto' or ")
}

/** Threads to start for the `threads` of PlainOptions, with the builds that were given, if any were. */
export function threadsFor(threads: PlainOptions['threads'], host: Host, wasm?: WasmModules): number {
  if (!host.sharedMemory || (wasm && !wasm['simd-threads'] && !wasm['relaxed-threads'])) return 1
  if (threads === 'auto') return Math.min(host.threads, mostSearched)
  return threads === 0 ? Math.min(host.threads, defaultThreads) : threads
}
