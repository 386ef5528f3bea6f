// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest'
import { print, symbol } from '../../src/ir/dim.ts'
import { knownWindow, windowOf } from '../../src/ops/window.ts'

test('positions follow kernel, stride, dilation and pads', () => {
  expect(knownWindow([7], [3], {}).out).toEqual([5])
  expect(knownWindow([7], [3], { strides: [2], pads: [1, 1] }).out).toEqual([4])
  expect(knownWindow([7], [3], { dilations: [3] }).out).toEqual([1])
})

test('ceil_mode adds a window only where it starts inside the input or the padding in front', () => {
  expect(knownWindow([6], [3], { strides: [2], ceil_mode: 1 }).out).toEqual([3])
  expect(knownWindow([4], [1], { strides: [2], ceil_mode: 1 }).out).toEqual([2])
  expect(knownWindow([2], [1], { strides: [2], pads: [0, 1], ceil_mode: 1 }).out).toEqual([1])
})

test('auto_pad SAME gives ceil(size / stride) positions and puts the odd pad behind or in front', () => {
  expect(knownWindow([6], [3], { strides: [2], auto_pad: 'SAME_UPPER' })).toMatchObject({
    out: [3],
    begin: [0],
    end: [1],
  })
  expect(knownWindow([6], [3], { strides: [2], auto_pad: 'SAME_LOWER' })).toMatchObject({
    out: [3],
    begin: [1],
    end: [0],
  })
})

test('symbolic sizes give symbolic positions', () => {
  const [out] = windowOf([symbol('w')], [3], { strides: [2], pads: [1, 1] }).out
  expect(print(out)).toBe('floordiv(w + 1, 2)')
})

test('an input shorter than the kernel, an unknown auto_pad and attributes of a wrong length are named', () => {
  expect(() => windowOf([2], [5], {})).toThrow(/spatial axis 0: expected an input at least as long as the kernel/)
  expect(() => windowOf([5], [3], { auto_pad: 'SAME' })).toThrow(/auto_pad: expected one of/)
  expect(() => windowOf([5, 5], [3, 3], { strides: [1] })).toThrow(/strides: expected 2 integers/)
})
