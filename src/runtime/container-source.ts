// SPDX-License-Identifier: Apache-2.0
/** From the bytes of a .whittle file, as they arrive, to a graph and the stream of its large weights. */
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

/** Reads a weight again. */
export function refetchFrom(stream: ByteStream): Refetch {
  return async (constant) => (await import('./refetch.ts')).refetch(stream, constant)
}
