// SPDX-License-Identifier: Apache-2.0
/**
 * Resize as steps, axis by axis: rows are gathered by tables of positions; where a position is made of several, each is
 * gathered, weighted and added up. Axes that shrink come first, so that little is left for the others.
 */
import { sizeOf } from '../tensor/shape.ts'
import type { ResizedAxis } from './interpolation.ts'
import { emitBinary } from './lower-elementwise.ts'
import { emitRowGather, widthOf } from './lower-move.ts'
import type { Lowering, Ref } from './lower.ts'

/** Most positions an output position is made of; long antialiasing windows are the reference's. */
const mostTaps = 8

interface Source {
  readonly ref: Ref
  readonly dims: readonly number[]
}

/** The rows of an axis at these positions. */
function emitGather(
  lowering: Lowering,
  from: Source,
  axis: number,
  positions: Int32Array,
  to: Ref,
  width: number,
): void {
  const outer = sizeOf(from.dims.slice(0, axis))
  const rowBytes = sizeOf(from.dims.slice(axis + 1)) * width
  const count = positions.length
  const index = lowering.table(positions)
  emitRowGather(lowering, {
    src: from.ref,
    index,
    dst: to,
    outer,
    axis: from.dims[axis],
    count,
    rowBytes,
    indexBytes: 4,
  })
}

/** Resamples one axis into `to`. */
function emitAxis(
  lowering: Lowering,
  from: Source,
  { axis, output, taps }: ResizedAxis,
  to: Ref,
  width: number,
): boolean {
  if (taps.count === 1) {
    emitGather(lowering, from, axis, taps.indices, to, width)
    return true
  }
  const dims = from.dims.map((d, k) => (k === axis ? output : d))
  const part = lowering.scratch(sizeOf(dims) * 4)
  const along = dims.map((d, k) => (k === axis ? d : 1))
  for (let k = 0; k < taps.count; k++) {
    const every = (values: ArrayLike<number>): number[] =>
      Array.from({ length: output }, (_, i) => values[i * taps.count + k])
    const target = { ref: k === 0 ? to : part, dims }
    emitGather(lowering, from, axis, Int32Array.from(every(taps.indices)), target.ref, width)
    const weights = { ref: lowering.table(Float32Array.from(every(taps.weights))), dims: along }
    if (!emitBinary(lowering, 'binary_mul_f32', target, weights, target.ref, dims)) return false
    if (k > 0 && !emitBinary(lowering, 'binary_add_f32', { ref: to, dims }, target, to, dims)) return false
  }
  return true
}

/** Emits the resampling of these axes. @returns false where there are no steps for it */
export function lowerResize(lowering: Lowering, axes: readonly ResizedAxis[]): boolean {
  const [x, y] = [lowering.input(0)!, lowering.output(0)]
  if (axes.length === 0) {
    lowering.alias(0, 0)
    return true
  }
  const width = widthOf(x.dtype)
  const isFloat32 = x.dtype === 'float32'
  if (width === null || axes.some(({ taps }) => taps.outside.includes(1))) return false
  if (axes.some(({ taps }) => taps.count > (isFloat32 ? mostTaps : 1))) return false
  const growth = ({ axis, output }: ResizedAxis): number => output / x.dims[axis]
  const order = [...axes].sort((a, b) => growth(a) - growth(b) || b.axis - a.axis)
  let from: Source = { ref: x.ref, dims: x.dims }
  for (const [i, one] of order.entries()) {
    const dims = from.dims.map((d, k) => (k === one.axis ? one.output : d))
    const to = i === order.length - 1 ? y.ref : lowering.scratch(sizeOf(dims) * width)
    if (!emitAxis(lowering, from, one, to, width)) return false
    from = { ref: to, dims }
  }
  return true
}
