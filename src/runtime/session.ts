// SPDX-License-Identifier: Apache-2.0
/**
 * The public handle of a loaded model. Behind it is a model in this thread or in the engine's worker; the handle is the
 * same, and so are its errors.
 */
import { StateError } from '../base/errors.ts'
import type { Dtype } from '../tensor/dtype.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Feeds } from './feeds.ts'
import type { Fetches } from './fetches.ts'
import type { Profile } from './profile.ts'

/** A model input or output. */
export interface ValueDescription {
  readonly name: string
  readonly type: Dtype
  /** Numbers, or names for what each run may choose; null: any shape. */
  readonly dims: readonly (number | string)[] | null
}

/** What is wanted of a run, where that is not a copy of every output. */
export interface Fetch {
  readonly names: readonly string[]
  /**
   * @param value an output: a view of the engine's memory, or a tensor nobody else has
   * @returns what the caller gets; undefined: nothing
   * @throws InputError where the tensor that is to hold it has another shape
   */
  take(name: string, value: Tensor, isOwn?: boolean): Tensor | undefined
}

/** What a session stands on. */
export interface SessionBackend {
  readonly inputs: readonly ValueDescription[]
  readonly outputs: readonly ValueDescription[]
  /** Size of the model as it was read. */
  readonly bytes: number
  run(feeds: unknown, fetches?: Fetches): Promise<Record<string, Tensor>>
  /** There where the model is in this thread. */
  runSync?(feeds: unknown, fetches?: Fetches): Record<string, Tensor>
  profile(): Promise<Profile>
  dispose(): Promise<void>
}

/** A loaded model. Make one by `load`; give it back by `dispose`. */
export class Session {
  readonly inputs: readonly ValueDescription[]
  readonly outputs: readonly ValueDescription[]
  /** Size of the model as it was read, in bytes. */
  readonly bytes: number
  readonly #backend: SessionBackend

  constructor(backend: SessionBackend) {
    this.#backend = backend
    this.inputs = backend.inputs
    this.outputs = backend.outputs
    this.bytes = backend.bytes
  }

  /**
   * Runs the model. Tensors may be whittle's or onnxruntime-common's; outputs are the caller's own. Calls that overlap
   * are served in order.
   * @param fetches names of the outputs that are wanted, all where left out; or tensors by output name that hold the
   * results then (null: a new one), which may be those of the feeds: `run({ x, state }, { y: null, stateN: state })`
   * @throws InputError for a wrong name, type or shape; StateError after `dispose` or when a worker died
   */
  run(feeds: Feeds, fetches?: Fetches): Promise<Record<string, Tensor>> {
    return this.#backend.run(feeds, fetches)
  }

  /**
   * The same within this call, for callers that cannot wait: the model is in this thread and on one (`threads: 1`, in a page
   * `worker: false`), `run` was awaited once with inputs of these shapes, and all steps run in Wasm.
   * @throws what `run` rejects with; StateError while a run is under way, and where it cannot be done so
   */
  runSync(feeds: Feeds, fetches?: Fetches): Record<string, Tensor> {
    const backend = this.#backend
    if (backend.runSync) return backend.runSync(feeds, fetches)
    throw new StateError({
      where: 'session.runSync',
      expected: 'a model in this thread',
      got: 'one in a worker',
      todo: 'load it with worker: false, and without instances',
    })
  }

  /** What the last run was made of; times only with `profile: true`. @throws StateError before the first run */
  async profile(): Promise<Profile> {
    return this.#backend.profile()
  }

  /** Waits for the run under way, then gives workers and memory back. May be called again. */
  dispose(): Promise<void> {
    return this.#backend.dispose()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose()
  }
}
