// SPDX-License-Identifier: Apache-2.0
/**
 * The run before, once more: callers that run a model at every moment fill the same tensors again, and compare equal by a
 * look at each. A model of 30 microseconds has thrown most of what JavaScript touches out of the first cache when it ends,
 * so each object that need not be looked at counts.
 */
import type { Dtype } from '../tensor/dtype.ts'
import { type Tensor, bytesOf, copyOfTensor } from '../tensor/tensor.ts'
import type { OpenModel } from './core.ts'
import type { TensorLike } from './feeds.ts'
import type { ProfiledProgram } from './profile.ts'

/** A tensor of the caller's and what it was, null where a new one is asked for. */
interface Kept {
  readonly name: string
  readonly tensor: TensorLike | null
  readonly type: Dtype
  readonly data: Uint8Array
  readonly bytes: number
  /** Where the program has it; nowhere, where it has no use for it. */
  readonly port: Uint8Array | undefined
  /** Its bytes, and those that the program was compiled for, where it was. */
  readonly content: { readonly now: Uint8Array; readonly then: Uint8Array } | undefined
}

/** An output, as a view of the engine's memory. */
export interface Port {
  readonly name: string
  readonly tensor: Tensor
}

/** What was run. */
export interface Done {
  /** The step list. */
  readonly list: number
  readonly words: number
  readonly programs: readonly ProfiledProgram[]
  /** Where the program has the inputs that it reads, by name. */
  readonly inputs: ReadonlyMap<string, Uint8Array>
  readonly results: readonly Port[]
  /** Bytes of the inputs that it was compiled for. */
  readonly contents: ReadonlyMap<string, Uint8Array>
}

type Named = Readonly<Record<string, TensorLike | null>>

/** A run that went well on these feeds and fetches. Good until anything else is run. */
export class Again {
  readonly #done: Done
  readonly #feeds: readonly Kept[]
  readonly #fetches: readonly Kept[]
  readonly #fetchesAll: boolean
  /** Of all these tensors that are there: how many dims, and those. In one list, which is read faster than many. */
  readonly #dims: readonly number[]
  /** Of the fetches those that results are written to, in the order of results. */
  readonly #written: readonly Kept[]
  /** Outputs that are new tensors each time. */
  readonly #fresh: readonly Port[]
  readonly #outputs: Readonly<Record<string, Tensor>>

  /**
   * @param feeds at least one
   * @param fetches at least one, of the kinds of the results' arrays; undefined: all
   */
  constructor(done: Done, feeds: Named, fetches: Named | undefined) {
    this.#done = done
    this.#feeds = Object.entries(feeds).map(([name, tensor]) => {
      const kept = keep(name, tensor, done.inputs.get(name))
      const then = done.contents.get(name)
      return then ? { ...kept, content: { now: bytesOf(kept), then } } : kept
    })
    const outputs = new Map(done.results.map((port) => [port.name, port.tensor]))
    this.#fetches = Object.entries(fetches ?? {}).map(([name, tensor]) => {
      return keep(name, tensor, tensor ? (outputs.get(name)?.data as Uint8Array) : undefined)
    })
    this.#written = done.results.flatMap(({ name }) => this.#fetches.filter((kept) => kept.name === name && kept.port))
    this.#fetchesAll = fetches === undefined
    this.#dims = [...this.#feeds, ...this.#fetches].flatMap(({ tensor }) =>
      tensor ? [tensor.dims.length, ...tensor.dims] : [],
    )
    this.#fresh = done.results.filter(
      ({ name }) => !fetches || (Object.hasOwn(fetches, name) && fetches[name] === null),
    )
    const wanted = done.results.filter(({ name }) => !fetches || Object.hasOwn(fetches, name))
    // fresh ones take the places of the views
    this.#outputs = Object.fromEntries(wanted.map(({ name, tensor }) => [name, (fetches?.[name] as Tensor) ?? tensor]))
  }

  /** Does it once more. @returns undefined where it is another run, and nothing was run */
  run(model: OpenModel, feeds: unknown, fetches: unknown): Record<string, Tensor> | undefined {
    const [kept, targets, dims] = [this.#feeds, this.#fetches, this.#dims]
    let [i, at] = [0, 0]
    // in this form of a loop V8 reads properties without looking for them
    for (const name in feeds as Named) {
      if (i === kept.length) return undefined
      const { data, port, content } = kept[i]
      const tensor = (feeds as Named)[name]
      if (!isSame(kept[i++], name, tensor) || !begins(dims, at, tensor!.dims)) return undefined
      if (content && !isEqual(content.now, content.then)) return undefined
      at += 1 + dims[at]
      if (port) port.set(data)
    }
    if (i !== kept.length || this.#fetchesAll !== (fetches === undefined)) return undefined
    i = 0
    for (const name in fetches as Named) {
      if (i === targets.length) return undefined
      const tensor = (fetches as Named)[name]
      if (!isSame(targets[i++], name, tensor)) return undefined
      if (tensor === null) continue
      if (!begins(dims, at, tensor.dims)) return undefined
      at += 1 + dims[at]
    }
    if (i !== targets.length) return undefined
    const { list, words, programs } = this.#done
    model.last = { programs, wasm: model.executor.runWhole(list, words) }
    for (const { data, port } of this.#written) data.set(port!)
    const outputs = { ...this.#outputs }
    for (const { name, tensor } of this.#fresh) outputs[name] = copyOfTensor(tensor)
    return outputs
  }
}

function keep(name: string, tensor: TensorLike | null, port: Uint8Array | undefined): Kept {
  const { type, data } = (tensor ?? nothing) as { readonly type: Dtype; readonly data: Uint8Array }
  return { name, tensor, type, data, bytes: data.byteLength, port, content: undefined }
}

const nothing = { type: 'uint8', data: new Uint8Array(0) }

/** Whether it is what was kept, of the same type and over the same data, all of which is there. */
function isSame(kept: Kept, name: string, tensor: TensorLike | null): boolean {
  if (tensor !== kept.tensor || name !== kept.name) return false
  if (tensor === null) return true
  return tensor.data === kept.data && kept.data.byteLength === kept.bytes && tensor.type === kept.type
}

/** Whether these dims stand at `at`, behind their number. */
function begins(all: readonly number[], at: number, dims: readonly number[]): boolean {
  if (!Array.isArray(dims) || dims.length !== all[at]) return false
  for (let axis = 0; axis < dims.length; axis++) if (dims[axis] !== all[at + 1 + axis]) return false
  return true
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
