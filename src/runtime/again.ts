// SPDX-License-Identifier: Apache-2.0
/**
 * The run before, once more: callers that run a model at every moment fill the same tensors again, and compare equal by a
 * look at each. A model of 30 microseconds has thrown most of what JavaScript touches out of the first cache when it ends,
 * so each object that need not be looked at counts.
 */
import { type Tensor, bytesOf, copyOfTensor } from '../tensor/tensor.ts'
import type { LastRun, OpenModel } from './core.ts'
import { runWhole } from './execute.ts'
import type { TensorLike } from './feeds.ts'
import { isNamed } from './fetches.ts'
import type { KernelExports } from './instance.ts'
import type { ProfiledProgram } from './profile.ts'

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

/**
 * A run that went well on these feeds and fetches. Good until anything else is run.
 *
 * What a run looks at lies in few lists, one value behind the other: an object for each tensor would be two or three lines of
 * the cache. Where the caller has frozen its records, tensors and dims, they are what they were, and only the data is looked at.
 */
export class Again {
  readonly #run: KernelExports['run']
  readonly #list: number
  readonly #words: number
  readonly #feeds: Named
  readonly #fetches: Named | undefined
  /** Whether nobody can change these, nor what tensors they name. */
  readonly #isFixed: boolean
  /** Of each feed its name, the tensor, its type, data and dims, then an end; and the same of the fetches, where there are any. */
  readonly #seen: readonly unknown[]
  /** Of all these tensors but null ones: bytes of data, how many dims, and those. */
  readonly #numbers: readonly number[]
  /** The data of all these tensors, and how many bytes that is. */
  readonly #data: readonly Uint8Array[]
  readonly #lengths: readonly number[]
  /** Data of feeds that the program was compiled for, and what it was then, one behind the other. */
  readonly #contents: readonly Uint8Array[]
  readonly #then: readonly number[]
  /** Where the program reads feeds and what they hold, and where results are to lie and what holds them: target, source, … */
  readonly #reads: readonly Uint8Array[]
  readonly #writes: readonly Uint8Array[]
  /** Outputs that are new tensors each time. */
  readonly #fresh: readonly Port[]
  readonly #outputs: Readonly<Record<string, Tensor>>
  /** What the model's profile is made of. */
  readonly #last: LastRun

  /**
   * @param model that has just done it
   * @param feeds at least one
   * @param fetches at least one, of the kinds of the results' arrays; undefined: all
   */
  constructor(done: Done, model: OpenModel, feeds: Named, fetches: Named | undefined) {
    this.#run = model.executor.entry
    this.#list = done.list
    this.#words = done.words
    this.#last = model.last!
    this.#feeds = feeds
    this.#fetches = fetches
    const tensors = [...Object.values(feeds), ...Object.values(fetches ?? {})].filter((tensor) => tensor !== null)
    this.#isFixed = isFixed(feeds) && (!fetches || isFixed(fetches)) && tensors.every(isFixedTensor)
    const listed = (named: Named): unknown[] =>
      Object.entries(named).flatMap(([name, tensor]) => [name, tensor, tensor?.type, tensor?.data, tensor?.dims])
    this.#seen = [...listed(feeds), end, ...(fetches ? [...listed(fetches), end] : [])]
    this.#data = tensors.map((tensor) => bytesOf(tensor as Tensor))
    this.#lengths = this.#data.map(({ length }) => length)
    this.#numbers = tensors.flatMap(({ dims }, i) => [this.#lengths[i], dims.length, ...dims])
    const given = Object.keys(feeds)
    this.#reads = given.flatMap((name, i) => {
      const port = done.inputs.get(name)
      return port ? [bytesOf({ type: 'uint8', data: port }), this.#data[i]] : []
    })
    this.#contents = given.flatMap((name, i) => (done.contents.has(name) ? [this.#data[i]] : []))
    this.#then = given.flatMap((name) => [...(done.contents.get(name) ?? [])])
    const wanted = done.results.filter(({ name }) => !fetches || isNamed(fetches, name))
    this.#writes = wanted.flatMap(({ name, tensor }) => {
      const target = fetches?.[name]
      return target ? [bytesOf(target as Tensor), bytesOf(tensor)] : []
    })
    this.#fresh = wanted.filter(({ name }) => !fetches?.[name])
    // fresh ones take the places of the views
    this.#outputs = Object.fromEntries(wanted.map(({ name, tensor }) => [name, (fetches?.[name] as Tensor) ?? tensor]))
  }

  /** Does it once more. @returns undefined where it is another run, and nothing was run */
  run(feeds: unknown, fetches: unknown): Record<string, Tensor> | undefined {
    if (this.#isFixed) {
      if (feeds !== this.#feeds || fetches !== this.#fetches || !this.#isThere()) return undefined
    } else if (!this.#isSame(feeds as Named, fetches as Named | undefined)) return undefined
    if (!this.#hasContents()) return undefined
    const [reads, writes, fresh] = [this.#reads, this.#writes, this.#fresh]
    for (let r = 0; r < reads.length; r += 2) copy(reads[r], reads[r + 1])
    this.#last.wasm = runWhole(this.#run, this.#list, this.#words)
    for (let w = 0; w < writes.length; w += 2) copy(writes[w], writes[w + 1])
    const outputs = { ...this.#outputs }
    for (let f = 0; f < fresh.length; f++) outputs[fresh[f].name] = copyOfTensor(fresh[f].tensor)
    return outputs
  }

  /** Whether none of the data was taken away. */
  #isThere(): boolean {
    const [data, lengths] = [this.#data, this.#lengths]
    for (let i = 0; i < data.length; i++) if (data[i].length !== lengths[i]) return false
    return true
  }

  /** Whether records name the same tensors, of the same types and dims over the same data, all of which is there. */
  #isSame(feeds: Named, fetches: Named | undefined): boolean {
    const [seen, numbers] = [this.#seen, this.#numbers]
    let [i, at] = [0, 0]
    // one loop for both records, since code, too, has to come back into the cache
    for (let named: Named | undefined = feeds; ; named = fetches) {
      // in this form of a loop V8 reads properties without looking for them
      for (const name in named) {
        const tensor = named[name]
        if (name !== seen[i] || tensor !== seen[i + 1]) return false
        if (tensor !== null) {
          const { type, data, dims } = tensor
          if (type !== seen[i + 2] || data !== seen[i + 3] || dims !== seen[i + 4]) return false
          if ((data as Uint8Array).byteLength !== numbers[at++]) return false
          const rank = numbers[at++]
          if (dims.length !== rank) return false
          for (let axis = 0; axis < rank; axis++) if (dims[axis] !== numbers[at++]) return false
        }
        i += 5
      }
      if (seen[i++] !== end) return false
      if (named === fetches || fetches === undefined) return i === seen.length
    }
  }

  /** Whether feeds hold what the program was compiled for. */
  #hasContents(): boolean {
    const [contents, then] = [this.#contents, this.#then]
    let at = 0
    for (let c = 0; c < contents.length; c++) {
      const now = contents[c]
      for (let i = 0; i < now.length; i++) if (now[i] !== then[at++]) return false
    }
    return true
  }
}

/** No name, so that names end there. */
const end = null

function copy(to: Uint8Array, from: Uint8Array): void {
  // one or two elements take less than the call
  if (from.length > 8) to.set(from)
  else for (let i = 0; i < from.length; i++) to[i] = from[i]
}

/** Whether an object is frozen, and none of these properties is a function in disguise. */
function isFixed(object: object, names = Object.keys(object)): boolean {
  const isValue = (name: string): boolean => 'value' in (Object.getOwnPropertyDescriptor(object, name) ?? {})
  return Object.isFrozen(object) && names.every(isValue)
}

/** Whether that is so of a tensor and its dims, and its data does not change its length. */
function isFixedTensor(tensor: TensorLike): boolean {
  const { buffer } = tensor.data as { readonly buffer?: { readonly resizable?: boolean; readonly growable?: boolean } }
  return isFixed(tensor, ['type', 'data', 'dims']) && isFixed(tensor.dims) && !buffer?.resizable && !buffer?.growable
}
