// SPDX-License-Identifier: Apache-2.0
/**
 * One model on several workers, for requests that overlap: each worker has an engine, a Wasm memory and one thread of its
 * own, nothing is shared, so this needs no cross-origin isolation. The source is read once, here, and each worker is handed
 * a copy of the bytes. A run goes to the worker with the fewest runs before it. A worker that dies fails the runs it
 * has; the others go on.
 */
import { expose, transfer } from 'comlink'
import { checkAborted } from '../base/check.ts'
import { concatBytes } from '../base/bytes.ts'
import { StateError, UnsupportedError } from '../base/errors.ts'
import { describeHost } from '../platform/host.ts'
import { type ByteStream, type Source, openSource } from '../platform/source.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { SourceReader } from './handed-source.ts'
import type { Fetches } from './fetches.ts'
import type { LoadOptions, PlainOptions, ProgressEvent } from './options.ts'
import { outcomeOf } from './plain-errors.ts'
import type { Profile } from './profile.ts'
import type { Engine, RemoteModel } from './remote.ts'
import type { SessionBackend, ValueDescription } from './session.ts'

type Options = PlainOptions & Pick<LoadOptions, 'onProgress' | 'signal'>

/** What instances are made with; a value, so that a page's own way to its engine stays one file. */
type Remote = typeof import('./remote.ts')

/** Loads a model into `count` engines. @throws what loading into one throws; no worker is left behind then */
export async function openInstances(
  remote: Remote,
  source: Source,
  count: number,
  options: Options,
): Promise<SessionBackend> {
  const { signal, onProgress, ...plain } = options
  const { runtime } = describeHost()
  if (runtime === 'edge' || (runtime !== 'node' && typeof Worker === 'undefined')) {
    const where = 'options.instances'
    throw new UnsupportedError({ where, expected: 'a host that starts workers', got: runtime, todo: 'leave it out' })
  }
  const stream = await openSource(runtime === 'page' ? remote.portable(source) : source, signal)
  const reading = new Reading(stream, options)
  const engines: Engine[] = []
  const abort = (): void => engines.forEach(({ api }) => void api.abort())
  signal?.addEventListener('abort', abort)
  const open = async (_: unknown, index: number): Promise<RemoteModel> => {
    const engine = await remote.Engine.start(`whittle instance ${index + 1}`)
    engines.push(engine)
    checkAborted('load', signal)
    const { port1, port2 } = new MessageChannel()
    expose(reading.readerFor(index), port1)
    // in Node a port that is listened to would keep the program from ending
    ;(port1 as { unref?(): void }).unref?.()
    return new remote.RemoteModel(
      engine,
      await engine.call(engine.api.open(stream.name, plain, null, transfer(port2, [port2]))),
    )
  }
  try {
    const outcomes = await Promise.allSettled(Array.from({ length: count }, open))
    const failed = outcomes.find((outcome) => outcome.status === 'rejected')
    if (failed || reading.failure) throw reading.failure ? reading.failure.error : failed?.reason
    checkAborted('load', signal)
    const models = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
    onProgress?.({ phase: 'ready', loaded: models[0].bytes, total: models[0].bytes })
    checkAborted('load', signal)
    return new Instances(models)
  } catch (error) {
    await Promise.all(engines.map((engine) => engine.end()))
    throw error
  } finally {
    reading.forget()
    signal?.removeEventListener('abort', abort)
  }
}

/** Reads the source for all workers: while they load each file once, afterwards whenever one asks. */
class Reading {
  readonly #stream: ByteStream
  readonly #options: Options
  #files: Map<string | null, Promise<Uint8Array>> | undefined = new Map()
  /** What the listener threw: it ends the load as it is. */
  failure: { readonly error: unknown } | undefined

  constructor(stream: ByteStream, options: Options) {
    this.#stream = stream
    this.#options = options
  }

  /** The end that worker `index` sees; the first one tells of the progress of all. */
  readerFor(index: number): SourceReader {
    return {
      read: (location) =>
        outcomeOf(async () => {
          const bytes =
            this.#files?.get(location) ?? (location === null ? this.#readModel() : this.#readBeside(location))
          this.#files?.set(location, bytes)
          return await bytes
        }),
      progress: (phase, loaded, total) => {
        if (index > 0 || phase === 'read' || phase === 'ready') return
        this.#tell({ phase, loaded, ...(total === null ? {} : { total }) })
      },
    }
  }

  #tell(event: ProgressEvent): void {
    try {
      this.#options.onProgress?.(event)
    } catch (error) {
      this.failure ??= { error }
      throw error
    }
  }

  /** Lets the bytes go. */
  forget(): void {
    this.#files = undefined
  }

  async #readModel(): Promise<Uint8Array> {
    const isLoading = this.#files !== undefined
    const signal = isLoading ? this.#options.signal : undefined
    const { size } = this.#stream
    const parts: Uint8Array[] = []
    let loaded = 0
    for await (const part of this.#stream.stream(signal)) {
      parts.push(part)
      loaded += part.byteLength
      if (isLoading) this.#tell({ phase: 'read', loaded, ...(size === undefined ? {} : { total: size }) })
      checkAborted('load', signal)
    }
    return parts.length === 1 ? parts[0] : concatBytes(parts)
  }

  async #readBeside(location: string): Promise<Uint8Array> {
    const { signal } = this.#options
    return (await this.#stream.resolve(location, signal)).bytes(signal)
  }
}

interface Instance {
  readonly model: RemoteModel
  runs: number
}

class Instances implements SessionBackend {
  readonly inputs: readonly ValueDescription[]
  readonly outputs: readonly ValueDescription[]
  readonly bytes: number
  readonly #all: readonly RemoteModel[]
  /** Those that are alive and whose session is sound. */
  #sound: readonly Instance[]
  #reason: unknown
  /** Where a run ended last. */
  #last: Instance | undefined
  #disposal: Promise<void> | undefined

  constructor(models: readonly RemoteModel[]) {
    const [{ inputs, outputs, bytes }] = models
    this.inputs = inputs
    this.outputs = outputs
    this.bytes = bytes
    this.#all = models
    this.#sound = models.map((model) => ({ model, runs: 0 }))
    for (const instance of this.#sound) instance.model.death.catch((error: unknown) => this.#giveUp(instance, error))
  }

  async run(feeds: unknown, fetches?: Fetches): Promise<Record<string, Tensor>> {
    const instance = this.#leastBusy()
    instance.runs++
    try {
      const outputs = await instance.model.run(feeds, fetches)
      this.#last = instance
      return outputs
    } catch (error) {
      if (error instanceof StateError) this.#giveUp(instance, error)
      throw error
    } finally {
      instance.runs--
    }
  }

  async profile(): Promise<Profile> {
    const profile = await (this.#last ?? this.#leastBusy()).model.profile()
    return { ...profile, instances: this.#sound.length }
  }

  dispose(): Promise<void> {
    this.#disposal ??= Promise.all(this.#all.map((model) => model.dispose())).then(() => undefined)
    return this.#disposal
  }

  #giveUp(instance: Instance, reason: unknown): void {
    if (this.#disposal) return
    this.#reason = reason
    this.#sound = this.#sound.filter((other) => other !== instance)
    if (this.#last === instance) this.#last = undefined
  }

  #leastBusy(): Instance {
    const where = 'session'
    const todo = 'load the model again'
    if (this.#disposal) throw new StateError({ where, expected: 'an open session', got: 'a disposed one', todo })
    const [first, ...others] = this.#sound
    if (first) return others.reduce((least, other) => (other.runs < least.runs ? other : least), first)
    const got = `the end of the last (${this.#reason instanceof Error ? this.#reason.message : String(this.#reason)})`
    throw new StateError({ where, expected: 'at least one of its instances', got, todo }, { cause: this.#reason })
  }
}
