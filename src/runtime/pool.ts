// SPDX-License-Identifier: Apache-2.0
/**
 * The helpers of one session: threads 1 to n - 1, each an instance of the same module over the same memory, walking the
 * same step lists as thread 0 (`docs/steps.md`). Starting, stopping and dying go through comlink and the platform's
 * workers; work never does, it is shared memory and atomics alone.
 */
import { type Remote, releaseProxy, wrap } from 'comlink'
import { StateError, type WhittleError } from '../base/errors.ts'
import { type WorkerHandle, startWorker } from '../platform/workers.ts'
import { workerUrl } from './assets.ts'

/** What `helper-worker.ts` exposes. */
export interface HelperApi {
  /** Instantiates; when the call is answered the helper can serve. */
  prepare(module: WebAssembly.Module, memory: WebAssembly.Memory): void
  /** Serves until stopped. */
  serve(control: number, thread: number): void
}

interface Helper {
  readonly worker: WorkerHandle
  readonly api: Remote<HelperApi>
  /** Rejects when `serve` throws. */
  readonly served: Promise<void>
}

export interface PoolOptions {
  /** Threads in all, the caller's own included; at least 2. */
  readonly threads: number
  readonly module: WebAssembly.Module
  readonly memory: WebAssembly.Memory
  /** Address of the control block, all zero. */
  readonly control: number
  /** The helpers' script where it is not the package's own. */
  readonly script?: URL
  /** Called once with the reason when a helper dies. */
  onDeath(reason: WhittleError): void
}

/** Byte offset of the stop word in the control block. */
const stopOffset = 64

/** Longest wait for a helper's script to load and answer. */
const startTimeout = 30_000

/** Longest wait for the reason of a stop that a helper made before it went. */
const explanationTimeout = 2000

/** Helper threads and their end. */
export class Pool {
  readonly #helpers: readonly Helper[]
  readonly #options: PoolOptions
  #ended = false
  #failed = false
  #tell: () => void = () => undefined
  readonly #told = new Promise<void>((resolve) => {
    this.#tell = resolve
  })

  private constructor(helpers: readonly Helper[], options: PoolOptions) {
    this.#helpers = helpers
    this.#options = options
    for (const { worker, served } of helpers) {
      const fail = (reason: WhittleError): void => {
        if (this.#ended || this.#failed) return
        this.#failed = true
        this.#signalStop()
        options.onDeath(reason)
        this.#tell()
      }
      worker.death.catch(fail)
      served.catch((error: unknown) => {
        const where = 'helper worker'
        fail(
          new StateError({ where, expected: 'to serve', got: error instanceof Error ? error.message : String(error) }),
        )
      })
    }
  }

  /** Starts the helpers. @throws StateError when one does not come up; none is left behind then */
  static async start(options: PoolOptions): Promise<Pool> {
    const workers: WorkerHandle[] = []
    try {
      const helpers = await Promise.all(
        Array.from({ length: options.threads - 1 }, async (_, i): Promise<Helper> => {
          const worker = await startWorker(options.script ?? workerUrl('helper-worker'), `whittle helper ${i + 1}`)
          const api = wrap<HelperApi>(worker.endpoint)
          workers.push(worker)
          const late = timeout(startTimeout)
          try {
            await Promise.race([api.prepare(options.module, options.memory), worker.death, late.promise])
          } finally {
            late.cancel()
          }
          const served = api.serve(options.control, i + 1)
          served.catch(() => undefined)
          worker.unref()
          return { worker, api, served }
        }),
      )
      return new Pool(helpers, options)
    } catch (error) {
      await Promise.all(workers.map((worker) => worker.terminate()))
      throw error
    }
  }

  /** Stops and ends the helpers. */
  async dispose(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    this.#signalStop()
    for (const { api } of this.#helpers) api[releaseProxy]()
    await Promise.all(this.#helpers.map(({ worker }) => worker.terminate()))
  }

  /** Where the stop word is set: waits, not for long, until `onDeath` was called. */
  async explained(): Promise<void> {
    if (Atomics.load(this.#words(), stopOffset / 4) === 0) return
    const late = timeout(explanationTimeout)
    await Promise.race([this.#told, late.promise]).catch(() => undefined)
    late.cancel()
  }

  #signalStop(): void {
    const words = this.#words()
    Atomics.store(words, stopOffset / 4, 1)
    Atomics.notify(words, 0)
  }

  #words(): Int32Array {
    return new Int32Array(this.#options.memory.buffer, this.#options.control)
  }
}

function timeout(milliseconds: number): { promise: Promise<never>; cancel(): void } {
  let timer: ReturnType<typeof setTimeout> | undefined
  const promise = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const where = 'helper worker'
      reject(
        new StateError({
          where,
          expected: `an answer within ${milliseconds / 1000} s`,
          got: 'none',
          todo: 'load with threads: 1',
        }),
      )
    }, milliseconds)
  })
  return { promise, cancel: () => clearTimeout(timer) }
}
