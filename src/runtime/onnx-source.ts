// SPDX-License-Identifier: Apache-2.0
/** From the bytes of an .onnx file to a graph ready to run: reader, importer, passes. Imported only when such a file comes. */
import { checkAborted } from '../base/check.ts'
import { readOnnx } from '../format/onnx.ts'
import { type Graph, type Node, subgraphsOf } from '../ir/graph.ts'
import { definitionOf } from '../ir/infer.ts'
import { type ImportOptions, fromOnnx, opsetOf } from '../model/from-onnx.ts'
import { evaluateNode, operatorsOf } from '../ops/evaluate.ts'
import { loadReferences } from '../ops/references.ts'
import { loadOps } from '../ops/table.ts'
import { type PassReport, operatorsWritten, runPasses } from '../passes/pipeline.ts'
import type { ByteStream } from '../platform/source.ts'

/** A rule of a pass that changed something at a node. */
export interface Rewrite {
  readonly pass: string
  readonly rule: string
  readonly node: string
}

export interface OnnxOptions extends ImportOptions {
  readonly signal?: AbortSignal
  /** False: the graph as it is in the file. */
  readonly passes?: boolean
  /** Names of passes to leave out. */
  readonly disablePasses?: readonly string[]
  /** Told of each rewrite of a pass, in order. */
  readonly onRewrite?: (rewrite: Rewrite) => void
  /** Told before and after a file of external data is read. */
  readonly onExternal?: (event: { readonly loaded: number; readonly total?: number }) => void
  /** Told when all is read. */
  readonly onRead?: () => void
}

export interface OnnxSource {
  /** After the passes. */
  readonly graph: Graph
  /** Before them. */
  readonly source: Graph
  /** The opset the file was written for. */
  readonly opset: number
  readonly passes: readonly PassReport[]
}

/**
 * The graph of a model; external data is looked for beside `stream`.
 * @throws FormatError, GraphError, UnsupportedError naming an operator there is none of, SourceError
 */
export async function graphOfOnnx(
  bytes: Uint8Array,
  stream: ByteStream,
  options: OnnxOptions = {},
): Promise<OnnxSource> {
  const { signal, passes = true, disablePasses = [], onRewrite, onExternal, onRead, onUnsupported } = options
  const resolve = async (location: string): Promise<Uint8Array> => {
    const file = await stream.resolve(location, signal)
    onExternal?.({ loaded: 0, ...(file.size === undefined ? {} : { total: file.size }) })
    const content = await file.bytes(signal)
    onExternal?.({ loaded: content.byteLength, total: content.byteLength })
    return content
  }
  const model = await readOnnx(bytes, { where: stream.name, resolve })
  const [source, opset] = [fromOnnx(model, onUnsupported ? { onUnsupported } : {}), opsetOf(model)]
  onRead?.()
  checkAborted('load', signal)
  if (!passes) return { graph: source, source, opset, passes: [] }
  const names = operatorsOf(source)
  const [opSet, references] = await Promise.all([
    loadOps([...names, ...operatorsWritten()]),
    loadReferences([...names, ...operatorsWritten()]),
  ])
  for (const node of allNodes(source)) definitionOf(node, opSet)
  const evaluator = { ops: opSet, references }
  const { graph, report } = runPasses(
    source,
    {
      opSet,
      evaluate: (node, inputs, opset) => evaluateNode(evaluator, node, inputs, opset),
      ...(onRewrite ? { trace: ({ pass, rule, node }) => onRewrite({ pass, rule, node }) } : {}),
    },
    { off: disablePasses },
  )
  return { graph, source, opset, passes: report }
}

function allNodes({ nodes }: Graph): Node[] {
  return nodes.flatMap((node) => [node, ...subgraphsOf(node).flatMap(allNodes)])
}
