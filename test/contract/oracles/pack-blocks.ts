// SPDX-License-Identifier: Apache-2.0
/**
 * Oracles of what weights in blocks of K need besides panels of bytes (src/kernels/pack.ts): halves of bytes, and
 * what corrects for zero points. Everything is exact.
 */
import { exact, input, type Oracle, output } from '../kernel.ts'
import { randomFloats, randomIntegers } from '../values.ts'
import { halfPanels, roundUp } from './panels.ts'
import { shareOf, shareUnit } from './shares.ts'

interface BlockSumsShape {
  readonly n: number
  readonly k: number
  readonly block: number
  readonly colStride: number
  readonly flip: number
  readonly zeroStride: number
  /** Scales become shares. */
  readonly shares?: boolean
}

const blockSumsOracle =
  (bits: 4 | 8): Oracle =>
  (random) => {
    const shapes: readonly BlockSumsShape[] = [
      { n: 8, k: 64, block: 32, colStride: 64, flip: 8, zeroStride: 0 },
      { n: 13, k: 70, block: 32, colStride: 71, flip: 0, zeroStride: 4 },
      { n: 3, k: 300, block: 128, colStride: 301, flip: 0, zeroStride: 3 },
      { n: 1, k: 1, block: 64, colStride: 1, flip: 8, zeroStride: 0 },
      { n: 9, k: 0, block: 32, colStride: 9, flip: 0, zeroStride: 0 },
      { n: 2, k: 4500, block: 64, colStride: 4500, flip: 0, zeroStride: 71 },
    ]
    const shared = shapes.map((shape) => ({ ...shape, shares: true }))
    return [...shapes, ...shared].map((shape) => {
      const { n, k, block, colStride, flip, zeroStride, shares = false } = shape
      const blocks = Math.ceil(k / block)
      const src = randomIntegers(Int8Array, random, n * colStride + k, -128, 127)
      if (k === 300) src.fill(-128)
      const zeros = randomIntegers(Uint8Array, random, (n * zeroStride + 2) >> 1, 0, 255)
      const scales = randomFloats(random, n * blocks, 0.01)
      const half = (bytes: ArrayLike<number>, at: number) => (bytes[at >> 1]! >> (4 * (at & 1))) & 15
      const zeroOf = (j: number, at: number) => (zeroStride ? half(zeros, j * zeroStride + at) : 8)
      const weightOf = (j: number, i: number) =>
        bits === 8 ? src[j * colStride + i]! : (half(src, j * colStride + i) ^ flip) - zeroOf(j, Math.floor(i / block))
      if (k === 70) {
        // a block of zeros with the largest scale of its column, which counts for nothing
        for (let i = 32; i < 64; i++) {
          const at = 2 * colStride + i
          const value = bits === 8 ? 0 : zeroOf(2, 1) ^ flip
          if (bits === 8) src[at] = value
          else src[at >> 1] = (src[at >> 1]! & (at & 1 ? 15 : 240)) | (value << (4 * (at & 1)))
        }
        scales[2 * blocks + 1] = 100
      }
      const columns = roundUp(n, 8)
      const options = { bits, block, zeros: bits === 4 && zeroStride > 0 }
      const want = new Float32Array(columns)
      const packed = new Float32Array(columns * blocks)
      const units = new Float32Array(columns).fill(shareUnit([], [], options))
      const [own, words] = [new Int16Array(columns * blocks), new Int16Array(columns * blocks)]
      for (let j = 0; j < n; j++) {
        const sums = new Array<number>(blocks).fill(0)
        const sizes = new Array<number>(blocks).fill(0)
        for (let i = 0; i < k; i++) {
          sums[Math.floor(i / block)]! += weightOf(j, i)
          sizes[Math.floor(i / block)]! += Math.abs(weightOf(j, i))
        }
        const given = Array.from(scales.subarray(j * blocks, (j + 1) * blocks))
        units[j] = shareUnit(given, sizes, options)
        let total = 0
        for (const [at, scale] of given.entries()) {
          const place = ((j >> 3) * blocks + at) * 8 + (j & 7)
          const share = shareOf(scale, units[j]!, options)
          own[place] = share
          words[place] = share * (8 - zeroOf(j, at))
          packed[place] = shares ? share * units[j]! : sizes[at]! > 0 ? scale : 0
          total += sums[at]! * (shares ? share * units[j]! : packed[place]!)
        }
        want[j] = total
      }
      const args = {
        src: input(src, 1),
        scales: input(scales, 4),
        sums: output(Float32Array, want),
        // 4 bits have no need of them beside their shares
        dst: shares && bits === 4 ? null : output(Float32Array, packed),
        shares: shares ? output(Int16Array, own) : null,
        units: shares ? output(Float32Array, units) : null,
        n,
        k,
        block,
        colStride,
      }
      const halves = {
        flip,
        zeros: zeroStride ? input(zeros, 1) : null,
        zeroStride,
        words: shares && zeroStride ? output(Int16Array, words) : null,
      }
      return {
        title: JSON.stringify(shape),
        units: Math.ceil(n / 8),
        args: bits === 8 ? args : { ...args, ...halves },
      }
    })
  }

const halvesOracle =
  (group: 2 | 4): Oracle =>
  (random) =>
    [
      { n: 8, k: 64, colStride: 64, flip: 8 },
      { n: 13, k: 70, colStride: 71, flip: 0 },
      { n: 3, k: 301, colStride: 384, flip: 0 },
      { n: 1, k: 1, colStride: 1, flip: 8 },
      { n: 9, k: 0, colStride: 0, flip: 0 },
    ].map((shape) => {
      const { n, k, colStride, flip } = shape
      const src = randomIntegers(Uint8Array, random, (n * colStride + 1) >> 1, 0, 255)
      const w = new Uint8Array(n * k)
      for (let j = 0; j < n; j++) {
        for (let i = 0; i < k; i++) {
          const at = j * colStride + i
          w[j * k + i] = ((src[at >> 1]! >> (4 * (at & 1))) & 15) ^ flip
        }
      }
      return {
        title: JSON.stringify(shape),
        units: Math.ceil(n / 8),
        args: {
          src: input(src, 1),
          dst: output(Uint8Array, halfPanels(group, w, n, k)),
          n,
          k,
          colStride,
          flip,
        },
      }
    })

const zerosOracle: Oracle = (random) =>
  [
    { n: 8, blocks: 4, colStride: 4 },
    { n: 13, blocks: 3, colStride: 4 },
    { n: 3, blocks: 5, colStride: 5 },
  ].map(({ n, blocks, colStride }) => {
    const src = randomIntegers(Uint8Array, random, (n * colStride + 1) >> 1, 0, 255)
    const want = new Array<number>(roundUp(n, 8) * blocks).fill(0)
    for (let j = 0; j < n; j++) {
      for (let block = 0; block < blocks; block++) {
        const at = j * colStride + block
        want[((j >> 3) * blocks + block) * 8 + (j & 7)] = 8 - ((src[at >> 1]! >> (4 * (at & 1))) & 15)
      }
    }
    return {
      title: JSON.stringify({ n, blocks, colStride }),
      units: Math.ceil(n / 8),
      args: { src: input(src, 1), dst: output(Int32Array, want), n, blocks, colStride },
    }
  })

const rowSumsOracle =
  (type: typeof Uint8Array | typeof Int16Array): Oracle =>
  (random) =>
    [
      { m: 3, k: 64, block: 32, bias: 0 },
      { m: 2, k: 77, block: 32, bias: 128 },
      { m: 1, k: 300, block: 128, bias: 0 },
    ].map(({ m, k, block, bias }) => {
      const ldq = k + 3
      const q = randomIntegers(type as typeof Int16Array, random, m * ldq, 0, 255).map((value) => value - bias)
      const blocks = Math.ceil(k / block)
      const want = new Array<number>(m * blocks)
      for (let row = 0; row < m; row++) {
        for (let at = 0; at < blocks; at++) {
          let sum = 0
          for (let i = at * block; i < Math.min(k, (at + 1) * block); i++) {
            const stored = q[row * ldq + i]!
            sum += type === Uint8Array && bias > 0 ? (stored << 24) >> 24 : stored
          }
          want[row * blocks + at] = sum & 0xffff
        }
      }
      return {
        title: JSON.stringify({ m, k, block, bias }),
        units: m,
        args: { q: input(q, 2), ldq, sums: output(Int32Array, want), k, block, bias },
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
  block_sums_s8: blockSumsOracle(8),
  block_sums_s4: blockSumsOracle(4),
  pack_s4_x8c4: halvesOracle(4),
  pack_s4_x8c2: halvesOracle(2),
  pack_zeros_s4: zerosOracle,
  row_sums_u8: rowSumsOracle(Uint8Array),
  row_sums_i16: rowSumsOracle(Int16Array),
}
