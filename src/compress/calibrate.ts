// SPDX-License-Identifier: Apache-2.0
/**
 * What calibration data tells: the mean of each input channel of the layers that are to be quantised, over all
 * positions of all samples, measured by running the float32 graph with those inputs as additional outputs. One thread
 * runs it: a page's own thread, where compress may be called, must not wait for others.
 */
import { checkAborted } from '../base/check.ts'
import { GraphError, InputError } from '../base/errors.ts'
import { writeContainer } from '../format/container.ts'
import type { Graph } from '../ir/graph.ts'
import { toContainer } from '../model/to-container.ts'
import { openModel } from '../runtime/engine.ts'
import type { Feeds } from '../runtime/feeds.ts'
import { checkOptions } from '../runtime/options.ts'
import type { Tensor } from '../tensor/tensor.ts'

/** Inputs of a model, a set at a time. */
export type Calibration = Iterable<Feeds> | AsyncIterable<Feeds>

/** Means per channel of each value, channels on the last axis. */
export type ChannelMeans = ReadonlyMap<string, Float64Array>

interface Sums {
  readonly channels: Float64Array
  rows: number
}

/**
 * Means of `values` (names of float32 values with channels last) over the calibration data.
 * @throws InputError when there is no data or it does not fit the model
 */
export async function measureMeans(
  graph: Graph,
  values: readonly string[],
  calibration: Calibration,
  signal?: AbortSignal,
): Promise<ChannelMeans> {
  const known = new Set(graph.outputs.map(({ name }) => name))
  const wanted = [...new Set(values)].filter((name) => !known.has(name))
  const taps = wanted.map((name) => ({ name, dtype: 'float32' as const, dims: null }))
  const file = writeContainer(toContainer({ ...graph, outputs: [...graph.outputs, ...taps] }))
  const core = await openModel(file, await checkOptions({ threads: 1, ...(signal === undefined ? {} : { signal }) }))
  const sums = new Map<string, Sums>()
  let samples = 0
  try {
    for await (const feeds of calibration) {
      checkAborted('compress', signal)
      const outputs = await core.run(feeds)
      for (const name of values) addRows(sums, name, outputs[name])
      samples++
    }
  } finally {
    await core.dispose()
  }
  if (samples === 0)
    throw new InputError({ where: 'options.calibration', expected: 'at least one set of inputs', got: 'none' })
  return new Map([...sums].map(([name, { channels, rows }]) => [name, channels.map((sum) => sum / Math.max(1, rows))]))
}

function addRows(sums: Map<string, Sums>, name: string, { type, data, dims }: Tensor): void {
  const width = dims[dims.length - 1]
  if (type !== 'float32' || width === undefined) {
    throw new GraphError({
      where: `value '${name}'`,
      expected: 'float32 with channels',
      got: `${type} [${dims.join(', ')}]`,
    })
  }
  const sum = sums.get(name) ?? { channels: new Float64Array(width), rows: 0 }
  sums.set(name, sum)
  const numbers = data as Float32Array
  for (let i = 0; i < numbers.length; i++) sum.channels[i % width] += numbers[i]
  sum.rows += width === 0 ? 0 : numbers.length / width
}
