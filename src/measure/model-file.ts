// SPDX-License-Identifier: Apache-2.0
/**
 * A model file opened for measuring: its bytes, its graph as it runs (after the passes) and what is stored in it. Files
 * of both formats look the same from here on.
 */
import { detectFormat } from '../format/detect.ts'
import type { Graph } from '../ir/graph.ts'
import { fromContainer } from '../model/from-container.ts'
import type { PassReport } from '../passes/pipeline.ts'
import { type Source, openSource } from '../platform/source.ts'
import { graphOfOnnx } from '../runtime/onnx-source.ts'
import { byteLengthOf } from '../tensor/dtype.ts'
import { sizeOf } from '../tensor/shape.ts'

export interface ModelFile {
  readonly format: 'onnx' | 'whittle'
  /** Size of the file. */
  readonly bytes: number
  /** As it runs. */
  readonly graph: Graph
  /** Bytes of the stored weights by element type. */
  readonly byType: Readonly<Record<string, number>>
  /** What the passes did on the way from the file to the graph; empty for .whittle files, which went through them before. */
  readonly passes: readonly PassReport[]
  /** Passes that the recipe of a .whittle file had switched off. */
  readonly disabledPasses: readonly string[]
}

export interface ModelFileOptions {
  /** Passes to leave out for .onnx files. */
  readonly disablePasses?: readonly string[]
  readonly signal?: AbortSignal
}

/** Opens a model. @throws SourceError, FormatError, GraphError, UnsupportedError, AbortError */
export async function readModelFile(
  source: Source,
  { disablePasses = [], signal }: ModelFileOptions = {},
): Promise<ModelFile> {
  const stream = await openSource(source, signal)
  const bytes = await stream.bytes(signal)
  const format = detectFormat(bytes, stream.name)
  if (format === 'whittle') {
    const { graph, metadata } = fromContainer(bytes, stream.name)
    const { disablePasses: off } = (metadata.recipe ?? {}) as { disablePasses?: unknown }
    const disabledPasses = Array.isArray(off) ? off.filter((name) => typeof name === 'string') : []
    return { format, bytes: bytes.byteLength, graph, byType: bytesByType(graph), passes: [], disabledPasses }
  }
  const options = { disablePasses, ...(signal ? { signal } : {}) }
  const { graph, source: original, passes } = await graphOfOnnx(bytes, stream, options)
  return { format, bytes: bytes.byteLength, graph, byType: bytesByType(original), passes, disabledPasses: [] }
}

function bytesByType({ constants }: Graph): Record<string, number> {
  const bytes: Record<string, number> = {}
  for (const { dtype, dims } of constants.values())
    bytes[dtype] = (bytes[dtype] ?? 0) + byteLengthOf(dtype, sizeOf(dims))
  return bytes
}
