// SPDX-License-Identifier: Apache-2.0
/**
 * A model in the caller's own thread. Where one thread does all, runs with inputs of shapes that are known are done within
 * the call: a few copies and one call into Wasm. What cannot be done so waits in the core's queue.
 */
import { StateError } from '../base/errors.ts'
import type { Source } from '../platform/source.ts'
import { type Tensor, bytesOf, copyOfTensor } from '../tensor/tensor.ts'
import { Again, type Done } from './again.ts'
import { type OpenModel, type SessionCore, disposed } from './core.ts'
import { openModel } from './engine.ts'
import { runWhole } from './execute.ts'
import { type Feeds, type TensorLike, checkFeeds } from './feeds.ts'
import { Fetcher, type Fetches, isNamed } from './fetches.ts'
import type { CheckedOptions } from './options.ts'
import type { Profile } from './profile.ts'
import { Repeat, equal } from './repeat.ts'
import type { Fetch, SessionBackend, ValueDescription } from './session.ts'

/** Loads a model into this thread. @throws as `openModel` */
export async function openNear(source: Source, options: CheckedOptions): Promise<NearModel> {
  return new NearModel(await openModel(source, options))
}

/** The program that was run at once last. Good until the core runs anything, which may move memory and drop programs. */
interface Latest {
  readonly like: Repeat
  readonly done: Done
  /** What the caller gave to that run: the tensors of inputs, then those that were to hold results. */
  tensors: readonly unknown[]
}

/** Runs a core's model at once where that can be. */
export class NearModel implements SessionBackend {
  readonly inputs: readonly ValueDescription[]
  readonly outputs: readonly ValueDescription[]
  readonly #core: SessionCore
  readonly #fetcher: Fetcher
  /** Whether there is but one thread, which times no steps. */
  readonly #isDirect: boolean
  #latest: Latest | undefined
  #again: Again | undefined
  #isClosed = false

  constructor(core: SessionCore) {
    this.#core = core
    this.inputs = core.inputs
    this.outputs = core.outputs
    this.#fetcher = new Fetcher(core.outputs)
    this.#isDirect = !core.isTimed && core.idle!.executor.isAlone
  }

  get bytes(): number {
    return this.#core.bytes
  }

  run(feeds: unknown, fetches?: Fetches): Promise<Record<string, Tensor>> {
    try {
      return Promise.resolve(this.#runAgain(feeds, fetches) ?? this.#runOrWait(feeds, fetches))
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  runSync(feeds: unknown, fetches?: Fetches): Record<string, Tensor> {
    return this.#runAgain(feeds, fetches) ?? this.#runOrRefuse(feeds, fetches)
  }

  profile(): Promise<Profile> {
    return this.#core.profile()
  }

  dispose(): Promise<void> {
    this.#latest = this.#again = undefined
    this.#isClosed = true
    return this.#core.dispose()
  }

  /** The run before, where it is that. It is there only while the session is open and nothing is under way. */
  #runAgain(feeds: unknown, fetches: unknown): Record<string, Tensor> | undefined {
    try {
      return this.#again?.run(feeds, fetches)
    } catch (error) {
      this.#again = undefined
      throw this.#core.failed(error)
    }
  }

  #runOrWait(feeds: unknown, fetches: Fetches | undefined): Record<string, Tensor> | Promise<Record<string, Tensor>> {
    const fetch = fetches === undefined ? undefined : this.#fetcher.read(fetches)
    const model = this.#isDirect ? this.#core.idle : undefined
    const outputs = model && this.#runAtOnce(model, feeds, fetches, fetch)
    if (outputs) return outputs
    this.#latest = this.#again = undefined
    return this.#core.run(feeds, fetch)
  }

  #runOrRefuse(feeds: unknown, fetches: Fetches | undefined): Record<string, Tensor> {
    const fetch = fetches === undefined ? undefined : this.#fetcher.read(fetches)
    const model = this.#core.idle
    if (this.#isClosed) throw disposed()
    if (!model) throw refusal('no run under way', 'one', 'await it first')
    if (!this.#isDirect) {
      const got = this.#core.isTimed ? 'profile: true' : `${model.executor.activeThreads} threads`
      throw refusal('one thread, and steps that are not timed', got, 'load the model with threads: 1')
    }
    const outputs = this.#runAtOnce(model, feeds, fetches, fetch)
    if (outputs) return outputs
    const expected = 'a run with inputs of these shapes before it, of which all steps were done in Wasm'
    throw refusal(expected, 'none', 'await session.run once; session.profile() says what is done elsewhere')
  }

  /** Runs a program that is known for feeds of these shapes. @returns undefined where there is none that can be run so */
  #runAtOnce(
    model: OpenModel,
    feeds: unknown,
    fetches: Fetches | undefined,
    fetch: Fetch | undefined,
  ): Record<string, Tensor> | undefined {
    const arrays = this.#latest?.like.dataOf(feeds) ?? this.#find(model, checkFeeds(model.graph.inputs, feeds))
    if (!arrays) return undefined
    const latest = this.#latest!
    const { list, words, programs, inputs, results } = latest.done
    for (const [i, { name }] of this.inputs.entries()) inputs.get(name)?.set(arrays[i])
    this.#again = undefined
    try {
      model.last = { programs, wasm: runWhole(model.executor.entry, list, words) }
    } catch (error) {
      throw this.#core.failed(error)
    }
    const outputs: Record<string, Tensor> = {}
    for (const { name, tensor } of results) {
      const result = fetch ? fetch.take(name, tensor) : copyOfTensor(tensor)
      if (result) outputs[name] = result
    }
    this.#remember(model, latest, feeds as Feeds, fetches, arrays)
    return outputs
  }

  /** Makes the program for these inputs the latest, where there is one that can run at once; the inputs' arrays. */
  #find({ graph, stages, executor }: OpenModel, given: ReadonlyMap<string, Tensor>): readonly Uint8Array[] | undefined {
    this.#latest = undefined
    const ready = graph.inputs.some(({ dtype }) => dtype === 'string') ? undefined : stages.readyFor(given)
    if (!ready) return undefined
    const { bound, infos } = ready
    const { program, starts } = bound
    // a literal has no own property of that name
    const isComputed = (name: string): boolean =>
      !program.known.has(name) && !executor.weights.isConstant(name) && program.types.has(name) && name !== '__proto__'
    if (!program.results.every(isComputed)) return undefined
    executor.refresh(bound)
    const followed = [...given].filter(([name]) => infos.get(name)?.content !== undefined)
    const tensorOf = (name: string): Tensor => executor.viewOf(bound, name)
    const done: Done = {
      list: bound.list,
      words: starts[starts.length - 1],
      programs: [{ program, timings: [] }],
      inputs: new Map(program.arenaInputs.map((name) => [name, tensorOf(name).data as Uint8Array])),
      results: program.results.map((name) => ({ name, tensor: tensorOf(name) })),
      contents: new Map(followed.map(([name, tensor]) => [name, bytesOf(tensor).slice()])),
    }
    this.#latest = { like: new Repeat(graph.inputs, given, (name) => done.contents.has(name)), done, tensors: [] }
    return [...given.values()].map(({ data }) => data as Uint8Array)
  }

  /** Where a run had the tensors of the one before it, the next one is looked at as little as can be. */
  #remember(
    model: OpenModel,
    latest: Latest,
    feeds: Feeds,
    fetches: Fetches | undefined,
    inputs: readonly Uint8Array[],
  ): void {
    const targets = fetches as Readonly<Record<string, TensorLike | null>> | undefined
    const wanted = targets && Object.values(targets)
    const tensors = [...Object.values(feeds), ...(wanted ?? [])]
    const isSame = equal(tensors, latest.tensors)
    latest.tensors = tensors
    if (!isSame || inputs.length === 0 || Array.isArray(fetches) || wanted?.length === 0) return
    const isPlain = latest.done.results.every(({ name, tensor }) => {
      const target = targets && isNamed(targets, name) ? targets[name] : null
      return target === null || target.data.constructor === tensor.data.constructor
    })
    if (isPlain) this.#again = new Again(latest.done, model, feeds, targets)
  }
}

function refusal(expected: string, got: string, todo: string): StateError {
  return new StateError({ where: 'session.runSync', expected, got, todo })
}
