// SPDX-License-Identifier: Apache-2.0
/** Loading's way through an .onnx file, with its progress told. Imported only when such a file comes. */
import { concatBytes } from '../base/bytes.ts'
import { checkAborted } from '../base/check.ts'
import type { Graph } from '../ir/graph.ts'
import type { ByteStream } from '../platform/source.ts'
import { graphOfOnnx } from './onnx-source.ts'
import type { CheckedOptions } from './options.ts'

/** Reads it whole; bytes of external data are added to the counter. @throws what the source and `graphOfOnnx` throw */
export async function readOnnxModel(
  chunks: AsyncIterable<Uint8Array>,
  stream: ByteStream,
  counter: { bytes: number },
  options: CheckedOptions,
): Promise<{ graph: Graph }> {
  const { signal, onProgress } = options
  const parts: Uint8Array[] = []
  let loaded = 0
  for await (const chunk of chunks) {
    checkAborted('load', signal)
    parts.push(chunk)
    loaded += chunk.byteLength
    onProgress?.({ phase: 'read', loaded, ...(stream.size === undefined ? {} : { total: stream.size }) })
  }
  const { graph } = await graphOfOnnx(parts.length === 1 ? parts[0] : concatBytes(parts), stream, {
    passes: options.passes !== false,
    disablePasses: typeof options.passes === 'object' ? options.passes.off : [],
    ...(signal === undefined ? {} : { signal }),
    onExternal: (event) => {
      if (event.loaded > 0) counter.bytes += event.loaded
      onProgress?.({ phase: 'external data', ...event })
      checkAborted('load', signal)
    },
    onRead: () => onProgress?.({ phase: 'optimise', loaded, total: loaded }),
  })
  return { graph }
}
