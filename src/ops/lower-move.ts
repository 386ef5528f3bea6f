// SPDX-License-Identifier: Apache-2.0
/**
 * Data movement as steps: a copy from strided elements to strided elements of up to six dims, after dims of 1 are
 * dropped and neighbours merged. Elements are 1, 2, 4 or 8 bytes; a dense copy becomes a copy of bytes, and a matrix
 * transposition of elements of 1 or 4 bytes the tiled kernel.
 */
import { type Dtype, dtypes } from '../tensor/dtype.ts'
import { sizeOf } from '../tensor/shape.ts'
import { type LoopAxis, collapse } from './broadcast.ts'
import { grainOf } from './grid.ts'
import type { Lowering, Ref, StepSpec } from './lower.ts'

/** Dims of the copy kernels. */
const copyAxes = 6

/** Bytes of a unit of a contiguous copy. */
const copyBlock = 65536

/** A copy: element [i0, i1, …] of `target` becomes that of `source`; strides in elements, negative allowed. */
export interface ElementCopy {
  /** Bytes of an element. */
  readonly width: number
  readonly dims: readonly number[]
  /** Place of the element at index 0 of all dims. */
  readonly source: Ref
  readonly strides: readonly number[]
  readonly target: Ref
  readonly targetStrides: readonly number[]
}

/** Bytes of an element, or null for types that are not a whole number of bytes. */
export function widthOf(dtype: Dtype): 1 | 2 | 4 | 8 | null {
  const { bits } = dtypes[dtype]
  return bits >= 8 ? ((bits / 8) as 1 | 2 | 4 | 8) : null
}

/** Emits the copy; nothing for 0 elements. @returns false when it has more dims than the kernels */
export function copyElements(lowering: Lowering, copy: ElementCopy): boolean {
  const { width, source, target } = copy
  if (sizeOf(copy.dims) === 0) return true
  const axes = collapse(copy.dims, [copy.strides, copy.targetStrides])
  if (isDense(axes)) {
    copyBytes(lowering, source, target, axes[0].size * width)
    return true
  }
  if ((width === 4 || width === 1) && emitTranspose(lowering, width, source, target, axes)) return true
  if (axes.length > copyAxes) return false
  const one: LoopAxis = { size: 1, strides: [0, 0] }
  const loop = [...new Array<LoopAxis>(copyAxes - axes.length).fill(one), ...axes]
  const size = loop.map((axis) => axis.size)
  const from = loop.map((axis) => axis.strides[0])
  const to = loop.map((axis) => axis.strides[1])
  const args = {
    src: source,
    dst: target,
    d0: size[0],
    d1: size[1],
    d2: size[2],
    d3: size[3],
    d4: size[4],
    d5: size[5],
    s0: from[0],
    s1: from[1],
    s2: from[2],
    s3: from[3],
    s4: from[4],
    s5: from[5],
    t0: to[0],
    t1: to[1],
    t2: to[2],
    t3: to[3],
    t4: to[4],
    t5: to[5],
  }
  lowering.step({ kernel: `copy_${width}`, args, units: sizeOf(size.slice(0, 5)), grain: grainOf(size[5]) } as StepSpec)
  return true
}

/** Emits a contiguous copy; nothing for 0 bytes. */
export function copyBytes(lowering: Lowering, source: Ref, target: Ref, bytes: number): void {
  if (bytes === 0) return
  const args = { src: source, dst: target, bytes, block: copyBlock }
  lowering.step({ kernel: 'copy_bytes', args, units: Math.ceil(bytes / copyBlock) })
}

/** Writes `size` elements of 4 bytes with these bits; nothing for 0 elements. */
export function fill(lowering: Lowering, target: Ref, size: number, bits: number): void {
  if (size === 0) return
  const block = copyBlock / 4
  lowering.step({
    kernel: 'fill_4',
    args: { dst: target, size, block, value: bits >>> 0 },
    units: Math.ceil(size / block),
  })
}

function isDense(axes: readonly LoopAxis[]): boolean {
  return axes.length === 1 && (axes[0].size === 1 || axes[0].strides.every((stride) => stride === 1))
}

/** The tiled kernel, for [batch] x rows x cols where rows and cols change places and the batch is dense on both sides. */
function emitTranspose(lowering: Lowering, width: 1 | 4, x: Ref, y: Ref, axes: readonly LoopAxis[]): boolean {
  if (axes.length < 2 || axes.length > 3) return false
  const [cols, rows] = axes.slice(-2)
  const batch = axes.length === 3 ? axes[0] : { size: 1, strides: [rows.size * cols.size, rows.size * cols.size] }
  const plane = rows.size * cols.size
  // in the order of the target the source's rows are the last axis
  const swapped =
    cols.strides[0] === 1 && rows.strides[0] === cols.size && rows.strides[1] === 1 && cols.strides[1] === rows.size
  if (!swapped || batch.strides.some((stride) => stride !== plane)) return false
  const args = { x, y, batch: batch.size, rows: rows.size, cols: cols.size }
  lowering.step({ kernel: `transpose_${width}`, args, units: batch.size * Math.ceil(rows.size / 8) })
  return true
}

/** Bytes that a unit of gathering moves at least. */
const gatheredBytes = 16384

/** Rows of `rowBytes` bytes along an axis of so many rows, at `count` indices of `indexBytes` (4 or 8) bytes, `outer` times. */
export function emitRowGather(
  lowering: Lowering,
  args: {
    readonly src: Ref
    readonly index: Ref
    readonly dst: Ref
    readonly outer: number
    readonly axis: number
    readonly count: number
    readonly rowBytes: number
    readonly indexBytes: number
  },
): void {
  const { outer, count, rowBytes } = args
  const grain = Math.max(1, Math.floor(gatheredBytes / rowBytes))
  lowering.step({ kernel: 'gather_rows', args, units: outer * count, grain })
}
