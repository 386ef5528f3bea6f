// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest'
import { references } from '../../src/ops/cast.ts'
import { exactOf } from '../../src/ops/numeric.ts'
import { type Dtype, dtypes } from '../../src/tensor/dtype.ts'
import { Tensor } from '../../src/tensor/tensor.ts'

function cast(x: Tensor, dtype: Dtype, more: Record<string, string | number> = {}): Tensor {
  return references.Cast([x], { to: dtypes[dtype].onnx, saturate: 1, round_mode: 'up', ...more })[0]
}

it('float to integer cuts the fraction and saturates', () => {
  const x = new Tensor('float32', [1.9, -1.9, 1e30, -Infinity, NaN])
  expect(Array.from(exactOf(cast(x, 'int32')))).toEqual([1, -1, 2 ** 31 - 1, -(2 ** 31), 0])
  expect(Array.from(exactOf(cast(x, 'int64')))).toEqual([1n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 0n])
  expect(Array.from(exactOf(cast(x, 'uint8')))).toEqual([1, 0, 255, 0, 0])
})

it('integer to integer keeps the low bits', () => {
  expect(Array.from(exactOf(cast(new Tensor('int64', [2n ** 40n + 3n, -1n]), 'int32')))).toEqual([3, -1])
  expect(Array.from(exactOf(cast(new Tensor('int32', [-1]), 'uint64')))).toEqual([2n ** 64n - 1n])
})

it('prints the shortest text that reads back, and reads texts', () => {
  const texts = cast(new Tensor('float32', [0.1, 100, -Infinity, NaN]), 'string')
  expect(texts.data).toEqual(['0.1', '100', '-INF', 'NaN'])
  expect(Array.from(exactOf(cast(texts, 'float32')))).toEqual([Math.fround(0.1), 100, -Infinity, NaN])
  expect(cast(new Tensor('string', ['9007199254740993']), 'int64').data).toEqual(new BigInt64Array([9007199254740993n]))
})

it('float8 saturates only when asked to', () => {
  const big = new Tensor('float32', [1e9])
  expect(Array.from(exactOf(cast(big, 'float8e4m3fn')))).toEqual([448])
  expect(Array.from(exactOf(cast(big, 'float8e4m3fn', { saturate: 0 })))).toEqual([NaN])
  expect(Array.from(exactOf(cast(big, 'float8e5m2', { saturate: 0 })))).toEqual([Infinity])
})
