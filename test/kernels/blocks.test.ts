// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest'
import { type Precision, nodeOf } from '../../bench/pick/nodes.ts'
import type { Shape } from '../../bench/pick/shapes.ts'
import { Stage } from '../../bench/pick/stage.ts'
import { blocksOf } from '../../src/kernels/blocks.ts'
import { loadOps } from '../../src/ops/table.ts'
import { buildNames, loadBuild } from '../contract/kernel.ts'

const sizes = [1, 5, 6, 8, 31, 96, 480, 1000, 6625]
const f32 = { weightBytes: 4, threads: 4 }

test('blocks cover the product, in whole tiles of 6 and of 4 rows except the last', () => {
  for (const m of sizes) {
    for (const n of sizes) {
      for (const k of sizes) {
        for (const more of [{}, { gathers: true }, { widens: 1 }, { threads: 1 }]) {
          const { mb, nb, units } = blocksOf({ m, n, k }, { ...f32, ...more })
          expect(mb % 12).toBe(0)
          expect(nb % 8).toBe(0)
          expect(units).toBe(Math.ceil(m / mb) * Math.ceil(n / nb))
        }
      }
    }
  }
})

test('packed weights of a block fit the second-level cache unless 64 columns are larger', () => {
  for (const n of sizes)
    for (const k of sizes) {
      const { nb } = blocksOf({ m: 96, n, k }, f32)
      expect(nb <= 64 || nb * k * 4 <= 128 * 1024).toBe(true)
    }
})

test('few rows are cut into whole tiles of many columns', () => {
  for (const n of sizes) {
    for (const k of sizes) {
      for (const [m, tile] of [
        [1, 32],
        [2, 16],
        [3, 16],
      ] as const) {
        const { nb } = blocksOf({ m, n, k }, f32)
        expect(nb >= n || nb % tile === 0).toBe(true)
      }
    }
  }
})

test('several threads get enough units for eight of a large product; a small one, or one for one thread, is not cut', () => {
  expect(blocksOf({ m: 80, n: 480, k: 120 }, f32).units).toBeGreaterThanOrEqual(16)
  expect(blocksOf({ m: 1, n: 6625, k: 120 }, f32).units).toBeGreaterThanOrEqual(8)
  expect(blocksOf({ m: 4, n: 16, k: 16 }, f32).units).toBe(1)
  expect(blocksOf({ m: 1, n: 6625, k: 120 }, { ...f32, threads: 1 }).units).toBe(1)
})

test("large products are cut into units of one size, so many that the last one is a small part of a thread's share", () => {
  for (const traits of [
    { weightBytes: 4 },
    { weightBytes: 1 },
    { weightBytes: 1 / 2, widens: 1 },
    { weightBytes: 4, gathers: true },
  ]) {
    for (const threads of [2, 3, 4, 8]) {
      const { mb, nb, units } = blocksOf({ m: 1024, n: 1024, k: 1024 }, { ...traits, threads })
      expect(units).toBeGreaterThanOrEqual(32 * threads)
      expect(mb * nb * 1024).toBeGreaterThanOrEqual(256 * 1024)
      expect(1024 % nb).toBe(0)
    }
  }
})

test('rows that a unit gathers stay in a first-level cache, but for a tile of the tallest ones, and where one panel reads them', () => {
  for (const threads of [1, 4]) {
    for (const [m, n, k] of [
      [2304, 8, 27],
      [196, 16, 200],
      [1600, 24, 864],
      [40, 60, 2880],
    ]) {
      const { mb } = blocksOf({ m, n, k }, { weightBytes: 4, threads, gathers: true })
      expect(mb * k * 4).toBeLessThanOrEqual(Math.max((n <= 8 ? 96 : 24) * 1024, 12 * k * 4))
    }
  }
})

const gemm = (m: number, k: number, n: number): Shape => ({ kind: 'gemm', batch: 1, m, k, n })
const conv: Shape = {
  kind: 'conv',
  images: 1,
  input: [7, 6, 5],
  output: [7, 6, 19],
  group: 1,
  kernel: [3, 3],
  stride: [1, 1],
  pad: [1, 1],
  dilation: [1, 1],
}
const shapes: readonly Shape[] = [gemm(13, 70, 45), gemm(1, 64, 77), gemm(5, 33, 9), conv]
const precisions: readonly Precision[] = ['float32', 'int8', 'int4', 'int4 weights']
const ops = await loadOps(
  ['Gemm', 'Conv', 'DynamicQuantizeGemm', 'DynamicQuantizeConv', 'WeightOnlyGemm'].map((op) => `whittle.${op}`),
)

for (const name of buildNames) {
  const build = loadBuild(name)
  if (!build) {
    test.skip(`build ${name}: this runtime does not validate it`, () => {})
    continue
  }
  test(`build ${name}: blocks of any size give the same bits, of float32 too`, () => {
    for (const shape of shapes) {
      for (const precision of precisions) {
        const node = nodeOf(shape, precision)
        if (!node) continue
        const stage = new Stage(build, ops, node, { int8: 'pairs', threads: 1 })
        stage.run(stage.calls())
        const want = stage.output()
        const [m, n] = shape.kind === 'gemm' ? [shape.m, shape.n] : [42, 19]
        for (const [mb, nb] of [
          [m, n],
          [1, 8],
          [2, 16],
          [4, 32],
          [6, 8],
          [7, 24],
          [12, 40],
        ] as const) {
          stage.run([stage.cut({ mb, nb })])
          expect(stage.output(), `${precision} ${JSON.stringify(shape)} in ${mb} x ${nb}`).toEqual(want)
        }
      }
    }
  })
}
