// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import { createMemory } from '../../src/runtime/address.ts'
import type { ByteDot } from '../../src/kernels/row.ts'
import { knownAnswers } from '../../src/runtime/known-answers.ts'

type Lane = (a: readonly number[], b: readonly number[], c: number) => number

const saturate = (value: number): number => Math.max(-32768, Math.min(32767, value))
const signed: Lane = (a, b, c) => a.reduce((sum, value, i) => sum + value * b[i], c)
const unsigned: Lane = (a, b, c) => a.reduce((sum, value, i) => sum + value * (b[i] & 255), c)
const pairs: Lane = (a, b, c) => {
  const product = (i: number): number => a[i] * (b[i] & 255)
  return c + saturate(product(0) + product(1)) + saturate(product(2) + product(3))
}
const doubled: Lane = (a, b) => 2 * signed(a, b, 0)

/** The probe's exports of a host whose dot is `lane`. */
function fakeHost(memory: WebAssembly.Memory, lane: Lane, fused: boolean) {
  return {
    probe_dot(a: number, b: number, c: number, out: number): void {
      const bytes = (at: number): number[] => [...new Int8Array(memory.buffer, at, 4)]
      for (let i = 0; i < 16; i += 4) {
        const [carried] = new Int32Array(memory.buffer, c + i, 1)
        new Int32Array(memory.buffer, out + i, 1)[0] = lane(bytes(a + i), bytes(b + i), carried) | 0
      }
    },
    probe_dot16(): void {},
    probe_madd(a: number, b: number, c: number, out: number): void {
      const at = (place: number): number => new Float32Array(memory.buffer, place, 1)[0]
      const product = at(a) * at(b)
      new Float32Array(memory.buffer, out, 4).fill((fused ? product : Math.fround(product)) + at(c))
    },
  }
}

describe('knownAnswers', () => {
  it.each<[ByteDot, Lane]>([
    ['sdot', signed],
    ['vnni', unsigned],
    ['pmaddubsw', pairs],
    ['broken', doubled],
    ['broken', () => 0],
  ])('knows %s', (name, lane) => {
    const memory = createMemory(false)
    expect(knownAnswers(fakeHost(memory, lane, true), memory, true)).toEqual({ relaxed: name, fma: true })
  })

  it('tells fused from unfused and asks simd builds for no dot', () => {
    const memory = createMemory(false)
    expect(knownAnswers(fakeHost(memory, doubled, false), memory, false)).toEqual({ relaxed: 'none', fma: false })
  })
})
