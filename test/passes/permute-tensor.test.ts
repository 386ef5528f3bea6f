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
