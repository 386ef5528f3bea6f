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
  /** Threads to compute with; as many as the machine has but at most 4 where left out. 1 where memory can't be shared. */
  readonly threads?: number
  /** Which builds may be used; 'auto' takes the best this host runs correctly. */
  readonly kernels?: KernelChoice
  readonly onProgress?: (event: ProgressEvent) => void
  readonly signal?: AbortSignal
  /** Times every step; costs a call into Wasm for each. */
  readonly profile?: boolean
  /** For .onnx sources: false runs the graph as it is, without the passes. */
  readonly passes?: boolean
  /**
   * Builds that are compiled already, for hosts that compile no Wasm from bytes: nothing is fetched or compiled then, and
   * without a `-threads` build one thread is used. They are the package's files `whittle/wasm/<build>.wasm`.
   */
  readonly wasm?: WasmModules
}

/** The part of the options that is plain data. */
export interface PlainOptions {
  /** 0: as many as suit the host. */
  readonly threads: number
  readonly kernels: KernelChoice
  readonly profile: boolean
  readonly passes: boolean
  readonly wasm?: WasmModules
}

const names: readonly (keyof LoadOptions)[] = [
  'threads',
  'kernels',
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

/** Checks. @throws InputError naming the option */
export function checkOptions(options: unknown): PlainOptions & Pick<LoadOptions, 'onProgress' | 'signal'> {
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
  const { threads, kernels = 'auto', onProgress, signal, profile = false, passes = true, wasm } = options as LoadOptions
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw new InputError({ where: 'options.onProgress', expected: 'a function', got: describe(onProgress) })
  }
  if (signal !== undefined && typeof (signal as Partial<AbortSignal>)?.addEventListener !== 'function') {
    throw new InputError({ where: 'options.signal', expected: 'an AbortSignal', got: describe(signal) })
  }
  return {
    threads: threads === undefined ? 0 : checkInteger('options.threads', threads, 1, mostThreads),
    kernels: checkOneOf('options.kernels', kernels, ['auto', 'simd', 'relaxed']),
    profile: checkBoolean('options.profile', profile),
    passes: checkBoolean('options.passes', passes),
    ...(onProgress ? { onProgress } : {}),
    ...(signal ? { signal } : {}),
    ...(wasm === undefined ? {} : { wasm: checkModules(wasm) }),
  }
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
export function threadsFor(threads: number, host: Host, wasm?: WasmModules): number {
  if (!host.sharedMemory || (wasm && !wasm['simd-threads'] && !wasm['relaxed-threads'])) return 1
  return threads === 0 ? Math.min(host.threads, defaultThreads) : threads
}
