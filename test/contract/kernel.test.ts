// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest'
import { checkCase, exact, input, output, readsBytes, type Build, type KernelCase } from './kernel.ts'
import { promiseOf } from './oracles.ts'

/** y = x + 1 over blocks of 4, written in JavaScript; `spoil` may do one thing wrong after each chunk. */
function fakeBuild(spoil: (floats: Float32Array, y: number, from: number, to: number) => void): Build {
  const memory = new WebAssembly.Memory({ initial: 4 })
  const kernel = (args: number, from: number, to: number): void => {
    const floats = new Float32Array(memory.buffer)
    const [x, y, size] = new Uint32Array(memory.buffer, args, 3) as unknown as [number, number, number]
    for (let i = from * 4; i < Math.min(to * 4, size); i++) floats[y / 4 + i] = floats[x / 4 + i]! + 1
    spoil(floats, y / 4, from, to)
  }
  return { name: 'fake', memory, exports: { unary_abs_f32: kernel } }
}

const data = Float32Array.from({ length: 10 }, (_, i) => i)
const goodCase: KernelCase = {
  title: 'ten numbers',
  units: 3,
  args: {
    x: input(data, 4),
    y: output(
      Float32Array,
      Array.from(data, (v) => v + 1),
      exact,
      8,
    ),
    size: 10,
    block: 4,
    p0: 0,
    p1: 0,
  },
}
const check = (spoil: Parameters<typeof fakeBuild>[0]) => () => {
  checkCase(fakeBuild(spoil), 'unary_abs_f32', goodCase)
}

test('a kernel that keeps its promise passes', () => {
  expect(check(() => {})).not.toThrow()
})

test('a wrong value is found and named', () => {
  expect(check((floats, y) => (floats[y + 9] = 11))).toThrow(/y\[9\] is 11, expected 10/)
})

test('NaN is not close to anything', () => {
  expect(check((floats, y) => (floats[y] = NaN))).toThrow(/y\[0\] is NaN/)
})

test('a write past the end, or before the beginning, of an output is found', () => {
  expect(check((floats, y) => (floats[y + 10] = 0))).toThrow(/0 past the end of y/)
  expect(check((floats, y) => (floats[y - 1] = 0))).toThrow(/before y was written|past the end of x/)
})

test('a write to an input is found', () => {
  const spoil = (floats: Float32Array, y: number): void => {
    const x = floats.lastIndexOf(9, y - 1)
    floats[x] = -9
  }
  expect(check(spoil)).toThrow(/input x was written/)
})

test('a result that depends on how the units are cut is found', () => {
  const spoil = (floats: Float32Array, y: number, from: number, to: number): void => {
    if (to - from === 1) floats[y + from * 4] = 100
  }
  expect(check(spoil)).toThrow(/differs at byte/)
})

test('a case must give every argument of the row and no other', () => {
  const kernel = 'unary_abs_f32'
  const { p1: _, ...fewer } = goodCase.args
  expect(() =>
    checkCase(
      fakeBuild(() => {}),
      kernel,
      { ...goodCase, args: fewer },
    ),
  ).toThrow(/argument p1 is missing/)
  const more = { ...goodCase.args, p2: 0 }
  expect(() =>
    checkCase(
      fakeBuild(() => {}),
      kernel,
      { ...goodCase, args: more },
    ),
  ).toThrow(/unknown argument p2/)
})

test('a case whose bytes the dot of the host does not take is not asked', () => {
  const broken = fakeBuild((floats, y) => (floats[y] = NaN))
  const signed: Build = { ...broken, exports: { ...broken.exports, probe_dot: () => {} } }
  expect(readsBytes(signed, 'all')).toBe(false)
  expect(checkCase(signed, 'unary_abs_f32', { ...goodCase, bytes: 'all' })).toEqual([])
})

test('a promise is a share of what was summed where bounds say what that was, else of the largest value', () => {
  const summed = output(Float32Array, [1, 0], { abs: 0.5, rel: 0, of: 100 })
  const plain = output(Float32Array, [2, 0], { abs: 0.5, rel: 0 })
  const args = goodCase.args
  expect(promiseOf([{ ...goodCase, args: { ...args, y: summed } }])).toMatch(/within 5.0e-3 of the magnitudes summed$/)
  expect(promiseOf([{ ...goodCase, args: { ...args, y: plain } }])).toMatch(/within 2.5e-1 of the largest$/)
  expect(promiseOf([goodCase])).toMatch(/exactly$/)
})
