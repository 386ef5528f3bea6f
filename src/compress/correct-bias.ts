// SPDX-License-Identifier: Apache-2.0
/**
 * Bias correction (Nagel et al. 2019, arXiv:1906.04721, section 4.2): a layer whose weights are off by e answers off
 * by e * E[x] in the mean. With the means of its inputs at hand that is known, and is taken off the bias. Borders,
 * where part of a window is padding, are left out of account.
 */
import type { WeightShape } from './quantize-weights.ts'

/**
 * What to add to the bias of each output channel.
 * @param exact the float32 weights, `after` what is stored of them, both [channels, taps, inputs]
 * @param means E[x] per input channel; of a depthwise or grouped layer, per channel of x
 * @param groups groups of a convolution: output channel c reads the inputs of group floor(c * groups / channels)
 */
export function biasCorrection(
  exact: Float32Array,
  after: Float32Array,
  { channels, taps, inputs }: WeightShape,
  means: Float64Array,
  groups = 1,
): Float32Array {
  const correction = new Float32Array(channels)
  for (let channel = 0; channel < channels; channel++) {
    const first = Math.floor((channel * groups) / channels) * inputs
    let sum = 0
    for (let tap = 0; tap < taps; tap++) {
      const row = (channel * taps + tap) * inputs
      for (let i = 0; i < inputs; i++) sum += (exact[row + i] - after[row + i]) * means[first + i]
    }
    correction[channel] = sum
  }
  return correction
}
