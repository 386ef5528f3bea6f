// SPDX-License-Identifier: Apache-2.0
/** Seeded tensors for the samples of op files. Only `samples` use this file. */
import type { Random } from './define.ts'
import { sizeOf } from '../tensor/shape.ts'
import { Tensor } from '../tensor/tensor.ts'

/** float32, uniform in [low, high). */
export function floats(random: Random, dims: readonly number[], low = -1, high = 1): Tensor {
  return new Tensor(
    'float32',
    Float32Array.from({ length: sizeOf(dims) }, () => low + random() * (high - low)),
    dims,
  )
}

/** Integers of a plain integer type, uniform in [low, high]. */
export function integers(
  random: Random,
  dims: readonly number[],
  low: number,
  high: number,
  type: 'int8' | 'uint8' | 'int32' | 'int64' = 'int32',
): Tensor {
  return new Tensor(
    type,
    Array.from({ length: sizeOf(dims) }, () => Math.floor(low + random() * (high - low + 1))),
    dims,
  )
}

/** Bools, both as likely. */
export function bools(random: Random, dims: readonly number[]): Tensor {
  return new Tensor(
    'bool',
    Array.from({ length: sizeOf(dims) }, () => Number(random() < 0.5)),
    dims,
  )
}

/** 4-bit integers, over their whole range. */
export function smallIntegers(random: Random, dims: readonly number[], type: 'int4' | 'uint4'): Tensor {
  const bytes = Uint8Array.from({ length: Math.ceil(sizeOf(dims) / 2) }, () => Math.floor(random() * 256))
  if (sizeOf(dims) % 2 === 1) bytes[bytes.length - 1] &= 15
  return new Tensor(type, bytes, dims)
}

/** A 1-D int64 tensor of these values: axes, shapes, counts. */
export function longs(...values: number[]): Tensor {
  return new Tensor('int64', values, [values.length])
}

/** Narrow int8 weights (kernels/gemm.ts) in rows of `k`: of unlike signs as large as may be, of like signs up to 64. */
export function narrowWeights(random: Random, dims: readonly number[], k: number): Tensor {
  const sizes = integers(random, dims, 0, 127, 'int8').data as Int8Array
  const codes = sizes.map((size, i) => {
    const [row, at] = [Math.floor(i / k), i % k]
    return row % 2 === 0 ? size * (at % 2 === 0 ? 1 : -1) : (row % 4 === 1 ? 1 : -1) * Math.ceil(size / 2)
  })
  return new Tensor('int8', codes, dims)
}

/** int32 values of these dims. */
export function ints(values: readonly number[], ...dims: number[]): Tensor {
  return new Tensor('int32', values, dims)
}

/** A mask of 0 and 1, with a 1 in front of each row. */
export function openMask(random: Random, dims: readonly number[]): Tensor {
  const { data } = integers(random, dims, 0, 1)
  return ints(
    Array.from(data as Int32Array, (value, i) => (i % dims.at(-1)! === 0 ? 1 : value)),
    ...dims,
  )
}
