// SPDX-License-Identifier: Apache-2.0
/**
 * What a user names to get of a run, as with onnxruntime-common: names, or tensors that results are written into. Such a
 * run allocates no data, which is most of what a small model's run costs outside of Wasm.
 */
import { InputError } from '../base/errors.ts'
import { type Dtype, dtypes } from '../tensor/dtype.ts'
import { type Tensor, bytesOf, copyOfTensor } from '../tensor/tensor.ts'
import { type TensorLike, shapeText } from './feeds.ts'
import { equal } from './repeat.ts'
import type { Fetch, ValueDescription } from './session.ts'

/** Names of outputs; or, by output, null for a new tensor or the one that is to hold the result. */
export type Fetches = readonly string[] | Readonly<Record<string, TensorLike | null>>

type Targets = Readonly<Record<string, TensorLike | null>>

/** Reads fetches of one model. */
export class Fetcher {
  readonly #types: ReadonlyMap<string, Dtype>
  /** What was read last: most runs have the fetches of the one before. */
  #latest: { readonly of: unknown; readonly fetch: Fetch } | undefined

  constructor(outputs: readonly ValueDescription[]) {
    this.#types = new Map(outputs.map(({ name, type }) => [name, type]))
  }

  /** @throws InputError for what is no output, or cannot hold one */
  read(fetches: unknown): Fetch {
    if (typeof fetches !== 'object' || fetches === null) {
      const expected = 'names of outputs, or an object of tensors or nulls by output name'
      throw new InputError({ where: 'run fetches', expected, got: String(fetches) })
    }
    if (Array.isArray(fetches)) return this.read(Object.fromEntries(fetches.map((name) => [String(name), null])))
    const targets = fetches as Targets
    for (const name in targets) {
      const type = this.#types.get(name)
      if (type === undefined) throw this.#unknown(name)
      const target = targets[name]
      if (target?.type !== type && target !== null) throw unsuitable(name, type, target)
    }
    if (this.#latest?.of !== targets) this.#latest = { of: targets, fetch: fetchInto(targets) }
    return this.#latest.fetch
  }

  #unknown(name: string): InputError {
    const expected = `one of ${[...this.#types.keys()].map((known) => `'${known}'`).join(', ')}`
    return new InputError({ where: `run output '${name}'`, expected, got: 'a name the model does not have' })
  }
}

/** Whether an output is among fetches: those that a loop over them finds. */
export function isNamed(targets: object, name: string): boolean {
  return Object.keys(targets).includes(name)
}

function fetchInto(targets: Targets): Fetch {
  return {
    get names() {
      return Object.keys(targets)
    },
    take(name, value, isOwn) {
      const target = isNamed(targets, name) ? targets[name] : undefined
      if (target === null) return isOwn ? value : copyOfTensor(value)
      return target && write(name, value, target)
    },
  }
}

/** Writes a result where it is to lie. @throws InputError where it does not fit, and nothing is written */
function write(name: string, value: Tensor, target: TensorLike): Tensor {
  const { data, dims, type } = value
  const to = target.data as Uint8Array
  if (type === 'string' || !ArrayBuffer.isView(to) || !Array.isArray(target.dims)) throw unsuitable(name, type, target)
  if (!equal(dims, target.dims) || to.byteLength !== (data as Uint8Array).byteLength) {
    throw new InputError({
      where: `run output '${name}'`,
      expected: `a ${type} tensor of shape ${shapeText(dims)}`,
      got: `shape ${shapeText(target.dims)} with ${to.byteLength} bytes of data`,
    })
  }
  if (to.constructor === data.constructor) to.set(data as Uint8Array)
  else bytesOf(target as Tensor).set(bytesOf(value))
  return target as Tensor
}

function unsuitable(name: string, type: Dtype, target: Partial<TensorLike> | undefined): InputError {
  return new InputError({
    where: `run output '${name}'`,
    expected:
      type === 'string'
        ? 'null, since strings are not written in place'
        : `null or a ${type} tensor over a ${dtypes[type].array.name}`,
    got: typeof target === 'object' ? `${target.type} over ${target.data?.constructor.name}` : String(target),
  })
}
