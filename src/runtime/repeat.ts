// SPDX-License-Identifier: Apache-2.0
/** What the last run was given: most runs have the names, types and shapes of the one before, and need no more checks. */
import type { GraphValue } from '../ir/graph.ts'
import { Tensor } from '../tensor/tensor.ts'

interface Given {
  readonly name: string
  readonly type: string
  readonly dims: readonly number[]
  /** Bytes of its data. */
  readonly bytes: number
  /** Elements that the program was compiled for. */
  readonly content?: ArrayLike<number | bigint>
}

const equal = (a: ArrayLike<unknown>, b: ArrayLike<unknown>): boolean => {
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
      return { name, type, dims: [...dims], bytes: (data as Uint8Array).byteLength, ...content }
    })
  }

  /** The tensors in the order of the inputs, where all are like those; else undefined. */
  tensorsOf(feeds: unknown): Tensor[] | undefined {
    const named = (feeds ?? {}) as Readonly<Record<string, unknown>>
    const tensors: Tensor[] = []
    if (Object.keys(named).length !== this.#given.length) return undefined
    for (const { name, type, dims, bytes, content } of this.#given) {
      const tensor = named[name]
      if (!(tensor instanceof Tensor) || tensor.type !== type || !equal(tensor.dims, dims)) return undefined
      const data = tensor.data as Uint8Array
      if (data.byteLength !== bytes || (content && !equal(data, content))) return undefined
      tensors.push(tensor)
    }
    return tensors
  }
}
