// SPDX-License-Identifier: Apache-2.0
/**
 * Loads a model in this thread: finds out by content what it is, gets its graph and operators, chooses a build, and makes
 * the session's core. What only .onnx files need is imported when one comes.
 */
import { checkAborted } from '../base/check.ts'
import { detectStream } from '../format/detect-stream.ts'
import { type Graph, type Node, subgraphsOf } from '../ir/graph.ts'
import { definitionOf } from '../ir/infer.ts'
import type { OpSet } from '../ir/op-set.ts'
import { loadOps } from '../ops/table.ts'
import { describeHost, runtimeOf } from '../platform/host.ts'
import { type ByteStream, type Source, openSource } from '../platform/source.ts'
import { openContainer, refetchFrom } from './container-source.ts'
import { SessionCore } from './core.ts'
import { type KernelModule, Modules } from './module.ts'
import { type CheckedOptions, threadsFor } from './options.ts'

/** Loads. @throws what the reader, the graph's checks, the host's probe and the platform throw, each of its named class */
export async function openModel(source: Source, options: CheckedOptions): Promise<SessionCore> {
  return openStream(await openSource(source, options.signal), options)
}

/** The same from a source that was opened by someone else. */
export async function openStream(stream: ByteStream, options: CheckedOptions): Promise<SessionCore> {
  const { signal } = options
  const threads = threadsFor(options.threads, describeHost(), options.wasm)
  const compiling = new Modules(options.wasm).choose(options.kernels, threads > 1)
  compiling.catch(() => undefined)
  const content = stream.stream(signal)[Symbol.asyncIterator]()
  try {
    return await openContent(stream, content, compiling, threads, options)
  } catch (error) {
    // generators around it that nobody has asked for a piece yet don't close what they stand on
    await content.return?.()
    throw error
  }
}

async function openContent(
  stream: ByteStream,
  content: AsyncIterator<Uint8Array>,
  compiling: Promise<KernelModule>,
  threads: number,
  options: CheckedOptions,
): Promise<SessionCore> {
  const { signal, profile } = options
  const counter = { bytes: 0 }
  const { format, chunks } = await detectStream(counted(content, counter), stream.name)
  const model =
    format === 'whittle'
      ? await openContainer(chunks, stream, options)
      : await (await import('./onnx-load.ts')).readOnnxModel(chunks, stream, counter, options)
  const weights = 'weights' in model ? { weights: model.weights, refetch: refetchFrom(stream) } : {}
  checkAborted('load', signal)
  const ops = await opsOf(model.graph)
  const core = await SessionCore.create({
    graph: model.graph,
    ops,
    kernels: await compiling,
    threads,
    searchThreads: options.threads === 'auto',
    profile,
    // in a page clocks are coarse and every byte is fetched
    measure: !options.deterministic && !['page', 'worker'].includes(runtimeOf()),
    fixedForms: options.deterministic,
    measurements: !options.deterministic && options.measurements,
    bytes: () => counter.bytes,
    ...weights,
  })
  try {
    checkAborted('load', signal)
    options.onProgress?.({ phase: 'ready', loaded: counter.bytes, total: counter.bytes })
    checkAborted('load', signal)
    return core
  } catch (error) {
    await core.dispose()
    throw error
  }
}

async function* counted(chunks: AsyncIterator<Uint8Array>, counter: { bytes: number }): AsyncGenerator<Uint8Array> {
  try {
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) {
      counter.bytes += next.value.byteLength
      yield next.value
    }
  } finally {
    await chunks.return?.()
  }
}

/** Definitions of all operators in the graph and the graphs inside it. @throws UnsupportedError for one there is none of */
async function opsOf(graph: Graph): Promise<OpSet> {
  const nodes = allNodes(graph)
  const ops = await loadOps(nodes.map(({ op }) => op))
  for (const node of nodes) definitionOf(node, ops)
  return ops
}

function allNodes({ nodes }: Graph): Node[] {
  return nodes.flatMap((node) => [node, ...subgraphsOf(node).flatMap(allNodes)])
}
