// SPDX-License-Identifier: Apache-2.0
import * as ort from 'onnxruntime-web'
import { describe, expect, it } from 'vitest'
import { InputError } from '../../src/base/errors.ts'
import { add, symbol } from '../../src/ir/dim.ts'
import type { GraphValue } from '../../src/ir/graph.ts'
import { checkFeeds } from '../../src/runtime/feeds.ts'
import { Tensor } from '../../src/tensor/tensor.ts'

const n = symbol('n')
const inputs: GraphValue[] = [
  { name: 'x', dtype: 'float32', dims: [n, 2] },
  { name: 'y', dtype: 'int64', dims: [add(n, 1)] },
  { name: 'any', dtype: 'float32', dims: null },
]
const x = new Tensor('float32', [1, 2, 3, 4], [2, 2])
const y = new Tensor('int64', [1, 2, 3])
const any = new Tensor('float32', [1], [])

describe('checkFeeds', () => {
  it('takes whittle’s tensors as they are and onnxruntime’s over the same data', () => {
    const data = new Float32Array(4)
    const feeds = checkFeeds(inputs, { x: new ort.Tensor('float32', data, [2, 2]), y, any })
    expect(feeds.get('y')).toBe(y)
    expect(feeds.get('x')).toBeInstanceOf(Tensor)
    expect(feeds.get('x')!.data).toBe(data)
  })

  it('lets no input be left out', () => {
    expect(() => checkFeeds(inputs, { x, y })).toThrow(/'any'.*got nothing/)
  })

  it.each([
    ['no object', 7, /an object of tensors/],
    ['an array', [x], /an array/],
    ['an unknown name', { x, y, any, z: x }, /'z'.*'x', 'y', 'any'/],
    ['plain numbers', { x: new Float32Array(4), y, any }, /'x'.*Float32Array.*new Tensor/],
    [
      'another type',
      { x: new Tensor('int32', [1, 2], [1, 2]), y, any },
      /float32 tensor of shape \[n, 2\], got a int32 tensor/,
    ],
    ['another rank', { x: new Tensor('float32', [1, 2]), y, any }, /\[n, 2\].*\[2\]/],
    [
      'another dim',
      { x: new Tensor('float32', [1, 2, 3], [1, 3]), y: new Tensor('int64', [1, 2]), any },
      /'x' axis 1: expected 2, got 3/,
    ],
    ['a symbol of two values', { x, y: new Tensor('int64', [1, 2]), any }, /'y' axis 0: expected 3/],
    ['data that do not fit dims', { x: { type: 'float32', data: new Float32Array(3), dims: [2, 2] }, y, any }, /'x'/],
  ])('rejects %s', (_, feeds, message) => {
    expect(() => checkFeeds(inputs, feeds)).toThrow(InputError)
    expect(() => checkFeeds(inputs, feeds)).toThrow(message)
  })

  it('does not take inherited names for inputs', () => {
    expect(() => checkFeeds([{ name: 'toString', dtype: 'float32', dims: [1] }], {})).toThrow(InputError)
  })
})
