// SPDX-License-Identifier: Apache-2.0
/**
 * ONNX's tensor records → tensors. Bytes that lie aligned stay views on the file, others are copied once; sparse
 * tensors are written out.
 */
import { FormatError } from '../base/errors.ts'
import type { OnnxSparseTensor, OnnxTensor } from '../format/onnx-records.ts'
import { byteLengthOf, dtypes } from '../tensor/dtype.ts'
import { sizeOf, stridesOf } from '../tensor/shape.ts'
import { Tensor, tensorFromBytes } from '../tensor/tensor.ts'

/** Most bytes a sparse tensor may grow to: far above real ones, bounds what a small hostile file can ask for. */
const maxDenseBytes = 2 ** 28

export function toTensor(record: OnnxTensor): Tensor {
  const { dtype, data, dims } = record
  return data instanceof Uint8Array ? tensorFromBytes(dtype, data, dims) : new Tensor(dtype, data, dims)
}

/** The dense form of a sparse tensor. @throws FormatError for indices outside of its dims */
export function toDenseTensor(record: OnnxSparseTensor): Tensor {
  const { values, indices, dims } = record
  const where = `sparse tensor '${values.name}'`
  const bits = dtypes[values.dtype].bits
  const size = sizeOf(dims)
  const count = sizeOf(values.dims)
  const isLinear = indices.dims.length === 1
  const bad = (expected: string, got: string): FormatError => new FormatError({ where, expected, got })
  if (bits < 8 || !(values.data instanceof Uint8Array)) throw bad('elements of whole bytes', values.dtype)
  if (indices.dtype !== 'int64') throw bad('indices of int64', indices.dtype)
  if (!(size * (bits / 8) <= maxDenseBytes)) throw bad(`at most ${maxDenseBytes} bytes`, `[${dims.join(', ')}]`)
  const wanted = isLinear ? [count] : [count, dims.length]
  if (indices.dims.join() !== wanted.join())
    throw bad(`indices of [${wanted.join(', ')}]`, `[${indices.dims.join(', ')}]`)
  const at = Array.from(toTensor(indices).data as BigInt64Array, Number)
  const strides = isLinear ? [1] : stridesOf(dims)
  const limits = isLinear ? [size] : dims
  const bytes = new Uint8Array(byteLengthOf(values.dtype, size))
  const width = bits / 8
  for (let i = 0; i < count; i++) {
    let position = 0
    for (const [axis, stride] of strides.entries()) {
      const index = at[i * strides.length + axis]
      if (!(index >= 0 && index < limits[axis])) throw bad(`an index in [0, ${limits[axis]})`, String(index))
      position += index * stride
    }
    bytes.set(values.data.subarray(i * width, (i + 1) * width), position * width)
  }
  return tensorFromBytes(values.dtype, bytes, dims)
}
