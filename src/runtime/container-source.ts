// SPDX-License-Identifier: Apache-2.0
/** From the bytes of a .whittle file, as they arrive, to a graph and the stream of its large weights. */
import { FormatError } from '../base/errors.ts'
import { type StreamedContainer, streamModel } from '../model/from-container.ts'
import type { ByteStream } from '../platform/source.ts'
import type { LoadOptions } from './options.ts'
import type { Refetch } from './weights.ts'

/** The graph and its weights; `chunks` is the content of `stream`. @throws FormatError, UnsupportedError, GraphError */
export async function openContainer(
  chunks: AsyncIterable<Uint8Array>,
  { name }: ByteStream,
  { signal, onProgress }: Pick<LoadOptions, 'signal' | 'onProgress'>,
): Promise<StreamedContainer> {
  return streamModel(chunks, { where: name, ...(signal ? { signal } : {}), ...(onProgress ? { onProgress } : {}) })
}

/** Reads a weight again from the start of the source: for layouts nobody foresaw. */
export function refetchFrom(stream: ByteStream): Refetch {
  return async (constant) => {
    const { weights } = await streamModel(stream.stream(), { where: stream.name })
    let whole: Uint8Array | undefined
    let have = 0
    for await (const { constants, length, offset, bytes } of weights) {
      if (!constants.includes(constant)) continue
      whole ??= new Uint8Array(length)
      whole.set(bytes, offset)
      have += bytes.byteLength
      if (have === length) return whole
    }
    throw new FormatError({
      where: stream.name,
      expected: `the weight '${constant}'`,
      got: 'a source that changed',
      todo: 'load it again',
    })
  }
}
