// SPDX-License-Identifier: Apache-2.0
/**
 * Oracles of what weights in blocks of K need besides panels of bytes (src/kernels/pack.ts): halves of bytes, and the
 * words that correct for zero points. Everything is exact.
 */
import { exact, input, type Oracle, output } from '../kernel.ts'
import { randomIntegers } from '../values.ts'
import { halfPanels, roundUp, shortTerms } from './panels.ts'

const termsOracle: Oracle = (random) =>
  [
    { n: 8, k: 64, block: 32, col: 64, depth: 1 },
    { n: 13, k: 70, block: 32, col: 1, depth: 16 },
    { n: 3, k: 300, block: 128, col: 301, depth: 1 },
    { n: 1, k: 1, block: 64, col: 1, depth: 1 },
    { n: 9, k: 0, block: 32, col: 1, depth: 9 },
  ].map(({ n, k, block, col, depth }) => {
    const src = randomIntegers(Int8Array, random, n * col + k * depth, -128, 127)
    if (k === 300) src.fill(-128)
    const blocks = Math.ceil(k / block)
    const want = new Array<number>(roundUp(n, 8) * blocks).fill(0)
    for (let j = 0; j < n; j++) {
      for (let at = 0; at < blocks; at++) {
        let sum = 0
        for (let i = at * block; i < Math.min(k, (at + 1) * block); i++) sum += src[j * col + i * depth]!
        want[((j >> 3) * blocks + at) * 8 + (j & 7)] = -sum & 0xffff
      }
    }
    return {
      title: JSON.stringify({ n, k, block, col, depth }),
      units: Math.ceil(n / 8),
      args: { src: input(src, 1), dst: output(Int32Array, want), n, k, block, colStride: col, depthStride: depth },
    }
  })

const halvesOracle =
  (group: 2 | 4): Oracle =>
  (random) =>
    [
      { n: 8, k: 64, block: 32, colStride: 64, flip: 8, zero: 8 },
      { n: 13, k: 70, block: 32, colStride: 71, flip: 0, zero: 0 },
      { n: 3, k: 301, block: 128, colStride: 384, flip: 0, zero: 8 },
      { n: 1, k: 1, block: 64, colStride: 1, flip: 8, zero: 8 },
      { n: 9, k: 0, block: 32, colStride: 0, flip: 0, zero: 8 },
    ].map((shape) => {
      const { n, k, block, colStride, flip, zero } = shape
      const src = randomIntegers(Uint8Array, random, (n * colStride + 1) >> 1, 0, 255)
      const blocks = Math.ceil(k / block)
      const w = new Uint8Array(n * k)
      const terms = new Array<number>(roundUp(n, 8) * blocks).fill(0)
      for (let j = 0; j < n; j++) {
        const sums = new Array<number>(blocks).fill(0)
        for (let i = 0; i < k; i++) {
          const at = j * colStride + i
          const value = ((src[at >> 1]! >> (4 * (at & 1))) & 15) ^ flip
          w[j * k + i] = value
          sums[Math.floor(i / block)]! += value
        }
        sums.forEach((sum, at) => (terms[((j >> 3) * blocks + at) * 8 + (j & 7)] = (-sum & 0xffff) | (-zero << 16)))
      }
      return {
        title: JSON.stringify(shape),
        units: Math.ceil(n / 8),
        args: {
          src: input(src, 1),
          dst: output(Uint8Array, halfPanels(group, w, n, k)),
          terms: output(Int32Array, terms),
          n,
          k,
          block,
          colStride,
          flip,
          zero,
        },
      }
    })

const zerosOracle: Oracle = (random) =>
  [
    { n: 8, blocks: 4, colStride: 4, from: 0 },
    { n: 13, blocks: 3, colStride: 4, from: 8 },
    { n: 3, blocks: 5, colStride: 5, from: 0 },
  ].map(({ n, blocks, colStride, from }) => {
    const src = randomIntegers(Uint8Array, random, (n * colStride + 1) >> 1, 0, 255)
    const want = new Array<number>(roundUp(n, 8) * blocks).fill(0)
    for (let j = 0; j < n; j++) {
      for (let block = 0; block < blocks; block++) {
        const at = j * colStride + block
        want[((j >> 3) * blocks + block) * 8 + (j & 7)] = (from - ((src[at >> 1]! >> (4 * (at & 1))) & 15)) << 16
      }
    }
    return {
      title: JSON.stringify({ n, blocks, colStride, from }),
      units: Math.ceil(n / 8),
      args: { src: input(src, 1), dst: output(Int32Array, want), n, blocks, colStride, from },
    }
  })

const shortTermsOracle: Oracle = (random) =>
  [
    { n: 8, k: 64 },
    { n: 13, k: 77 },
    { n: 1, k: 3 },
  ].map(({ n, k }) => {
    const w = randomIntegers(Uint8Array, random, roundUp(n, 8) * k, 0, 15)
    return {
      title: `${n} x ${k}`,
      units: Math.ceil(n / 8),
      args: { src: input(halfPanels(4, w, roundUp(n, 8), k)), dst: output(Int32Array, shortTerms(w, n, k)), k },
    }
  })

const rowTermsOracle =
  (type: typeof Uint8Array | typeof Int16Array): Oracle =>
  (random) =>
    [
      { m: 3, k: 64, block: 32, bias: 0 },
      { m: 2, k: 77, block: 32, bias: 128 },
      { m: 1, k: 300, block: 128, bias: 0 },
    ].map(({ m, k, block, bias }) => {
      const ldq = k + 3
      const q = randomIntegers(type as typeof Int16Array, random, m * ldq, 0, 255).map((value) => value - bias)
      const params = new Int32Array(2 * m).map(() => Math.floor(random() * 256) - bias)
      const blocks = Math.ceil(k / block)
      const want = new Array<number>(m * blocks)
      for (let row = 0; row < m; row++) {
        for (let at = 0; at < blocks; at++) {
          let sum = 0
          for (let i = at * block; i < Math.min(k, (at + 1) * block); i++) {
            const stored = q[row * ldq + i]!
            sum += (type === Uint8Array && bias > 0 ? (stored << 24) >> 24 : stored) - params[2 * row + 1]!
          }
          want[row * blocks + at] = (params[2 * row + 1]! & 0xffff) | (sum << 16)
        }
      }
      return {
        title: JSON.stringify({ m, k, block, bias }),
        units: m,
        args: { q: input(q, 2), ldq, params: input(params), terms: output(Int32Array, want), k, block, bias },
      }
    })

const clipOracle: Oracle = (random) =>
  [1, 9, 40].map((size) => {
    const src = randomIntegers(Int32Array, random, size, -50, 50)
    const want = Array.from(src, (value) => 32 * (value < 0 || value > 20 ? 20 : value))
    const [block, most, times] = [7, 20, 32]
    return {
      title: `${size} of at most ${most}`,
      units: Math.ceil(size / block),
      args: { src: input(src, 4), dst: output(Int32Array, want, exact, 4), size, block, most, times },
    }
  })

export const oracles: Readonly<Record<string, Oracle>> = {
  clip_u32: clipOracle,
  block_terms_s8: termsOracle,
  pack_s4_x8c4: halvesOracle(4),
  pack_s4_x8c2: halvesOracle(2),
  pack_zeros_s4: zerosOracle,
  short_terms_s4: shortTermsOracle,
  row_terms_u8: rowTermsOracle(Uint8Array),
  row_terms_i16: rowTermsOracle(Int16Array),
}
