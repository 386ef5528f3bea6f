// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest'
import { knownAnswers, peakLoops } from '../../src/kernels/probe.ts'
import { buildNames, loadBuild, type Build } from '../contract/kernel.ts'

const at = (i: number): number => 65536 + 16 * i

function dot(build: Build, a: number[], b: number[], c: number[]): number[] {
  const { buffer } = build.memory
  new Int8Array(buffer, at(0), 16).set(a)
  new Int8Array(buffer, at(1), 16).set(b)
  new Int32Array(buffer, at(2), 4).set(c)
  build.exports['probe_dot']!(at(0), at(1), at(2), at(3))
  return [...new Int32Array(buffer, at(3), 4)]
}

const all = (value: number): number[] => Array<number>(16).fill(value)

for (const name of buildNames) {
  const build = loadBuild(name)
  if (!build) {
    test.skip(`build ${name}: this runtime does not validate it`, () => {})
    continue
  }
  const relaxed = name.startsWith('relaxed')
  describe(`build ${name}`, () => {
    test('has every export of src/kernels/probe.ts', () => {
      const names = [...Object.keys(knownAnswers), ...Object.values(peakLoops).map((loop) => loop.name)]
      expect(names.filter((one) => typeof build.exports[one] !== 'function')).toEqual([])
    })

    test('the byte dot is exact where the second operand is below 128, and wraps when it accumulates', () => {
      expect(dot(build, all(127), all(127), [0, 1, 2, 3])).toEqual([64516, 64517, 64518, 64519])
      expect(dot(build, all(-128), all(127), [0, 0, 0, 0])).toEqual(Array<number>(4).fill(-65024))
      expect(dot(build, all(127), all(127), Array<number>(4).fill(2147483647))).toEqual(Array<number>(4).fill(-2147419133))
      const steps = Array.from({ length: 16 }, (_, i) => i)
      expect(dot(build, steps, all(1), [0, 0, 0, 0])).toEqual([6, 22, 38, 54])
    })

    test.skipIf(relaxed)('the byte dot of simd builds reads the second operand as unsigned', () => {
      expect(dot(build, all(-128), all(-1), [0, 0, 0, 0])).toEqual(Array<number>(4).fill(-128 * 255 * 4))
    })

    test('the pair sums of bytes are exact where the second operand is below 128', () => {
      const { buffer } = build.memory
      new Int8Array(buffer, at(0), 16).set(Array.from({ length: 16 }, (_, i) => i - 128))
      new Int8Array(buffer, at(1), 16).fill(127)
      build.exports['probe_dot16']!(at(0), at(1), at(2), 0)
      const want = Array.from({ length: 8 }, (_, i) => (4 * i - 255) * 127)
      expect([...new Int16Array(buffer, at(2), 8)]).toEqual(want)
    })

    test('multiply-add rounds once or twice, nothing else', () => {
      const { buffer } = build.memory
      new Float32Array(buffer, at(0), 4).fill(16777218)
      new Float32Array(buffer, at(1), 8).fill(3)
      build.exports['probe_madd']!(at(0), at(1), at(2), at(3))
      const [value] = new Float32Array(buffer, at(3), 4)
      expect(relaxed ? [50331656, 50331660] : [50331660]).toContain(value)
    })

    test('peak loops come back with a number', () => {
      for (const { name: loop } of Object.values(peakLoops)) {
        const peak = build.exports[loop] as unknown as (iterations: number) => number
        expect(peak(1000)).not.toBeNaN()
      }
    })
  })
}
