// SPDX-License-Identifier: Apache-2.0
/** Permuting constants and shapes: output axis i is input axis perm[i], as ONNX Transpose and numpy.transpose. */
import { stridesOf } from '../tensor/shape.ts'
import { dtypes } from '../tensor/dtype.ts'
import { Tensor } from '../tensor/tensor.ts'

/** The items of a list in the order of `perm`. */
export function permuted<T>(items: readonly T[], perm: readonly number[]): T[] {
  return perm.map((axis) => items[axis])
}

/** The permutation that undoes `perm`. */
export function inverse(perm: readonly number[]): number[] {
  const result = new Array<number>(perm.length)
  perm.forEach((axis, i) => (result[axis] = i))
  return result
}

/** The permutation that does `first`, then `second`. */
export function composed(first: readonly number[], second: readonly number[]): number[] {
  return second.map((axis) => first[axis])
}

export function isIdentity(perm: readonly number[]): boolean {
  return perm.every((axis, i) => axis === i)
}

/** From channels first to channels last, and back: N, C, spatial… to N, spatial…, C. */
export function toChannelsLast(rank: number): number[] {
  return [0, ...Array.from({ length: rank - 2 }, (_, i) => i + 2), 1]
}
export function toChannelsFirst(rank: number): number[] {
  return inverse(toChannelsLast(rank))
}

/** True where tensors of the type can be permuted here: items are whole elements. */
export function canPermute(tensor: Tensor): boolean {
  return dtypes[tensor.type].bits === 0 || dtypes[tensor.type].bits >= 8
}

/** A copy of the tensor with its axes in the order of `perm`. Sub-byte types are not supported (see canPermute). */
export function permuteTensor(tensor: Tensor, perm: readonly number[]): Tensor {
  const dims = permuted(tensor.dims, perm)
  const strides = permuted(stridesOf(tensor.dims), perm)
  const source = tensor.data as Float32Array
  const target = source.slice()
  const place = new Array<number>(dims.length).fill(0)
  let from = 0
  for (let at = 0; at < target.length; at++) {
    target[at] = source[from]
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      from += strides[axis]
      if (++place[axis] < dims[axis]) break
      from -= strides[axis] * dims[axis]
      place[axis] = 0
    }
  }
  return new Tensor(tensor.type, target, dims)
}
