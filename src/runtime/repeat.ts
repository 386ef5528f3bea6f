// SPDX-License-Identifier: Apache-2.0
/** What the last run was given: most runs have the names, types and shapes of the one before, and need no more checks. */
import type { GraphValue } from '../ir/graph.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { TensorLike } from './feeds.ts'

interface Given {
  readonly name: string
  readonly type: string
  readonly dims: readonly number[]
  /** Of its data. */
  readonly array: unknown
  readonly bytes: number
  /** Elements that the program was compiled for. */
  readonly content?: ArrayLike<number | bigint>
}

/** Whether two lists hold the same. */
export const equal = (a: ArrayLike<unknown>, b: ArrayLike<unknown>): boolean => {
  let i = a.length
  if (i !== b.length) return false
  while (i-- > 0) if (a[i] !== b[i]) return false
  return true
}

/** Tensors like those of a run that went well. */
export class Repeat {
  readonly #given: readonly Given[]

  /** @param follows whether a program is compiled for what an input holds */
  constructor(inputs: readonly GraphValue[], tensors: ReadonlyMap<string, Tensor>, follows: (name: string) => boolean) {
    this.#given = inputs.map(({ name }) => {
      const { type, dims, data } = tensors.get(name)!
      const content = follows(name) ? { content: (data as Int32Array).slice() } : {}
      return {
        name,
        type,
        dims: [...dims],
        array: data.constructor,
        bytes: (data as Uint8Array).byteLength,
        ...content,
      }
    })
  }

  /** The data in the order of the inputs, where all tensors are like those; else undefined. */
  dataOf(feeds: unknown): Uint8Array[] | undefined {
    if (typeof feeds !== 'object' || feeds === null || Array.isArray(feeds)) return undefined
    const named = feeds as Readonly<Record<string, Partial<TensorLike> | null | undefined>>
    const all: Uint8Array[] = []
    if (Object.keys(named).length !== this.#given.length) return undefined
    for (const { name, type, dims, array, bytes, content } of this.#given) {
      const tensor = Object.hasOwn(named, name) ? named[name] : undefined
      if (tensor?.type !== type || !Array.isArray(tensor.dims) || !equal(tensor.dims, dims)) return undefined
      const { data } = tensor as { readonly data?: Uint8Array }
      if (data === undefined || data.constructor !== array || data.byteLength !== bytes) return undefined
      if (content && !equal(data, content)) return undefined
      all.push(data)
    }
    return all
  }
}
