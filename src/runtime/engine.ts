// SPDX-License-Identifier: Apache-2.0
/**
 * Loads a model in this thread: finds out by content what it is, gets its graph and operators, chooses a build, and makes
 * the session's core. What only .onnx files need is imported when one comes.
 */
import { checkAborted } from '../base/check.ts'
import { type Graph, subgraphsOf } from '../ir/graph.ts'
import type { OpSet } from '../ir/op-set.ts'
import { loadOps } from '../ops/table.ts'
import { describeHost } from '../platform/host.ts'
import { type Source, openSource } from '../platform/source.ts'
import { SessionCore } from './core.ts'
import { Modules } from './module.ts'
import { type LoadOptions, type PlainOptions, threadsFor } from './options.ts'

/** Options of which the plain part is complete. */
export type CheckedOptions = PlainOptions & Pick<LoadOptions, 'onProgress' | 'signal'>

/** Loads. @throws what the reader, the graph's checks, the host's probe and the platform throw, each of its named class */
export async function openModel(source: Source, options: CheckedOptions): Promise<SessionCore> {
  const { signal, onProgress } = options
  const host = describeHost()
  const threads = threadsFor(options.threads, host)
  const stream = await openSource(source, signal)
  const [kernels, bytes] = await Promise.all([new Modules().choose(options.kernels, threads > 1), stream.bytes(signal)])
  onProgress?.({ phase: 'read', loaded: bytes.byteLength, total: bytes.byteLength })
  const { graphOfOnnx } = await import('./onnx-source.ts')
  const graph = await graphOfOnnx(bytes, stream, options)
  checkAborted('load', signal)
  const ops = await opsOf(graph)
  const core = await SessionCore.create({ graph, ops, kernels, threads, profile: options.profile, bytes: bytes.byteLength })
  if (signal?.aborted === true) {
    await core.dispose()
    checkAborted('load', signal)
  }
  return core
}

/** Definitions of all operators in the graph and the graphs inside it. */
async function opsOf(graph: Graph): Promise<OpSet> {
  const names = new Set<string>()
  const visit = ({ nodes }: Graph): void => {
    for (const node of nodes) {
      names.add(node.op)
      subgraphsOf(node).forEach(visit)
    }
  }
  visit(graph)
  return loadOps(names)
}
