// SPDX-License-Identifier: Apache-2.0
/**
 * How far each layer's output is off when the whole model runs: both graphs get the outputs of their layers as outputs
 * of the model and run on the same inputs. Layers are looked at in groups, so that memory holds the outputs of one group
 * at a time. A layer's error includes what the layers before it did.
 */
import { checkAborted } from '../base/check.ts'
import { writeContainer } from '../format/container.ts'
import type { Graph } from '../ir/graph.ts'
import { toContainer } from '../model/to-container.ts'
import { openNear } from '../runtime/near.ts'
import type { Feeds } from '../runtime/feeds.ts'
import type { PlainOptions } from '../runtime/options.ts'
import type { SessionBackend } from '../runtime/session.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { Noise } from './noise.ts'

/** Layers whose outputs are kept at once. */
const groupSize = 24

export interface LayerNoiseOptions {
  readonly load: PlainOptions
  readonly signal?: AbortSignal
  /** Told how many of the layers are done. */
  readonly onProgress?: (done: number) => void
}

/**
 * Signal-to-noise of values that both graphs compute, decibels by name. Values whose types or shapes differ between the
 * graphs (another layout) are left out.
 * @param values names of float32 values
 * @param inputs sets of feeds; the ratio is over all of them
 */
export async function layerNoise(
  graphs: readonly [Graph, Graph],
  values: readonly string[],
  inputs: readonly Feeds[],
  { load, signal, onProgress }: LayerNoiseOptions,
): Promise<Map<string, number>> {
  const result = new Map<string, number>()
  for (let from = 0; from < values.length; from += groupSize) {
    checkAborted('measure', signal)
    onProgress?.(from)
    const group = values.slice(from, from + groupSize)
    for (const [name, decibels] of await groupNoise(graphs, group, inputs, load)) result.set(name, decibels)
  }
  return result
}

async function groupNoise(
  graphs: readonly [Graph, Graph],
  group: readonly string[],
  inputs: readonly Feeds[],
  load: PlainOptions,
): Promise<[string, number][]> {
  const sums = new Map(group.map((name) => [name, new Noise()]))
  const reference = await openExposed(graphs[0], group, load)
  try {
    const other = await openExposed(graphs[1], group, load)
    try {
      for (const feeds of inputs) addNoise(sums, await reference.run(feeds), await other.run(feeds))
    } finally {
      await other.dispose()
    }
  } finally {
    await reference.dispose()
  }
  return [...sums].map(([name, noise]) => [name, noise.decibels])
}

function addNoise(sums: Map<string, Noise>, reference: Record<string, Tensor>, other: Record<string, Tensor>): void {
  for (const [name, noise] of sums) {
    const [a, b] = [reference[name], other[name]]
    if (a.type === b.type && a.dims.join() === b.dims.join()) noise.add(a.data, b.data)
    else sums.delete(name)
  }
}

/** The model with `values` as further outputs. */
function openExposed(graph: Graph, values: readonly string[], load: PlainOptions): Promise<SessionBackend> {
  const known = new Set(graph.outputs.map(({ name }) => name))
  const added = values
    .filter((name) => !known.has(name))
    .map((name) => ({ name, dtype: 'float32' as const, dims: null }))
  return openNear(writeContainer(toContainer({ ...graph, outputs: [...graph.outputs, ...added] })), load)
}
