// SPDX-License-Identifier: Apache-2.0
/**
 * Which JavaScript runtime this is and what it lends: threads, shared memory. Looked at each time it is asked, because a
 * worker and the page that started it differ.
 */

/** 'page' has a document; 'worker' is a worker of a page; 'edge' is a server without threads. */
export type RuntimeName = 'node' | 'deno' | 'bun' | 'page' | 'worker' | 'edge'

export interface Host {
  readonly runtime: RuntimeName
  /** Threads the machine runs at once; 1 where it is not said. */
  readonly threads: number
  /** True when Wasm memory can be shared with workers, and workers can be started. */
  readonly sharedMemory: boolean
}

interface Globals {
  readonly process?: {
    readonly versions?: Readonly<Record<string, string>>
    getBuiltinModule?(name: 'node:os'): { availableParallelism(): number }
  }
  readonly Deno?: unknown
  readonly Bun?: unknown
  readonly document?: unknown
  readonly WorkerGlobalScope?: unknown
  readonly navigator?: { readonly hardwareConcurrency?: number; readonly userAgent?: string }
  readonly crossOriginIsolated?: boolean
  readonly Worker?: unknown
}

/** The host as it is now. `globals` stands in for the global object in tests. */
export function describeHost(globals: Globals = globalThis as Globals): Host {
  const runtime = runtimeOf(globals)
  const os = runtime === 'node' ? globals.process?.getBuiltinModule?.('node:os') : undefined
  const named = os?.availableParallelism() ?? globals.navigator?.hardwareConcurrency
  const threads = named !== undefined && named > 0 ? Math.floor(named) : 1
  return { runtime, threads, sharedMemory: canStartWorkers(runtime, globals) && canShare(runtime, globals) }
}

/** The runtime alone: nothing is tried out. */
export function runtimeOf(globals: Globals = globalThis as Globals): RuntimeName {
  if (globals.Bun !== undefined) return 'bun'
  if (globals.Deno !== undefined) return 'deno'
  if (globals.navigator?.userAgent === 'Cloudflare-Workers') return 'edge'
  if (globals.process?.versions?.node !== undefined) return 'node'
  if (globals.document !== undefined) return 'page'
  return globals.WorkerGlobalScope !== undefined ? 'worker' : 'edge'
}

function canStartWorkers(runtime: RuntimeName, globals: Globals): boolean {
  if (runtime === 'edge') return false
  return runtime === 'node' || globals.Worker !== undefined
}

function canShare(runtime: RuntimeName, globals: Globals): boolean {
  if (typeof SharedArrayBuffer !== 'function') return false
  if ((runtime === 'page' || runtime === 'worker') && globals.crossOriginIsolated !== true) return false
  try {
    const { buffer } = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true })
    return buffer instanceof SharedArrayBuffer
  } catch {
    return false
  }
}
