// SPDX-License-Identifier: Apache-2.0
/**
 * What inputs of a model tell of the inputs of its layers, over all positions of all samples: the mean of each channel,
 * and how channels go together, E[x x^T]. It is measured by running the float32 graph with those values as additional
 * outputs. One thread runs it: a page's own thread, where compress may be called, must not wait for others.
 */
import { checkAborted } from '../base/check.ts'
import { GraphError, InputError } from '../base/errors.ts'
import { writeContainer } from '../format/container.ts'
import { gcd } from '../ir/dim.ts'
import type { Graph } from '../ir/graph.ts'
import { toContainer } from '../model/to-container.ts'
import { openModel } from '../runtime/engine.ts'
import type { Feeds } from '../runtime/feeds.ts'
import { checkOptions } from '../runtime/options.ts'
import type { Tensor } from '../tensor/tensor.ts'

/** Inputs of a model, a set at a time. */
export type Calibration = Iterable<Feeds> | AsyncIterable<Feeds>

/**
 * Channels whose second moments are kept together: a matrix of so many rows is factored in a moment, and twice as many gain
 * half a decibel.
 */
export const momentChannels = 128

/** What is known of a value with channels on its last axis. */
export interface ValueStatistics {
  /** E[x] per channel. */
  readonly means: Float64Array
  /** E[x^2], the least and the largest x per channel. */
  readonly squares: Float64Array
  readonly least: Float64Array
  readonly most: Float64Array
  /** E[x x^T] of each `momentChannels` channels, row-major; none where they were not asked for. */
  readonly moments: readonly Float64Array[]
  /** Rows the moments were taken of, or would have been. */
  readonly rows: number
}

export type Statistics = ReadonlyMap<string, ValueStatistics>

/** Rows of a value that count towards its moments, of each sample: evenly chosen where there are more. */
const mostRows = 256

export interface MeasureOptions {
  /** Of which values moments are wanted; of all where left out. */
  readonly moments?: ReadonlySet<string>
  readonly signal?: AbortSignal
  /** The same numbers on every host. */
  readonly deterministic?: boolean
}

/**
 * Statistics of `values` (names of float32 values with channels last) over the calibration data.
 * @throws InputError when there is no data or it does not fit the model
 */
export async function measureValues(
  graph: Graph,
  values: readonly string[],
  calibration: Calibration,
  { moments, signal, deterministic = false }: MeasureOptions = {},
): Promise<Statistics> {
  const known = new Set(graph.outputs.map(({ name }) => name))
  const wanted = [...new Set(values)].filter((name) => !known.has(name))
  const taps = wanted.map((name) => ({ name, dtype: 'float32' as const, dims: null }))
  const file = writeContainer(toContainer({ ...graph, outputs: [...graph.outputs, ...taps] }))
  const core = await openModel(
    file,
    await checkOptions({ threads: 1, deterministic, ...(signal === undefined ? {} : { signal }) }),
  )
  const sums = new Map<string, Sums>()
  let samples = 0
  try {
    for await (const feeds of calibration) {
      checkAborted('compress', signal)
      const outputs = await core.run(feeds)
      for (const name of new Set(values)) {
        const sum = sums.get(name) ?? new Sums(name, outputs[name], moments?.has(name) ?? true)
        sums.set(name, sum)
        sum.add(outputs[name])
      }
      samples++
    }
  } finally {
    await core.dispose()
  }
  if (samples === 0)
    throw new InputError({ where: 'options.calibration', expected: 'at least one set of inputs', got: 'none' })
  return new Map([...sums].map(([name, sum]) => [name, sum.statistics()]))
}

/** Columns of a picture of which rows are taken, at least, where it has so many. */
const leastColumns = 16

/** Rows from one that is taken to the next; a step that shares a large factor with the width would see a few columns alone. */
function stepOver(rows: number, width: number): number {
  let step = Math.ceil(rows / mostRows)
  while (step > 1 && width / gcd(step, width) < Math.min(width, leastColumns)) step++
  return step
}

class Sums {
  readonly #width: number
  readonly #totals: Float64Array
  readonly #squares: Float64Array
  readonly #least: Float64Array
  readonly #most: Float64Array
  readonly #products: readonly Float64Array[]
  #rows = 0
  #momentRows = 0

  constructor(name: string, { type, dims }: Tensor, hasMoments: boolean) {
    const width = dims[dims.length - 1]
    if (type !== 'float32' || width === undefined) {
      throw new GraphError({
        where: `value '${name}'`,
        expected: 'float32 with channels',
        got: `${type} [${dims.join(', ')}]`,
      })
    }
    this.#width = width
    this.#totals = new Float64Array(width)
    this.#squares = new Float64Array(width)
    this.#least = new Float64Array(width).fill(Infinity)
    this.#most = new Float64Array(width).fill(-Infinity)
    this.#products = Array.from({ length: hasMoments ? Math.ceil(width / momentChannels) : 0 }, (_, i) => {
      return new Float64Array(Math.min(momentChannels, width - i * momentChannels) ** 2)
    })
  }

  add({ data, dims }: Tensor): void {
    const numbers = data as Float32Array
    const [width, totals, squares, least, most] = [this.#width, this.#totals, this.#squares, this.#least, this.#most]
    const rows = width === 0 ? 0 : numbers.length / width
    for (let row = 0, i = 0; row < rows; row++) {
      for (let channel = 0; channel < width; channel++, i++) {
        const number = numbers[i]
        totals[channel] += number
        squares[channel] += number * number
        if (number < least[channel]) least[channel] = number
        if (number > most[channel]) most[channel] = number
      }
    }
    this.#rows += rows
    if (rows === 0) return
    if (this.#products.length === 0) {
      this.#momentRows += Math.min(rows, mostRows)
      return
    }
    const step = stepOver(rows, dims.at(-2) ?? 1)
    const taken = Math.ceil(rows / step)
    for (let i = 0; i < taken; i += 4) {
      const firsts = [i, i + 1, i + 2, i + 3].map((at) => (at < taken ? at * step * width : -1))
      this.#addProducts(numbers, firsts as [number, number, number, number])
    }
    this.#momentRows += taken
  }

  /** Of four rows, which begin at `firsts` or are none, the upper half of each matrix: four at once are twice as fast as one. */
  #addProducts(numbers: Float32Array, firsts: readonly [number, number, number, number]): void {
    let channel = 0
    for (const products of this.#products) {
      const width = Math.sqrt(products.length)
      const [p, q, r, s] = firsts.map((first) =>
        first < 0
          ? new Float64Array(width)
          : Float64Array.from(numbers.subarray(first + channel, first + channel + width)),
      )
      for (let a = 0; a < width; a++) {
        const [pa, qa, ra, sa] = [p[a], q[a], r[a], s[a]]
        const to = a * width
        for (let b = a; b < width; b++) products[to + b] += pa * p[b] + qa * q[b] + ra * r[b] + sa * s[b]
      }
      channel += width
    }
  }

  statistics(): ValueStatistics {
    const moments = this.#products.map((products) => {
      const width = Math.sqrt(products.length)
      return products.map((_, i) => {
        const [a, b] = [Math.floor(i / width), i % width]
        return products[Math.min(a, b) * width + Math.max(a, b)] / Math.max(1, this.#momentRows)
      })
    })
    const mean = (sum: number) => sum / Math.max(1, this.#rows)
    const [means, squares] = [this.#totals.map(mean), this.#squares.map(mean)]
    return { means, squares, least: this.#least, most: this.#most, moments, rows: this.#momentRows }
  }
}
