// SPDX-License-Identifier: Apache-2.0
/** Permutations of constants and lists. */
import { describe, expect, it } from 'vitest'
import {
  composed,
  inverse,
  isIdentity,
  permuteTensor,
  permuted,
  toChannelsFirst,
  toChannelsLast,
} from '../../src/passes/permute-tensor.ts'
import { Tensor } from '../../src/tensor/tensor.ts'

describe('permute-tensor', () => {
  it('moves elements as numpy.transpose', () => {
    const tensor = new Tensor('float32', [0, 1, 2, 3, 4, 5], [1, 2, 3])
    expect(permuteTensor(tensor, [2, 0, 1])).toEqual(new Tensor('float32', [0, 3, 1, 4, 2, 5], [3, 1, 2]))
    expect(permuteTensor(new Tensor('int64', [7n], []), [])).toEqual(new Tensor('int64', [7n], []))
    expect(permuteTensor(new Tensor('string', ['a', 'b', 'c', 'd'], [2, 2]), [1, 0]).data).toEqual(['a', 'c', 'b', 'd'])
  })

  it('moves every element of any shape to its place', () => {
    for (const [dims, perm] of [
      [
        [3, 1, 40, 5],
        [2, 0, 3, 1],
      ],
      [
        [70, 45],
        [1, 0],
      ],
      [
        [2, 3, 4, 5],
        [0, 2, 3, 1],
      ],
      [
        [2, 3, 1, 1],
        [0, 2, 3, 1],
      ],
      [
        [0, 3],
        [1, 0],
      ],
      [
        [2, 2, 3, 2, 2],
        [4, 1, 0, 3, 2],
      ],
    ]) {
      const size = dims.reduce((a, b) => a * b, 1)
      const tensor = new Tensor(
        'int32',
        Int32Array.from({ length: size }, (_, i) => i),
        dims,
      )
      const { data } = permuteTensor(tensor, perm)
      const inside = perm.map((axis) => dims[axis])
      const place = (at: number, axes: readonly number[]): number[] =>
        axes.map((_, i) => Math.floor(at / axes.slice(i + 1).reduce((a, b) => a * b, 1)) % axes[i])
      for (let at = 0; at < size; at++) {
        const from = place((data as Int32Array)[at], dims)
        expect(perm.map((axis) => from[axis])).toEqual(place(at, inside))
      }
    }
  })

  it('undoes and chains permutations', () => {
    expect(toChannelsLast(4)).toEqual([0, 2, 3, 1])
    expect(toChannelsFirst(4)).toEqual([0, 3, 1, 2])
    expect(isIdentity(composed([2, 0, 1], inverse([2, 0, 1])))).toBe(true)
    const [first, second] = [
      [1, 2, 0],
      [0, 2, 1],
    ]
    expect(permuted(['a', 'b', 'c'], composed(first, second))).toEqual(
      permuted(permuted(['a', 'b', 'c'], first), second),
    )
  })
})
