// SPDX-License-Identifier: Apache-2.0
/**
 * Layers whose input channels differ much in size lose to rounding what channels of one size would not: one range for all
 * makes the steps of the small ones coarse. Dividing each channel of x by t and multiplying its weights by t changes
 * nothing but that (SmoothQuant, Xiao et al. 2022, arXiv:2211.10438; Nagel et al. 2019, arXiv:1906.04721, section 4.1). Of a
 * few t the one is taken that leaves least noise, by what is known of the inputs; where that gains little, the layer stays as
 * it is, since the division is a pass over x and t is stored.
 */
import type { ValueStatistics } from './calibrate.ts'
import type { WeightShape } from './quantize-weights.ts'

/** Share of the noise that may be left for a layer to be worth it. */
const worthwhile = 0.5
/** Output channels whose largest weights are looked at; more tell nothing else. */
const mostChannels = 128
/** No channel counts as smaller than this share of the largest: one that was hardly seen may be there after all. */
const leastShare = 1e-3

/** How weights are stored. */
export interface StoredForm {
  /** Largest code. */
  readonly largest: number
  /** Weights along K that share a scale; left out: those of an output channel. */
  readonly block?: number
}

/** What each channel of x is divided by; undefined where that is not worth it. */
export function equalization(
  weights: Float32Array,
  shape: WeightShape,
  values: ValueStatistics,
  form: StoredForm,
): Float32Array | undefined {
  const sizes = values.least.map((low, i) => Math.max(-low, values.most[i]))
  const powers = columnPowers(weights, shape)
  const norms = powers.map((power) => Math.sqrt(power / (shape.channels * shape.taps)))
  const x = raised(sizes)
  const w = raised(norms)
  if (x === undefined || w === undefined) return
  const candidates = [
    w.map((norm) => 1 / Math.sqrt(norm)),
    // which inputs of a convolution are large is told less well by inputs of another kind than which weights are
    ...(shape.taps > 1 ? [] : [x.map((size, i) => Math.sqrt(size / w[i]))]),
    ...(form.block === undefined ? [] : [largestOfBlocks(x, form.block)]),
  ]
  const noise = (t: Float64Array) => noiseOf(weights, shape, powers, values, form, t)
  const noises = candidates.map(noise)
  const best = noises.indexOf(Math.min(...noises))
  const before = noise(new Float64Array(sizes.length).fill(1))
  return noises[best] < worthwhile * before ? Float32Array.from(candidates[best]) : undefined
}

/** The numbers, none too small; undefined where they say nothing. */
function raised(numbers: Float64Array): Float64Array | undefined {
  const floor = leastShare * numbers.reduce((a, b) => Math.max(a, b), 0)
  return floor > 0 && Number.isFinite(floor) ? numbers.map((number) => Math.max(floor, number)) : undefined
}

function largestOfBlocks(numbers: Float64Array, block: number): Float64Array {
  return numbers.map((_, i) => {
    const first = i - (i % block)
    return Math.max(...numbers.subarray(first, first + block))
  })
}

/** Sum of w^2 per input channel. */
function columnPowers(weights: Float32Array, { inputs }: WeightShape): Float64Array {
  const powers = new Float64Array(inputs)
  for (let i = 0, channel = 0; i < weights.length; i++) {
    powers[channel] += weights[i] * weights[i]
    if (++channel === inputs) channel = 0
  }
  return powers
}

/**
 * Twelve times the mean square of what rounding adds to the outputs, summed over them, where channels do not go together: a step
 * of x is a 255th of its range, one of a weight the largest of its run over the largest code.
 * @param powers sum of w^2 per input channel
 */
function noiseOf(
  weights: Float32Array,
  { channels, taps, inputs }: WeightShape,
  powers: Float64Array,
  { least, most, squares }: ValueStatistics,
  { largest, block }: StoredForm,
  t: Float64Array,
): number {
  const length = taps * inputs
  const run = taps > 1 ? length : (block ?? length)
  let [low, high, spread] = [0, 0, 0]
  for (let i = 0; i < inputs; i++) {
    low = Math.min(low, least[i] / t[i])
    high = Math.max(high, most[i] / t[i])
    spread += powers[i] * t[i] * t[i]
  }
  const step = Math.ceil(channels / mostChannels) * length
  const share = Math.ceil((channels * length) / step) / channels
  let ofWeights = 0
  for (let from = 0; from < length; from += run) {
    const to = Math.min(from + run, length)
    let [power, peaks] = [0, 0]
    for (let i = from; i < to; i++) power += squares[i % inputs] / t[i % inputs] ** 2
    for (let row = 0; row < channels * length; row += step) {
      let peak = 0
      for (let i = from, channel = from % inputs; i < to; i++) {
        const weight = Math.abs(weights[row + i]) * t[channel]
        if (weight > peak) peak = weight
        if (++channel === inputs) channel = 0
      }
      peaks += peak * peak
    }
    ofWeights += power * peaks
  }
  return ((high - low) / 255) ** 2 * spread + ofWeights / largest ** 2 / share
}

/** What is known of x / t. */
export function dividedBy(t: Float32Array, values: ValueStatistics): ValueStatistics {
  const divided = (numbers: Float64Array) => numbers.map((value, i) => value / t[i])
  let first = 0
  return {
    rows: values.rows,
    means: divided(values.means),
    least: divided(values.least),
    most: divided(values.most),
    squares: divided(divided(values.squares)),
    moments: values.moments.map((matrix) => {
      const width = Math.sqrt(matrix.length)
      const of = t.subarray(first, (first += width))
      return matrix.map((value, i) => value / (of[Math.floor(i / width)] * of[i % width]))
    }),
  }
}
