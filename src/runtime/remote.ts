// SPDX-License-Identifier: Apache-2.0
/**
 * A page's end of a session whose engine lives in a worker, so that the page never blocks. Calls go through comlink as
 * plain data; outputs are handed over, not copied; errors come back as the classes they were.
 */
import { type Remote, proxy, releaseProxy, wrap } from 'comlink'
import { checkAborted } from '../base/check.ts'
import { StateError } from '../base/errors.ts'
import type { Source } from '../platform/source.ts'
import { type WorkerHandle, startWorker } from '../platform/workers.ts'
import { Tensor } from '../tensor/tensor.ts'
import { workerUrl } from './assets.ts'
import type { TensorLike } from './feeds.ts'
import type { Fetcher, Fetches } from './fetches.ts'
import type { WasmModules } from './module.ts'
import type { LoadOptions, PlainOptions, ProgressEvent } from './options.ts'
import { type Outcome, unwrap } from './plain-errors.ts'
import type { ProbeReport } from './probe.ts'
import type { Profile } from './profile.ts'
import type { SessionBackend, ValueDescription } from './session.ts'

/** What a loaded model is, as plain data. */
export interface ModelDescription {
  readonly inputs: readonly ValueDescription[]
  readonly outputs: readonly ValueDescription[]
  readonly bytes: number
}

/** Tensors as structured clones carry them. */
export type PlainTensors = Readonly<Record<string, TensorLike>>

/** What `engine-worker.ts` exposes: one engine with at most one model. Nothing in it throws. */
export interface EngineApi {
  open(
    source: Exclude<Source, URL>,
    options: PlainOptions,
    onProgress: ((event: ProgressEvent) => void) | null,
    /** Behind it a SourceReader, where `source` is only a name and the bytes are handed over. */
    reader?: MessagePort,
  ): Promise<Outcome<ModelDescription>>
  abort(): void
  /** @param names of the outputs that are wanted; all where left out */
  run(feeds: unknown, names?: readonly string[]): Promise<Outcome<PlainTensors>>
  profile(): Promise<Outcome<Profile>>
  probe(wasm: WasmModules | undefined): Promise<Outcome<ProbeReport>>
  /** Ends helpers; the worker itself is ended by who started it. */
  dispose(): Promise<Outcome<void>>
}

/** The engine's worker seen from the page. */
export class Engine {
  readonly #worker: WorkerHandle
  readonly api: Remote<EngineApi>
  /** What fails the calls under way. A race with `death` would leave something of every call behind. */
  readonly #fail = new Set<(reason: unknown) => void>()
  #isDead = false

  private constructor(worker: WorkerHandle) {
    this.#worker = worker
    this.api = wrap<EngineApi>(worker.endpoint)
    worker.death.catch((reason: unknown) => {
      this.#isDead = true
      for (const fail of this.#fail) fail(reason)
    })
  }

  static async start(name = 'whittle engine'): Promise<Engine> {
    return new Engine(await startWorker(workerUrl('engine-worker'), name))
  }

  /** Rejects when the worker dies by itself. */
  get death(): Promise<never> {
    return this.#worker.death
  }

  /** The call's result, unless the worker dies first. Between calls the worker keeps no program from ending. */
  async call<T>(outcome: Promise<Outcome<T>>): Promise<T> {
    if (this.#isDead) {
      outcome.catch(() => undefined)
      return this.#worker.death
    }
    if (this.#fail.size === 0) this.#worker.ref()
    let fail: (reason: unknown) => void = () => undefined
    try {
      const answer = new Promise<Outcome<T>>((resolve, reject) => {
        this.#fail.add((fail = reject))
        outcome.then(resolve, reject)
      })
      return unwrap(await answer)
    } finally {
      this.#fail.delete(fail)
      if (this.#fail.size === 0) this.#worker.unref()
    }
  }

  async end(): Promise<void> {
    this.api[releaseProxy]()
    await this.#worker.terminate()
  }
}

/** Loads a model into an engine of its own. */
export async function openRemoteModel(
  source: Source,
  options: PlainOptions & Pick<LoadOptions, 'onProgress' | 'signal'>,
): Promise<SessionBackend> {
  const { signal, onProgress, ...plain } = options
  checkAborted('load', signal)
  const engine = await Engine.start()
  const abort = (): void => void engine.api.abort()
  signal?.addEventListener('abort', abort)
  try {
    const listener = onProgress ? proxy(onProgress) : null
    const model = await engine.call(engine.api.open(portable(source), plain, listener))
    return new RemoteModel(engine, model)
  } catch (error) {
    await engine.end()
    throw error
  } finally {
    signal?.removeEventListener('abort', abort)
  }
}

/** Probes in an engine of its own: the measuring loops must not block the page. */
export async function probeRemotely(wasm?: WasmModules): Promise<ProbeReport> {
  const engine = await Engine.start()
  try {
    // the engine sees a worker; who asks is in a page
    return { ...(await engine.call(engine.api.probe(wasm))), runtime: 'page' }
  } finally {
    await engine.end()
  }
}

/** A model in an engine's worker. */
export class RemoteModel implements SessionBackend {
  readonly inputs: readonly ValueDescription[]
  readonly outputs: readonly ValueDescription[]
  readonly bytes: number
  readonly #engine: Engine
  #fetcher: Fetcher | undefined
  #disposal: Promise<void> | undefined

  constructor(engine: Engine, { inputs, outputs, bytes }: ModelDescription) {
    this.#engine = engine
    this.inputs = inputs
    this.outputs = outputs
    this.bytes = bytes
  }

  /** Rejects when its worker dies by itself. */
  get death(): Promise<never> {
    return this.#engine.death
  }

  async run(feeds: unknown, fetches?: Fetches): Promise<Record<string, Tensor>> {
    this.#checkOpen()
    if (fetches !== undefined) this.#fetcher ??= new (await import('./fetches.ts')).Fetcher(this.outputs)
    const fetch = fetches === undefined ? undefined : this.#fetcher!.read(fetches)
    const outputs = await this.#engine.call(this.#engine.api.run(plainFeeds(feeds), fetch?.names))
    return Object.fromEntries(
      Object.entries(outputs).map(([name, { type, data, dims }]) => {
        const tensor = new Tensor(type as Tensor['type'], data, dims)
        return [name, fetch?.take(name, tensor, true) ?? tensor]
      }),
    )
  }

  async profile(): Promise<Profile> {
    this.#checkOpen()
    return this.#engine.call(this.#engine.api.profile())
  }

  dispose(): Promise<void> {
    this.#disposal ??= this.#engine
      .call(this.#engine.api.dispose())
      .catch(() => undefined)
      .then(() => this.#engine.end())
    return this.#disposal
  }

  #checkOpen(): void {
    if (!this.#disposal) return
    throw new StateError({
      where: 'session',
      expected: 'an open session',
      got: 'a disposed one',
      todo: 'load the model again',
    })
  }
}

/** Addresses are resolved here: the worker's base is another. */
export function portable(source: Source): Exclude<Source, URL> {
  if (source instanceof URL) return source.href
  if (typeof source !== 'string') return source
  return URL.canParse(source, document.baseURI) ? new URL(source, document.baseURI).href : source
}

/** What can be cloned of feeds; what cannot is left for the engine to complain about. */
function plainFeeds(feeds: unknown): unknown {
  if (typeof feeds !== 'object' || feeds === null || Array.isArray(feeds)) return describable(feeds)
  return Object.fromEntries(
    Object.entries(feeds as Record<string, unknown>).map(([name, value]) => {
      if (typeof value !== 'object' || value === null) return [name, describable(value)]
      const { type, data, dims } = value as Partial<TensorLike>
      return [name, type === undefined ? describable(value) : { type, data, dims }]
    }),
  )
}

function describable(value: unknown): unknown {
  return typeof value === 'function' || typeof value === 'symbol' ? String(value) : value
}
