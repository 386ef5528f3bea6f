// SPDX-License-Identifier: Apache-2.0
/**
 * Symmetric integer quantisation of weights, one scale per output channel (Krishnamoorthi 2018, arXiv:1806.08342,
 * section 3): q = round(w / s), s = max|w| / 127. The value -128 is never used, so that w and -w are equally exact.
 * Output channels are the first axis, as in all operators of the whittle domain.
 */

/** Largest code of a symmetric int8 weight. */
const INT8_MAX = 127

export interface QuantizedWeights {
  /** Same order as the source. */
  readonly codes: Int8Array
  /** One per output channel; 1 for a channel of zeros. */
  readonly scales: Float32Array
}

/** Quantises `channels` rows of equal length. NaN becomes 0 and infinities the largest code. */
export function quantizeWeights(weights: Float32Array, channels: number): QuantizedWeights {
  const length = channels === 0 ? 0 : weights.length / channels
  const codes = new Int8Array(weights.length)
  const scales = new Float32Array(channels)
  for (let channel = 0; channel < channels; channel++) {
    const start = channel * length
    let peak = 0
    for (let i = start; i < start + length; i++) {
      const size = Math.abs(weights[i])
      if (size > peak && size < Infinity) peak = size
    }
    const scale = Math.fround(peak / INT8_MAX) || 1
    scales[channel] = scale
    for (let i = start; i < start + length; i++) {
      const code = Math.round(weights[i] / scale)
      codes[i] = Math.max(-INT8_MAX, Math.min(INT8_MAX, code)) || 0
    }
  }
  return { codes, scales }
}

/** The floats that the codes stand for. */
export function dequantizeWeights({ codes, scales }: QuantizedWeights): Float32Array {
  const length = scales.length === 0 ? 0 : codes.length / scales.length
  return Float32Array.from(codes, (code, i) => code * scales[Math.floor(i / length)])
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
