// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest'
import { gemmGrid } from '../../src/ops/grid.ts'

const sizes = [1, 5, 6, 8, 31, 96, 480, 1000, 6625]

test('blocks cover the product, in whole tiles of 6 and of 4 rows except the last', () => {
  for (const m of sizes) {
    for (const n of sizes) {
      for (const k of sizes) {
        for (const wholeRows of [false, true]) {
          const { mb, nb, units } = gemmGrid({ m, n, k }, 4, wholeRows)
          expect(mb % 12).toBe(0)
          expect(nb % 8).toBe(0)
          expect(units).toBe(Math.ceil(m / mb) * Math.ceil(n / nb))
        }
      }
    }
  }
})

test('packed weights of a block fit the second-level cache unless a panel of 32 columns is larger', () => {
  for (const n of sizes)
    for (const k of sizes) {
      const { nb } = gemmGrid({ m: 96, n, k }, 4)
      expect(nb <= 32 || nb * k * 4 <= 256 * 1024).toBe(true)
    }
})

test('a large product is cut into enough units for eight threads, a small one is not cut at all', () => {
  expect(gemmGrid({ m: 80, n: 480, k: 120 }, 4).units).toBeGreaterThanOrEqual(16)
  expect(gemmGrid({ m: 1, n: 6625, k: 120 }, 4).units).toBeGreaterThanOrEqual(8)
  expect(gemmGrid({ m: 4, n: 16, k: 16 }, 4).units).toBe(1)
})
