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
  const source = tensor.data as Float32Array
  const target = source.slice()
  const axes = mergedAxes(tensor.dims, perm)
  if (axes.length > 1 && target.length > 0) copyAxes(source, target, axes)
  return new Tensor(tensor.type, target, permuted(tensor.dims, perm))
}

/** An axis of the target: its length and the distance of its items in the source. */
interface Axis {
  readonly size: number
  readonly stride: number
}

/** Axes of the target without those of length 1, neighbours that stay neighbours as one. */
function mergedAxes(dims: readonly number[], perm: readonly number[]): Axis[] {
  const strides = stridesOf(dims)
  const axes: Axis[] = []
  for (const axis of perm) {
    const [size, stride] = [dims[axis], strides[axis]]
    const last = axes[axes.length - 1]
    if (size === 1) continue
    if (last?.stride === size * stride) axes[axes.length - 1] = { size: last.size * size, stride }
    else axes.push({ size, stride })
  }
  return axes
}

/** Rows and columns of a tile of two axes: both sides of it stay in the first-level cache. */
const tile = 32

/** Walks all axes but the last two one item at a time, and those in tiles. */
function copyAxes(source: Float32Array, target: Float32Array, axes: readonly Axis[]): void {
  const outer = axes.slice(0, -2)
  const [rows, columns] = axes.slice(-2)
  const plane = rows.size * columns.size
  const place = new Array<number>(outer.length).fill(0)
  let from = 0
  for (let to = 0; to < target.length; to += plane) {
    copyPlane(source, from, target, to, rows, columns)
    for (let axis = outer.length - 1; axis >= 0; axis--) {
      from += outer[axis].stride
      if (++place[axis] < outer[axis].size) break
      from -= outer[axis].stride * outer[axis].size
      place[axis] = 0
    }
  }
}

function copyPlane(
  source: Float32Array,
  from: number,
  target: Float32Array,
  to: number,
  rows: Axis,
  columns: Axis,
): void {
  for (let row = 0; row < rows.size; row += tile) {
    const lastRow = Math.min(rows.size, row + tile)
    for (let column = 0; column < columns.size; column += tile) {
      const lastColumn = Math.min(columns.size, column + tile)
      for (let i = row; i < lastRow; i++) {
        let at = from + i * rows.stride + column * columns.stride
        for (let j = column; j < lastColumn; j++, at += columns.stride) target[to + i * columns.size + j] = source[at]
      }
    }
  }
}
