// SPDX-License-Identifier: Apache-2.0
/** Shapes are cut into the finest blocks that hold the same elements. (What is done with them: sink-transposes.test.ts.) */
import { describe, expect, it } from 'vitest'
import { floorDiv, mul, symbol } from '../../src/ir/dim.ts'
import { blocksOf } from '../../src/passes/sink-reshapes.ts'

const n = symbol('n')
const w = symbol('w')

describe('blocksOf', () => {
  it.each([
    [
      [n, 120, 1, w],
      [n, 120, w],
      [
        [[0], [0]],
        [[1], [1]],
        [[3], [2]],
      ],
    ],
    [
      [n, 4, w],
      [n, mul(w, 4)],
      [
        [[0], [0]],
        [[1, 2], [1]],
      ],
    ],
    [
      [n, 24],
      [n, 2, 3, 4],
      [
        [[0], [0]],
        [[1], [1, 2, 3]],
      ],
    ],
    [
      [6, 4],
      [4, 6],
      [
        [
          [0, 1],
          [0, 1],
        ],
      ],
    ],
    [
      [2, 3, 1],
      [1, 2, 1, 3],
      [
        [[0], [0, 1, 2]],
        [[1], [3]],
      ],
    ],
    [[1, 1], [1], [[[], [0]]]],
    [[n, floorDiv(w, 2)], [floorDiv(w, 2), n], undefined],
  ])('of %j and %j', (source, target, blocks) => {
    expect(blocksOf(source, target)?.map((block) => [block.source, block.target])).toEqual(blocks)
  })
})
