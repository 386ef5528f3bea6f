// SPDX-License-Identifier: Apache-2.0
/** The packed layouts of B (src/kernels/gemm.ts), built one element at a time; shared by the oracles that read or write them. */
import { randomFloats, randomIntegers } from '../values.ts'

/** The forms of a product: what A holds, and how many k make a group of B. */
export const kinds = {
  f32: { group: 1, values: (random: () => number, length: number) => randomFloats(random, length) },
  s8_dot: {
    group: 4,
    values: (random: () => number, length: number) => randomIntegers(Uint8Array, random, length, 0, 127),
  },
  /** Weights are narrow. */
  s8_narrow: {
    group: 4,
    values: (random: () => number, length: number) => randomIntegers(Uint8Array, random, length, 0, 127),
  },
  s8_pairs: {
    group: 2,
    values: (random: () => number, length: number) => randomIntegers(Int16Array, random, length, 0, 255),
  },
} as const
export type Kind = keyof typeof kinds

/** The least multiple of `step` that is not below `value`. */
export const roundUp = (value: number, step: number): number => Math.ceil(value / step) * step

/** Panels of 4-bit weights w [n][k], 0..15: one byte for the same place of two neighbouring groups; 8 past n and k. */
export function halfPanels(group: 2 | 4, w: ArrayLike<number>, n: number, k: number): Uint8Array {
  const depth = roundUp(k, 2 * group)
  const out = new Uint8Array((roundUp(n, 8) * depth) / 2).fill(0x88)
  for (let j = 0; j < n; j++) {
    for (let i = 0; i < k; i++) {
      const pair = Math.floor(i / (2 * group))
      const at = ((j >> 3) * 8 * depth) / 2 + pair * 8 * group + (j & 7) * group + (i % group)
      const shift = i % (2 * group) < group ? 0 : 4
      out[at] = (out[at]! & (0xf0 >> shift)) | (w[j * k + i]! << shift)
    }
  }
  return out
}

/** Panels of `batches` matrices w [batches][n][k]. */
export function panels(kind: Kind, w: ArrayLike<number>, batches: number, n: number, k: number) {
  const { group } = kinds[kind]
  const depth = roundUp(k, group)
  const columns = roundUp(n, 8)
  const out = new (kind === 'f32' ? Float32Array : Int8Array)(batches * columns * depth)
  for (let batch = 0; batch < batches; batch++) {
    for (let j = 0; j < n; j++) {
      for (let i = 0; i < k; i++) {
        const panel = batch * columns * depth + (j >> 3) * 8 * depth
        out[panel + Math.floor(i / group) * 8 * group + (j & 7) * group + (i % group)] = w[(batch * n + j) * k + i]!
      }
    }
  }
  return out
}
