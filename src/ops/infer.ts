// SPDX-License-Identifier: Apache-2.0
/**
 * Pieces of inference that many operators share: errors that name the node, axes, and `content`, the elements of
 * small integer (and bool, as 0 and 1) tensors that shape arithmetic is made of. Content may be symbolic; what the
 * helpers here return is either all there or null.
 */
import { GraphError } from '../base/errors.ts'
import { describeNode } from '../ir/attributes.ts'
import * as dim from '../ir/dim.ts'
import type { Dim } from '../ir/dim.ts'
import { maxContent } from '../ir/infer.ts'
import type { Dtype } from '../tensor/dtype.ts'
import { mostRank } from '../tensor/shape.ts'
import type { OpContext, ValueInfo } from './define.ts'
import { integersOf, isInteger, rangeOf } from './elements.ts'

/** A GraphError whose place is the node. */
export function complaint(context: OpContext, expected: string, got?: string, todo?: string): GraphError {
  return new GraphError({ where: describeNode(context.node), expected, got, todo })
}

/** Text of dims for messages. */
export function printDims(dims: readonly Dim[] | null): string {
  return dims === null ? 'unknown rank' : `[${dims.map(dim.print).join(', ')}]`
}

/** Axis from the front. @throws GraphError naming the node when it is not in [-rank, rank) */
export function axisOf(context: OpContext, axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    throw complaint(context, `an axis in [${-rank}, ${rank})`, String(axis))
  }
  return axis < 0 ? axis + rank : axis
}

/** Axes from the front, each once. @throws GraphError naming the node */
export function axesOf(context: OpContext, axes: readonly number[], rank: number): number[] {
  const result = axes.map((axis) => axisOf(context, axis, rank))
  if (new Set(result).size !== result.length) throw complaint(context, 'each axis once', `[${axes.join(', ')}]`)
  return result
}

/** An input that must be there. @throws GraphError naming the node */
export function needed(context: OpContext, info: ValueInfo | null | undefined, name: string): ValueInfo {
  if (info === null || info === undefined) throw complaint(context, `an input ${name}`, 'none')
  return info
}

/** Number of elements where the dims are numbers, else null. */
export function knownSize(dims: readonly Dim[] | null): number | null {
  return dims !== null && dim.areKnown(dims) ? dims.reduce((size, d) => size * d, 1) : null
}

function mayHaveContent(dtype: Dtype): boolean {
  return isInteger(dtype) || dtype === 'bool'
}

/** The elements of a small integer or bool tensor, where every one is known, be it as a symbolic dim. */
export function contentOf(info: ValueInfo | null | undefined): readonly Dim[] | null {
  if (!info) return null
  if (info.content) return info.content.every(isSafe) ? info.content : null
  if (!info.tensor || !mayHaveContent(info.dtype) || info.tensor.size > maxContent) return null
  const content = integersOf(info.tensor)
  return content.every(isSafe) ? content : null
}

/** False for numbers that doubles may have rounded. */
function isSafe(element: Dim): boolean {
  return !dim.isKnown(element) || Math.abs(element) < Number.MAX_SAFE_INTEGER
}

/** The elements of an integer tensor as plain numbers, cut to the safe integers (INT64_MAX means "to the end"). */
export function integersFrom(info: ValueInfo | null | undefined): number[] | null {
  if (!info) return null
  if (info.tensor && mayHaveContent(info.dtype)) return integersOf(info.tensor)
  return info.content && dim.areKnown(info.content) ? info.content.map(cut) : null
}

function cut(value: number): number {
  return Math.min(Math.max(value, Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER)
}

/** A ValueInfo; the content is kept when it is all there, small, and neither rounded nor wrapped around. */
export function valueOf(
  dtype: Dtype,
  dims: readonly Dim[] | null,
  content?: readonly (Dim | null)[] | null,
): ValueInfo {
  const size = knownSize(dims)
  if (!content || size === null || size > maxContent || content.length !== size || !mayHaveContent(dtype)) {
    return { dtype, dims }
  }
  const [low, high] = dtype === 'bool' ? [0, 1] : rangeOf(dtype).map(Number)
  const fits = content.every((d): d is Dim => d !== null && isSafe(d) && (!dim.isKnown(d) || (d >= low && d <= high)))
  return fits ? { dtype, dims, content } : { dtype, dims }
}

/** Dims all of which are unknown: fresh symbols named after the node's output. */
export function unknownDims(context: OpContext, rank: number, output = 0): Dim[] {
  if (rank > mostRank) throw complaint(context, `at most ${mostRank} dims`, String(rank))
  const name = context.node.outputs[output] || context.node.name
  return Array.from({ length: rank }, (_, axis) => dim.symbol(`${name}.${axis}`))
}

/** True when `a` is certainly greater than `b`. */
export function certainlyGreater(a: Dim, b: Dim): boolean {
  const difference = dim.sub(a, b)
  return dim.isKnown(difference) ? difference > 0 : dim.equal(dim.max(difference, 1), difference)
}

/** 1 when certainly equal, 0 when certainly not, null when it depends. */
export function compareEqual(a: Dim, b: Dim): 0 | 1 | null {
  if (dim.equal(a, b)) return 1
  return certainlyGreater(a, b) || certainlyGreater(b, a) ? 0 : null
}

/** All inputs of one type. @throws GraphError naming the node */
export function commonDtype(context: OpContext, infos: readonly (ValueInfo | null)[]): Dtype {
  const dtypes = [...new Set(infos.flatMap((info) => (info ? [info.dtype] : [])))]
  if (dtypes.length !== 1) throw complaint(context, 'inputs of one element type', dtypes.join(' and '))
  return dtypes[0]
}

/** Broadcast dims of the inputs (null where a rank is unknown). @throws GraphError naming the node */
export function broadcastOf(context: OpContext, infos: readonly (ValueInfo | null)[]): Dim[] | null {
  const shapes = infos.flatMap((info) => (info ? [info.dims] : []))
  if (shapes.some((dims) => dims === null)) return null
  try {
    return dim.broadcastShapes(...(shapes as Dim[][]))
  } catch (error) {
    if (!(error instanceof GraphError) || !error.message.includes('equal dims')) throw error
    throw complaint(context, 'inputs that broadcast', shapes.map(printDims).join(' and '))
  }
}
