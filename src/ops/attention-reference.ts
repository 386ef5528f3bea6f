// SPDX-License-Identifier: Apache-2.0
/** Attention in double precision, for the references of operators that differ in how heads are laid out, joined to a cache and masked. */
import { sizeOf } from '../tensor/shape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { numbersOf } from './numeric.ts'

/** A dense [batch, heads, sequence, size] array. */
export interface Heads {
  readonly data: Float64Array
  readonly dims: readonly [number, number, number, number]
}

/** Bias of the score of batch b, head h, query i, key j. */
export type Bias = (b: number, h: number, i: number, j: number) => number

/** The heads of a tensor of rank 3 or 4: [batch, sequence, heads * size] or [batch, heads, sequence, size]. */
export function headsOf(tensor: Tensor, heads: number): Heads {
  const data = Float64Array.from(numbersOf(tensor))
  if (tensor.dims.length === 4) return { data, dims: tensor.dims as unknown as Heads['dims'] }
  const [batch, sequence, hidden] = tensor.dims
  return splitHeads(data, [batch, sequence, heads, hidden / heads])
}

/** [batch, sequence, heads, size] as heads. */
export function splitHeads(data: Float64Array, [batch, sequence, heads, size]: readonly number[]): Heads {
  return { data: swapped(data, batch, sequence, heads, size), dims: [batch, heads, sequence, size] }
}

/** [batch, a, b, run] as [batch, b, a, run]. */
export function swapped(data: Float64Array, batch: number, a: number, b: number, run: number): Float64Array {
  const result = new Float64Array(data.length)
  for (let n = 0; n < batch; n++) {
    for (let i = 0; i < a; i++) {
      for (let j = 0; j < b; j++) {
        const from = ((n * a + i) * b + j) * run
        result.set(data.subarray(from, from + run), ((n * b + j) * a + i) * run)
      }
    }
  }
  return result
}

/** The cache, [batch, heads, places, size], with the new places behind it. */
export function appended(past: Tensor | null | undefined, now: Heads): Heads {
  if (!past) return now
  const [batch, heads, sequence, size] = now.dims
  const before = past.dims[2]
  const earlier = numbersOf(past)
  const total = before + sequence
  const data = new Float64Array(batch * heads * total * size)
  for (let h = 0; h < batch * heads; h++) {
    for (let i = 0; i < before * size; i++) data[h * total * size + i] = earlier[h * before * size + i]
    data.set(now.data.subarray(h * sequence * size, (h + 1) * sequence * size), h * total * size + before * size)
  }
  return { data, dims: [batch, heads, total, size] }
}

export interface Attending {
  readonly scale: number
  /** cap * tanh(score / cap) in the place of scores where it is more than 0. */
  readonly cap?: number
  readonly bias: Bias
  /** By head: what e to the power of it is added to the sum that weights are divided by. */
  readonly sink?: (head: number) => number
  /** Rows all of whose biases are -inf give zeros; NaN where left out. */
  readonly zerosWhereMasked?: boolean
  /** The scores that are handed out, as they are after this step. */
  readonly handed?: 'product' | 'capped' | 'biased' | 'weights'
}

/** softmax(scale * q k^T, capped, + bias) v, and scores [batch, heads, queries, keys] where asked for. Query heads share key heads in groups. */
export function attendHeads(q: Heads, k: Heads, v: Heads, how: Attending): { y: Heads; handed: Float64Array } {
  const { scale, cap = 0, bias, sink, zerosWhereMasked = false } = how
  const [batch, heads, length, size] = q.dims
  const [, keyHeads, total, width] = v.dims
  const handed = new Float64Array(how.handed ? sizeOf([batch, heads, length, total]) : 0)
  const y = new Float64Array(batch * heads * length * width)
  for (let row = 0; row < batch * heads * length; row++) {
    const [b, h, i] = [Math.floor(row / (heads * length)), Math.floor(row / length) % heads, row % length]
    const own = b * keyHeads + Math.floor((h * keyHeads) / heads)
    const product = new Float64Array(total)
    for (let j = 0; j < total; j++) {
      let sum = 0
      for (let c = 0; c < size; c++) sum += q.data[row * size + c] * k.data[(own * k.dims[2] + j) * size + c]
      product[j] = sum * scale
    }
    const capped = cap > 0 ? product.map((s) => cap * Math.tanh(s / cap)) : product
    const biases = product.map((_, j) => bias(b, h, i, j))
    const biased = capped.map((s, j) => s + biases[j])
    const isMasked = zerosWhereMasked && biases.every((s) => s === -Infinity)
    const weights = isMasked ? new Float64Array(total) : softmax(biased, sink?.(h))
    if (how.handed) handed.set({ product, capped, biased, weights }[how.handed], row * total)
    for (let j = 0; j < total; j++) {
      if (weights[j] === 0) continue
      for (let c = 0; c < width; c++) y[row * width + c] += weights[j] * v.data[(own * total + j) * width + c]
    }
  }
  return { y: { data: y, dims: [batch, heads, length, width] }, handed }
}

/** exp(v - max) over their sum, and that of the sink. */
function softmax(scores: Float64Array, sink = -Infinity): Float64Array {
  const most = scores.reduce((a, b) => Math.max(a, b), sink)
  const powers = scores.map((v) => Math.exp(v - most))
  const total = powers.reduce((a, b) => a + b, sink === -Infinity ? 0 : Math.exp(sink - most))
  return powers.map((v) => v / total)
}
