// SPDX-License-Identifier: Apache-2.0
/**
 * Symmetric integer quantisation of weights, one scale per output channel (Krishnamoorthi 2018, arXiv:1806.08342,
 * section 3): q = round(w / s), with s at most max|w| / 127, or / 7 with 4 bits. The least value of the type is never
 * used, so that w and -w are equally exact. Where a few large weights would make the steps of all others coarse, s is
 * smaller and those are clipped: of a few scales the one with the least squared error is taken (Choukroun et al. 2019,
 * arXiv:1902.06822).
 *
 * Rounding to nearest lets the errors of a channel add up: over a flat input (a white page) the output then drifts by
 * the sum of them. As in SQuant (Guo et al. 2022, arXiv:2202.07471) some weights are therefore rounded the other way,
 * those nearest to the middle first, until the errors of each kernel, and then of the whole channel, sum to at most
 * half a step. No data is needed.
 */

/** Largest code of symmetric weights of so many bits. */
export const largestCode = { 8: 127, 4: 7 } as const

export interface QuantizedWeights {
  /** Same order as the source, one a byte whatever the bits. */
  readonly codes: Int8Array
  /** One per output channel, or one per run of it, runs fastest; 1 for a run of zeros. */
  readonly scales: Float32Array
  /** Weights that share a scale; the last run of a channel may be shorter. */
  readonly run: number
}

/** How the weights of an output channel lie: `taps` of `inputs` each, input channels fastest. */
export interface WeightShape {
  readonly channels: number
  readonly taps: number
  readonly inputs: number
}

/**
 * Quantises finite weights.
 * @param block weights along K that share a scale, for layers of one tap; left out: one scale per output channel
 */
export function quantizeWeights(
  weights: Float32Array,
  shape: WeightShape,
  block?: number,
  bits: keyof typeof largestCode = 8,
): QuantizedWeights {
  const largest = largestCode[bits]
  const { channels, taps, inputs } = shape
  const length = taps * inputs
  const run = Math.max(1, Math.min(block ?? length, length))
  const runs = Math.ceil(length / run)
  const codes = new Int8Array(weights.length)
  const scales = new Float32Array(channels * runs)
  for (let i = 0; i < scales.length; i++) {
    const start = Math.floor(i / runs) * length + (i % runs) * run
    const end = Math.min(start + run, (Math.floor(i / runs) + 1) * length)
    const values = weights.subarray(start, end)
    const scale = scaleOf(values, largest)
    scales[i] = scale
    const rounding = new Rounding(values, scale, codes.subarray(start, end), largest)
    if (taps > 1) for (let input = 0; input < inputs; input++) rounding.balance(input, inputs)
    rounding.balance(0, 1)
  }
  return { codes, scales, run }
}

/** Scales that are tried: the one that clips nothing, and so many smaller ones, each this share of it below the last. */
const clipping = { steps: 12, share: 0.03 } as const

function scaleOf(row: Float32Array, largest: number): number {
  let peak = 0
  for (const weight of row) peak = Math.max(peak, Math.abs(weight))
  const whole = Math.fround(peak / largest)
  let [best, least] = [whole, Infinity]
  for (let i = 0; i < clipping.steps; i++) {
    const scale = Math.fround(whole * (1 - clipping.share * i))
    const error = scale === 0 ? Infinity : squaredError(row, scale, largest)
    if (error > 1.2 * least) break
    if (error < least) [best, least] = [scale, error]
  }
  return best || 1
}

function squaredError(row: Float32Array, scale: number, largest: number): number {
  const steps = 1 / scale
  let sum = 0
  for (let i = 0; i < row.length; i++) {
    const exact = row[i] * steps
    const error = Math.max(-largest, Math.min(largest, Math.round(exact))) - exact
    sum += error * error
  }
  return sum * scale * scale
}

/** The rounding of one output channel: codes, and how far each is above the weight, in steps. */
class Rounding {
  readonly #codes: Int8Array
  readonly #errors: Float64Array
  readonly #largest: number

  constructor(row: Float32Array, scale: number, codes: Int8Array, largest: number) {
    this.#largest = largest
    this.#codes = codes
    this.#errors = new Float64Array(row.length)
    for (const [i, weight] of row.entries()) {
      const exact = Math.max(-largest, Math.min(largest, weight / scale))
      codes[i] = Math.round(exact)
      this.#errors[i] = codes[i] - exact
    }
  }

  /** Rounds elements from, from + step, … so that their errors sum to at most half a step; exact weights stay. */
  balance(from: number, step: number): void {
    const places: number[] = []
    let sum = 0
    for (let i = from; i < this.#errors.length; i += step) {
      places.push(i)
      sum += this.#errors[i]
    }
    const direction = Math.sign(sum)
    const flips = Math.round(Math.abs(sum))
    if (flips === 0) return
    const candidates = places.filter(
      (i) =>
        this.#errors[i] * direction > 0 &&
        Math.abs(this.#errors[i]) <= 0.5 &&
        Math.abs(this.#codes[i] - direction) <= this.#largest,
    )
    candidates.sort((a, b) => Math.abs(this.#errors[b]) - Math.abs(this.#errors[a]) || a - b)
    for (const i of candidates.slice(0, flips)) {
      this.#codes[i] -= direction
      this.#errors[i] -= direction
    }
  }
}

/** The floats that the codes stand for. @param length weights of an output channel */
export function dequantizeWeights({ codes, scales, run }: QuantizedWeights, length: number): Float32Array {
  const runs = Math.ceil(length / run)
  return Float32Array.from(
    codes,
    (code, i) => code * scales[Math.floor(i / length) * runs + Math.floor((i % length) / run)],
  )
}

/** Codes of 4 bits, two a byte, the first in the low half: the layout of int4 tensors. */
export function packNibbles(codes: Int8Array): Uint8Array {
  const packed = new Uint8Array(Math.ceil(codes.length / 2))
  codes.forEach((code, i) => (packed[i >> 1] |= (code & 15) << (4 * (i & 1))))
  return packed
}

/** Signal-to-noise ratio in decibels: 10 log10(sum a^2 / sum (a - b)^2). Infinity for equal arrays. */
export function signalToNoise(signal: ArrayLike<number>, approximation: ArrayLike<number>): number {
  let power = 0
  let noise = 0
  for (let i = 0; i < signal.length; i++) {
    power += signal[i] * signal[i]
    noise += (signal[i] - approximation[i]) ** 2
  }
  return noise === 0 ? Infinity : 10 * Math.log10(power / noise)
}
