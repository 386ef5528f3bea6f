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
 * half a step. No data is needed. Where inputs are known, each weight's rounding is made up for by others instead (compensation.ts).
 *
 * Narrow codes are such that hosts whose byte dot adds two products in int16 are exact (kernels/gemm.ts, pmaddubsw): two
 * neighbours along K of one sign add up to at most 128, or to 64 where two such products are added in int16. What is above that is
 * taken off both, which the choice of the scale weighs like clipping.
 */

import type { Compensation } from './compensation.ts'

/** Largest code of symmetric weights of so many bits. */
export const largestCode = { 8: 127, 4: 7 } as const

/** How many products of two neighbours by any bytes add up in int16; 0: none for sure. The attribute of operators. */
export type Narrowness = 0 | 1 | 2

/** Largest sum of two neighbours of one sign, in magnitude, by narrowness: times 255, the largest activation, and that it is an int16. */
const pairSums = [Infinity, 128, 64] as const

/** Codes that are allowed. */
interface Range {
  /** Largest magnitude. */
  readonly largest: number
  /** Largest sum of two neighbours of one sign, in magnitude. */
  readonly pairSum: number
}

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

export interface QuantizeOptions {
  /** Weights along K that share a scale, for layers of one tap, even; left out: one scale per output channel. */
  readonly block?: number
  readonly bits?: keyof typeof largestCode
  readonly narrow?: Narrowness
  /** False: each weight to the nearest, errors as they come. */
  readonly balanced?: boolean
  /** Of layers of one tap: how the rounding of an input's weight is made up for. */
  readonly compensation?: Compensation
}

/** Quantises finite weights. */
export function quantizeWeights(
  weights: Float32Array,
  shape: WeightShape,
  { block, bits = 8, narrow = 0, balanced = true, compensation }: QuantizeOptions = {},
): QuantizedWeights {
  const range = { largest: Math.min(largestCode[bits], pairSums[narrow]), pairSum: pairSums[narrow] }
  const { channels, taps, inputs } = shape
  const length = taps * inputs
  const run = Math.max(1, Math.min(block ?? length, length))
  const runs = Math.ceil(length / run)
  const codes = new Int8Array(weights.length)
  const scales = new Float32Array(channels * runs)
  for (let channel = 0; channel < channels; channel++) {
    const row = weights.subarray(channel * length, (channel + 1) * length)
    const rowCodes = codes.subarray(channel * length, (channel + 1) * length)
    const rowScales = scales.subarray(channel * runs, (channel + 1) * runs)
    for (let i = 0; i < runs; i++) {
      const values = row.subarray(i * run, (i + 1) * run)
      rowScales[i] = scaleOf(values, range)
      if (compensation !== undefined) continue
      const rounding = new Rounding(values, rowScales[i], rowCodes.subarray(i * run, (i + 1) * run), range)
      if (!balanced) continue
      if (taps > 1) for (let input = 0; input < inputs; input++) rounding.balance(input, inputs)
      rounding.balance(0, 1)
    }
    if (compensation !== undefined) roundTogether(row, rowScales, rowCodes, { run, range, compensation })
  }
  return { codes, scales, run }
}

/** The rounding of one output channel where inputs go together: each block of inputs from the first to the last. */
function roundTogether(
  row: Float32Array,
  scales: Float32Array,
  codes: Int8Array,
  { run, range, compensation }: { run: number; range: Range; compensation: Compensation },
): void {
  let at = 0
  for (const factors of compensation) {
    const width = Math.sqrt(factors.length)
    const left = Float64Array.from(row.subarray(at, at + width))
    for (let i = 0; i < width; i++, at++) {
      const scale = scales[Math.floor(at / run)]
      const code = roundedBeside(left[i] / scale, at, codes, range)
      codes[at] = code
      const error = left[i] - code * scale
      const from = i * width
      for (let j = i + 1; j < width; j++) left[j] -= error * factors[from + j]
    }
  }
}

/** The code nearest to a weight, given in steps, that is allowed beside the one before it. */
function roundedBeside(weight: number, at: number, codes: Int8Array, { largest, pairSum }: Range): number {
  let [least, most] = [-largest, largest]
  if (at % 2 === 1) {
    least = Math.max(least, -pairSum - codes[at - 1])
    most = Math.min(most, pairSum - codes[at - 1])
  }
  return Math.max(least, Math.min(most, Math.round(weight)))
}

/** Scales that are tried: the one that clips nothing, and so many smaller ones, each this share of it below the last. */
const clipping = { steps: 12, share: 0.03 } as const

function scaleOf(row: Float32Array, range: Range): number {
  let [peak, sum] = [0, 0]
  for (const weight of row) peak = Math.max(peak, Math.abs(weight))
  for (let i = 1; i < row.length; i += 2) sum = Math.max(sum, Math.abs(row[i - 1] + row[i]))
  const whole = Math.fround(Math.max(peak / range.largest, sum / range.pairSum))
  let [best, least] = [whole, Infinity]
  for (let i = 0; i < clipping.steps; i++) {
    const scale = Math.fround(whole * (1 - clipping.share * i))
    const error = scale === 0 ? Infinity : squaredError(row, scale, range)
    if (error > 1.2 * least) break
    if (error < least) [best, least] = [scale, error]
  }
  return best || 1
}

function squaredError(row: Float32Array, scale: number, range: Range): number {
  const steps = 1 / scale
  let sum = 0
  for (let i = 0; i < row.length; i += 2) {
    const [a, b] = [row[i] * steps, (row[i + 1] ?? 0) * steps]
    const [first, second] = codesOf(a, b, range)
    sum += (first - a) ** 2 + (second - b) ** 2
  }
  return sum * scale * scale
}

/** The codes of two neighbours, given in steps. */
function codesOf(a: number, b: number, range: Range): readonly [number, number] {
  const [x, y] = allowed(a, b, range)
  const first = Math.round(x)
  const second = Math.round(y)
  if (Math.abs(first + second) <= range.pairSum) return [first, second]
  return [first, Math.sign(second) * range.pairSum - first]
}

/** What is rounded: the nearest of what is allowed. */
function allowed(a: number, b: number, { largest, pairSum }: Range): readonly [number, number] {
  const x = Math.max(-largest, Math.min(largest, a))
  const y = Math.max(-largest, Math.min(largest, b))
  const excess = (Math.abs(x + y) - pairSum) / 2
  // both are of one sign where there is any, and larger than it
  return excess > 0 ? [x - Math.sign(x) * excess, y - Math.sign(y) * excess] : [x, y]
}

/** The rounding of one output channel: codes, and how far each is above the weight, in steps. */
class Rounding {
  readonly #codes: Int8Array
  readonly #errors: Float64Array
  readonly #range: Range

  constructor(row: Float32Array, scale: number, codes: Int8Array, range: Range) {
    this.#range = range
    this.#codes = codes
    this.#errors = new Float64Array(row.length)
    for (let i = 0; i < row.length; i += 2) {
      const [a, b] = [row[i] / scale, (row[i + 1] ?? 0) / scale]
      const rounded = codesOf(a, b, range)
      const exact = allowed(a, b, range)
      for (let j = 0; j < 2 && i + j < row.length; j++) {
        codes[i + j] = rounded[j]
        this.#errors[i + j] = rounded[j] - exact[j]
      }
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
    const candidates = places.filter((i) => this.#errors[i] * direction > 0 && Math.abs(this.#errors[i]) <= 0.5)
    candidates.sort((a, b) => Math.abs(this.#errors[b]) - Math.abs(this.#errors[a]) || a - b)
    let left = flips
    for (const i of candidates) {
      if (left === 0) break
      if (!this.#isAllowed(i, this.#codes[i] - direction)) continue
      this.#codes[i] -= direction
      this.#errors[i] -= direction
      left--
    }
  }

  #isAllowed(place: number, code: number): boolean {
    const { largest, pairSum } = this.#range
    return Math.abs(code) <= largest && Math.abs(code + (this.#codes[place ^ 1] ?? 0)) <= pairSum
  }
}

/** Whether codes of rows of `length` are narrow: none is larger than, and no two neighbours of one sign add up to more than is allowed. */
export function areNarrow(codes: Int8Array, length: number, narrow: Narrowness = 1): boolean {
  const most = pairSums[narrow]
  for (let start = 0; start < codes.length; start += length) {
    for (let i = 0; i < length; i += 2) {
      const [first, second] = [codes[start + i], i + 1 < length ? codes[start + i + 1] : 0]
      if (Math.max(Math.abs(first), Math.abs(second), Math.abs(first + second)) > most) return false
    }
  }
  return true
}

/** The floats that the codes stand for. @param length weights of an output channel */
export function dequantizeWeights({ codes, scales, run }: QuantizedWeights, length: number): Float32Array {
  const runs = Math.ceil(length / run)
  const floats = new Float32Array(codes.length)
  for (let i = 0; i < codes.length; i++) {
    floats[i] = codes[i] * scales[Math.floor(i / length) * runs + Math.floor((i % length) / run)]
  }
  return floats
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
