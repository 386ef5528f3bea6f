// SPDX-License-Identifier: Apache-2.0
/** From the bytes of an .onnx file to a graph ready to run: reader, importer, passes. Imported only when such a file comes. */
import { readOnnx } from '../format/onnx.ts'
import type { Graph } from '../ir/graph.ts'
import { fromOnnx } from '../model/from-onnx.ts'
import type { ByteStream } from '../platform/source.ts'
import type { CheckedOptions } from './engine.ts'

/** The graph of a model; external data is looked for beside `stream`. @throws FormatError, GraphError, UnsupportedError, SourceError */
export async function graphOfOnnx(bytes: Uint8Array, stream: ByteStream, options: CheckedOptions): Promise<Graph> {
  const resolve = async (location: string): Promise<Uint8Array> =>
    (await stream.resolve(location, options.signal)).bytes(options.signal)
  return fromOnnx(await readOnnx(bytes, { where: stream.name, resolve }))
}
