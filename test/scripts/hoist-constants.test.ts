// SPDX-License-Identifier: Apache-2.0
/** The last step of a Wasm build: what it moves, where to, and that a module stays what it was. */
import { describe, expect, test } from 'vitest'

const { hoistConstants } = (await import(new URL('../../scripts/hoist-constants.mjs', import.meta.url).href)) as {
  hoistConstants: (text: string) => string
}

const one = 'v128.const i32x4 0x3f800000 0x3f800000 0x3f800000 0x3f800000'
const two = 'v128.const i32x4 0x40000000 0x40000000 0x40000000 0x40000000'
const zero = 'v128.const i32x4 0x00000000 0x00000000 0x00000000 0x00000000'

/** A function with these lines, between others of a module. */
const moduleOf = (...body: string[]): string =>
  ['(module', ' (func $f (param $0 i32)', '  (local $1 v128)', ...body.map((line) => `  ${line}`), ' )', ')'].join('\n')
const bodyOf = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .slice(2, -2)

describe('constants in loops', () => {
  test('are set once before the outermost loop and read inside, each once', () => {
    const loops = ['block', 'loop $a', 'loop $b', one, 'local.set $1', two, 'drop', one, 'drop', 'end', 'end', 'end']
    expect(bodyOf(hoistConstants(moduleOf(...loops)))).toEqual([
      '(local $1 v128)',
      '(local $constant0 v128)',
      '(local $constant1 v128)',
      'block',
      one,
      'local.set $constant0',
      two,
      'local.set $constant1',
      'loop $a',
      'loop $b',
      'local.get $constant0',
      'local.set $1',
      'local.get $constant1',
      'drop',
      'local.get $constant0',
      'drop',
      'end',
      'end',
      'end',
    ])
  })

  test('that follow each other have locals of their own', () => {
    const text = hoistConstants(moduleOf('loop', one, 'drop', 'end', 'loop', one, 'drop', 'end'))
    expect(bodyOf(text).filter((line) => line.startsWith('local.set'))).toEqual([
      'local.set $constant0',
      'local.set $constant1',
    ])
  })
})

test('zeros, constants outside of loops and functions without any stay as they are', () => {
  const text = moduleOf(one, 'local.set $1', 'loop', zero, 'drop', 'end', 'block', two, 'drop', 'end')
  expect(hoistConstants(text)).toBe(text)
})
