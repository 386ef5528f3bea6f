// SPDX-License-Identifier: Apache-2.0
/**
 * What the GEMM family promises across kernels: quantising, packing and multiplying agree to the bit whichever way a
 * host multiplies bytes, over the full range of 8 bits.
 */
import { describe, expect, test } from 'vitest'
import { randomNormal, seededRandom } from '../../src/base/rng.ts'
import { kernelTable, type KernelName } from '../../src/kernels/table.ts'
import { type Build, buildNames, loadBuild } from '../contract/kernel.ts'

const [M, N, K] = [23, 21, 77]
const up = (value: number, step: number): number => Math.ceil(value / step) * step

/** Fixed places in the build's memory, one 32 KB slot each. */
const place = {
  args: 65536, x: 98304, q: 131072, params: 163840, w: 196608, panels: 229376, sums: 262144, wScale: 294912, c: 327680,
}

function call(build: Build, kernel: KernelName, units: number, values: Readonly<Record<string, number>>): void {
  const view = new DataView(build.memory.buffer)
  Object.entries(kernelTable[kernel].args).forEach(([name, kind], word) => {
    if (kind === 'f32') view.setFloat32(place.args + 4 * word, values[name] ?? 0, true)
    else view.setInt32(place.args + 4 * word, values[name] ?? 0, true)
  })
  build.exports[kernel]!(place.args, 0, units, 0)
}

/** x quantised, w packed, multiplied; the bits of C. */
function product(build: Build, form: 'dot' | 'pairs', bias: number, x: Float32Array, w: Int8Array): Uint32Array {
  const group = form === 'dot' ? 4 : 2
  const lda = up(K, group)
  const { memory } = build
  new Float32Array(memory.buffer, place.x, M * K).set(x)
  new Int8Array(memory.buffer, place.w, N * K).set(w)
  new Float32Array(memory.buffer, place.wScale, N).forEach((_, j, all) => (all[j] = 0.01 + j / 1000))
  const rows = { x: place.x, ldx: K, q: place.q, ldq: lda, params: place.params, m: M, k: K, bias }
  call(build, form === 'dot' ? 'quantize_rows_u8' : 'quantize_rows_i16', M, rows)
  const packed = {
    src: place.w, dst: place.panels, n: N, k: K, colStride: K, depthStride: 1, batch: 1, sums: place.sums,
  }
  call(build, form === 'dot' ? 'pack_s8_x8c4' : 'pack_s8_x8c2', up(N, 8) / 8, packed)
  call(build, form === 'dot' ? 'gemm_s8_dot' : 'gemm_s8_pairs', 1, {
    a: place.q, lda, b: place.panels, c: place.c, ldc: N, batch: 1, m: M, n: N, k: K, mb: M, nb: N,
    aParams: place.params, aParamsStride: 1, wScale: place.wScale, wSum: place.sums, activation: 5, postScale: 1,
  })
  return new Uint32Array(memory.buffer, place.c, M * N).slice()
}

/** How this host's dot reads its second operand; null where four full bytes are not summed exactly. */
function operandOf(build: Build): 'unsigned' | 'signed' | null {
  const dot = (a: number, w: number): number => {
    const { memory } = build
    new Uint8Array(memory.buffer, place.q, 4).fill(a)
    new Int8Array(memory.buffer, place.panels, 32).fill(w)
    new Int32Array(memory.buffer, place.sums, 8).fill(0)
    new Float32Array(memory.buffer, place.wScale, 1)[0] = 1
    new Float32Array(memory.buffer, place.params, 1)[0] = 1
    call(build, 'gemm_s8_dot', 1, {
      a: place.q, lda: 4, b: place.panels, c: place.c, ldc: 1, batch: 1, m: 1, n: 1, k: 4, mb: 1, nb: 1,
      aParams: place.params, aParamsStride: 1, wScale: place.wScale, wSum: place.sums, postScale: 1,
    })
    return new Float32Array(memory.buffer, place.c, 1)[0]!
  }
  if (dot(255, 127) === 4 * 255 * 127 && dot(255, -128) === -4 * 255 * 128) return 'unsigned'
  return dot(255, 127) === -4 * 127 && dot(128, -128) === 4 * 128 * 128 ? 'signed' : null
}

for (const name of buildNames) {
  const build = loadBuild(name)
  if (!build) continue
  describe(`build ${name}`, () => {
    const operand = operandOf(build)
    const random = seededRandom(7)
    const w = Int8Array.from({ length: N * K }, () => Math.floor(random() * 256) - 128)

    test.skipIf(operand === null)(
      'bytes and int16 pairs give the same bits over all 8 bits (skipped where the dot saturates)',
      () => {
        const x = Float32Array.from({ length: M * K }, () => randomNormal(random) * 2)
        const dot = product(build, 'dot', operand === 'signed' ? 128 : 0, x, w)
        expect(dot).toEqual(product(build, 'pairs', 0, x, w))
      },
    )

    test('the bias of a stored byte cancels: 0 and 128 give the same bits', () => {
      // bytes that stay in 0..127 (or, for a signed operand, in its range) with either bias
      const shift = operand === 'signed' ? 0 : 128
      const x = Float32Array.from({ length: M * K }, (_, i) => (i % K === 0 ? 255 : shift + Math.floor(random() * 127)))
      const v = operand === null ? w.map((value) => value >> 2) : operand === 'unsigned' ? w : w.map((value, i) => (i % K ? value : 0))
      expect(product(build, 'dot', 128, x, v)).toEqual(product(build, 'dot', 0, x, v))
    })

    test('zero points at the end of memory are not read past, where the last panel has fewer columns', () => {
      const [n, k, block] = [1, 1024, 32]
      const end = build.memory.buffer.byteLength
      expect(() =>
        call(build, 'block_sums_s4', 1, {
          src: place.w, scales: place.wScale, sums: place.sums, shares: place.panels, units: place.q, n, k, block,
          colStride: k, zeros: end - k / block / 2, zeroStride: k / block, words: place.c,
        }),
      ).not.toThrow()
    })

    test('a block that ends inside a panel leaves the columns of its neighbours alone', () => {
      const x = new Float32Array(M * K).fill(1)
      product(build, 'pairs', 0, x, w)
      const whole = new Uint32Array(build.memory.buffer, place.c, M * N).slice()
      new Uint32Array(build.memory.buffer, place.c, M * N).fill(7)
      // the arguments of the last call lie there still: only nb changes
      const words = Object.keys(kernelTable.gemm_s8_pairs.args)
      new DataView(build.memory.buffer).setUint32(place.args + 4 * words.indexOf('nb'), 16, true)
      build.exports.gemm_s8_pairs!(place.args, 1, 2, 0)
      const part = new Uint32Array(build.memory.buffer, place.c, M * N).slice()
      expect(part).toEqual(whole.map((bits, i) => (i % N < 16 ? 7 : bits)))
    })
  })
}
