// SPDX-License-Identifier: Apache-2.0
/**
 * Views: how an output reads one dense input, as dims, strides and a start, all in elements. Transposes, slices,
 * expansions, tilings and block shuffles are views, so each says its index arithmetic once and the reference, the
 * content of shape arithmetic and the kernel steps all follow from it. A view's dims may split the output's axes;
 * only their product and order count.
 */
import { type Dim, areKnown } from '../ir/dim.ts'
import { maxContent } from '../ir/infer.ts'
import { sizeOf, stridesOf } from '../tensor/shape.ts'
import { collapse } from './broadcast.ts'
import type { ValueInfo } from './define.ts'
import { contentOf } from './infer.ts'
import { shifted } from './lower-elementwise.ts'
import { copyElements, widthOf } from './lower-move.ts'
import type { Lowering } from './lower.ts'
import { offsetsOf } from './elements.ts'

/** Element [i0, i1, …] of the output is input element start + i0 * strides[0] + i1 * strides[1] + … */
export interface View {
  readonly dims: readonly number[]
  readonly strides: readonly number[]
  readonly start: number
}

/** Output axis k is axis perm[k] of the input, which may be taken as a shape that splits its axes. */
export function transposeView(dims: readonly number[], perm: readonly number[]): View {
  const own = stridesOf(dims)
  return { dims: perm.map((axis) => dims[axis]), strides: perm.map((axis) => own[axis]), start: 0 }
}

/** Per axis `counts` elements from `starts` on, `steps` apart. */
export function sliceView(
  dims: readonly number[],
  starts: readonly number[],
  steps: readonly number[],
  counts: readonly number[],
): View {
  const own = stridesOf(dims)
  const start = sizeOf(counts) === 0 ? 0 : starts.reduce((offset, at, axis) => offset + at * own[axis], 0)
  return { dims: counts, strides: own.map((stride, axis) => stride * steps[axis]), start }
}

/** The content the view reads, where the input's is known and it is small; `make` is asked only for known input dims. */
export function viewedContent(info: ValueInfo, make: (dims: readonly number[]) => View): Dim[] | null {
  const content = contentOf(info)
  if (content === null || info.dims === null || !areKnown(info.dims)) return null
  const view = make(info.dims)
  if (!(sizeOf(view.dims) <= maxContent)) return null
  return Array.from(offsetsOf(view.dims, view.strides, view.start), (at) => content[at])
}

/** Steps for output `output` reading input `input` through the view; an alias where the elements lie as they are. */
export function emitView(lowering: Lowering, view: View, output = 0, input = 0): boolean {
  const [x, y] = [lowering.input(input)!, lowering.output(output)]
  const width = widthOf(x.dtype)
  if (width === null) return false
  if (y.size === 0) return true
  const axes = collapse(view.dims, [view.strides])
  if (axes.length === 1 && (axes[0].size === 1 || axes[0].strides[0] === 1)) {
    lowering.alias(output, input, view.start * width)
    return true
  }
  return copyElements(lowering, {
    width,
    dims: view.dims,
    source: shifted(x.ref, view.start * width),
    strides: view.strides,
    target: y.ref,
    targetStrides: stridesOf(view.dims),
  })
}
