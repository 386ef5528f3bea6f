// SPDX-License-Identifier: Apache-2.0
/**
 * One hostile file through the whole library: told by content, read, imported, optimised, loaded and, where it loads,
 * run on made-up inputs. A trial ends in one of few ways; everything but a named error or outputs is a finding.
 */
import { StateError, WhittleError } from '../../src/base/errors.ts'
import { seededRandom } from '../../src/base/rng.ts'
import { detectStream } from '../../src/format/detect-stream.ts'
import { type Dim, symbolsOf, substitute } from '../../src/ir/dim.ts'
import { type Graph, type GraphValue, type Node, subgraphsOf } from '../../src/ir/graph.ts'
import { definitionOf, inferGraph } from '../../src/ir/infer.ts'
import type { OpSet } from '../../src/ir/op-set.ts'
import { loadOps } from '../../src/ops/table.ts'
import { memoryStream } from '../../src/platform/source.ts'
import { openContainer, refetchFrom } from '../../src/runtime/container-source.ts'
import { SessionCore } from '../../src/runtime/core.ts'
import type { KernelModule } from '../../src/runtime/module.ts'
import { graphOfOnnx } from '../../src/runtime/onnx-source.ts'
import { dtypes } from '../../src/tensor/dtype.ts'
import { Tensor } from '../../src/tensor/tensor.ts'
import { pick } from './mutate.ts'

/** `refused`: a named error at load; `failed`: one at run; `large`: it loads, and what it asks for would take long. */
export type Ending = 'refused' | 'failed' | 'ran' | 'large' | 'finding'

export interface Outcome {
  readonly ending: Ending
  readonly error?: unknown
}

/** Elements of all values of a graph together, beyond which a trial does not run it. */
const mostElements = 2 ** 22

/** Loads and runs the file. Never throws. */
export async function tryFile(bytes: Uint8Array, kernels: KernelModule, seed: number): Promise<Outcome> {
  let session: SessionCore | undefined
  let ending: Ending = 'refused'
  try {
    const { graph, ops, weights } = await open(bytes)
    session = await SessionCore.create({
      ...{ graph, ops, kernels, threads: 1, profile: false, bytes: () => bytes.length },
      ...(weights ? { weights, refetch: refetchFrom(memoryStream(bytes, 'fuzz')) } : {}),
    })
    ending = 'failed'
    const feeds = feedsFor(graph, seed)
    if (feeds === undefined || !isSmall(graph, ops, feeds)) return { ending: 'large' }
    await session.run(feeds)
    return { ending: 'ran' }
  } catch (error) {
    const isNamed = error instanceof WhittleError && !(error instanceof StateError)
    return { ending: isNamed ? ending : 'finding', error }
  } finally {
    await session?.dispose()
  }
}

async function open(bytes: Uint8Array) {
  const stream = memoryStream(bytes, 'fuzz')
  const { format, chunks } = await detectStream(stream.stream(), stream.name)
  const model: { graph: Graph; weights?: Awaited<ReturnType<typeof openContainer>>['weights'] } =
    format === 'whittle' ? await openContainer(chunks, stream, {}) : await graphOfOnnx(bytes, stream)
  const nodes = allNodes(model.graph)
  const ops = await loadOps(nodes.map(({ op }) => op))
  for (const node of nodes) definitionOf(node, ops)
  return { ...model, ops }
}

function allNodes({ nodes }: Graph): Node[] {
  return nodes.flatMap((node) => [node, ...subgraphsOf(node).flatMap(allNodes)])
}

/** Inputs that fit what the graph declares; undefined where they would be large. */
export function feedsFor({ inputs }: Graph, seed: number): Record<string, Tensor> | undefined {
  const random = seededRandom(seed)
  const symbols = new Map<string, Dim>()
  const dimOf = (dim: Dim): number => {
    for (const name of symbolsOf(dim)) if (!symbols.has(name)) symbols.set(name, 1 + Math.floor(random() * 4))
    const value = substitute(dim, symbols)
    return typeof value === 'number' ? value : 1
  }
  const feeds: [string, Tensor][] = []
  for (const input of inputs) {
    const dims = (input.dims ?? [2, 3]).map(dimOf)
    if (!dims.every((dim) => dim >= 0) || !(dims.reduce((size, dim) => size * dim, 1) <= 2 ** 18)) return undefined
    feeds.push([input.name, tensorFor(input, dims, random)])
  }
  return Object.fromEntries(feeds)
}

/** What an operator may be told at run time to make, take or repeat. */
const extremes: readonly number[] = [-1, -4, 100, 4096, 2 ** 20, 2 ** 27, 2 ** 31 - 1, -(2 ** 31)]

function tensorFor({ dtype }: GraphValue, dims: readonly number[], random: () => number): Tensor {
  const { bits, kind } = dtypes[dtype]
  const size = dims.reduce((product, dim) => product * dim, 1)
  if (kind === 'string') return new Tensor(dtype, new Array<string>(size).fill('text'), dims)
  const items = bits < 8 ? Math.ceil((size * bits) / 8) : size
  const isPlainFloat = dtype === 'float32' || dtype === 'float64'
  const values = Array.from({ length: items }, () => {
    if (isPlainFloat) return random() * 4 - 2
    return random() < 0.05 && bits >= 32 ? pick(random, extremes) : Math.floor(random() * (kind === 'bool' ? 2 : 5))
  })
  return new Tensor(dtype, values, dims)
}

export function isSmall(graph: Graph, ops: OpSet, feeds: Readonly<Record<string, Tensor>>): boolean {
  const inputs = new Map(Object.entries(feeds).map(([name, { type: dtype, dims }]) => [name, { dtype, dims }]))
  let elements = 0
  for (const { dims } of inferGraph(graph, ops, { inputs }).values()) {
    elements += (dims ?? []).reduce<number>((size, dim) => size * (typeof dim === 'number' ? dim : 1), 1)
  }
  return elements <= mostElements
}
