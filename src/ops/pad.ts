// SPDX-License-Identifier: Apache-2.0
/**
 * Pad: elements put around an input, negative pads cut. Modes constant, reflect (the edge is not repeated), edge, wrap.
 * Pads, value and axes are inputs (opset 11, 18 and later). Steps: the constant mode fills and copies (4-byte elements);
 * the other modes copy the inside, then, axis by axis, the two borders out of what is already written.
 */
import { GraphError } from '../base/errors.ts'
import * as dim from '../ir/dim.ts'
import type { Dim } from '../ir/dim.ts'
import { sizeOf, stridesOf } from '../tensor/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import { type Reference, type Sample, type Samples, type ValueInfo, type OpContext, defineOps } from './define.ts'
import { axesOf, commonDtype, complaint, contentOf, integersFrom, needed, unknownDims } from './infer.ts'
import { shifted } from './lower-elementwise.ts'
import { copyElements, fill, widthOf } from './lower-move.ts'
import type { Lowering, Operand, Ref } from './lower.ts'
import { cellsOf, integersOf, isInteger, walk } from './elements.ts'
import { pick } from './numeric.ts'
import { floats, longs } from './sample-tensors.ts'

/** Elements put before and after each axis. */
interface Pads {
  readonly before: readonly number[]
  readonly after: readonly number[]
}

/** Pads per axis of the input, from a list for the named axes. */
function padsOf(rank: number, list: readonly number[], axes: readonly number[] | null): Pads {
  const named = axes?.map((axis) => (axis < 0 ? axis + rank : axis)) ?? Array.from({ length: rank }, (_, i) => i)
  const before = new Array<number>(rank).fill(0)
  const after = new Array<number>(rank).fill(0)
  named.forEach((axis, i) => {
    before[axis] = list[i]
    after[axis] = list[i + named.length]
  })
  return { before, after }
}

function inferDims(infos: readonly (ValueInfo | null)[], context: OpContext): Dim[] | null {
  const dims = needed(context, infos[0], 'data').dims
  if (dims === null) return null
  const list = contentOf(needed(context, infos[1], 'pads'))
  if (!isInteger(infos[1]!.dtype)) throw complaint(context, 'pads of integers', infos[1]!.dtype)
  if (infos[2]) commonDtype(context, [infos[0], infos[2]])
  const given = infos[3] ? integersFrom(infos[3]) : undefined
  if (list === null || given === null) return unknownDims(context, dims.length)
  const axes = given ? axesOf(context, given, dims.length) : dims.map((_, axis) => axis)
  if (list.length !== 2 * axes.length) throw complaint(context, `${2 * axes.length} pads`, String(list.length))
  const result = [...dims]
  axes.forEach((axis, i) => {
    result[axis] = dim.add(dims[axis], dim.add(list[i], list[i + axes.length]))
    const size = result[axis]
    if (dim.isKnown(size) && size < 0)
      throw complaint(context, `pads that leave something of axis ${axis}`, String(size))
  })
  return result
}

export const ops = defineOps({
  Pad: {
    inputs: [2, 4],
    attributes: { mode: { kind: 'string', default: 'constant' } },
    infer(infos, context) {
      return [{ dtype: needed(context, infos[0], 'data').dtype, dims: inferDims(infos, context) }]
    },
    lower(lowering, { attributes }) {
      const [x, list, value, axes] = [0, 1, 2, 3].map((i) => lowering.input(i))
      if (!list?.tensor || (value && !value.tensor) || (axes && !axes.tensor)) return false
      const pads = padsOf(x!.dims.length, integersOf(list.tensor), axes ? integersOf(axes.tensor!) : null)
      if (attributes.mode === 'constant') return emitConstant(lowering, pads, value)
      return (attributes.mode as string) in borders && emitBorders(lowering, pads, attributes.mode as string)
    },
  },
})

/** Copies what is kept of the input to its place in the output. */
function emitInside(lowering: Lowering, { before, after }: Pads, width: number): boolean {
  const [x, y] = [lowering.input(0)!, lowering.output(0)]
  const kept = x.dims.map((size, axis) => size + Math.min(0, before[axis]) + Math.min(0, after[axis]))
  if (kept.some((size) => size <= 0)) return true
  const [from, to] = [stridesOf(x.dims), stridesOf(y.dims)]
  const skipped = before.reduce((offset, pad, axis) => offset + Math.max(0, -pad) * from[axis], 0)
  const start = before.reduce((offset, pad, axis) => offset + Math.max(0, pad) * to[axis], 0)
  const target = shifted(y.ref, width * start)
  const source = shifted(x.ref, width * skipped)
  return copyElements(lowering, { width, dims: kept, source, strides: from, target, targetStrides: to })
}

function emitConstant(lowering: Lowering, pads: Pads, value: Operand | null): boolean {
  const y = lowering.output(0)
  if (widthOf(y.dtype) !== 4) return false
  const bits = value ? new Uint32Array((value.tensor!.data as Float32Array).slice(0, 1).buffer)[0] : 0
  if ([...pads.before, ...pads.after].some((pad) => pad > 0)) fill(lowering, y.ref, y.size, bits)
  return emitInside(lowering, pads, 4)
}

/**
 * Modes whose border elements are copies: element i of a border (0 next to the inside) is inside element
 * first + i * step, counted from that end. Wider borders than `limit` repeat, which the reference does.
 */
const borders: Readonly<Record<string, { limit(size: number): number; first(size: number): number; step: number }>> = {
  edge: { limit: () => Infinity, first: () => 0, step: 0 },
  reflect: { limit: (size) => size - 1, first: () => 1, step: 1 },
  wrap: { limit: (size) => size, first: (size) => size - 1, step: -1 },
}

function emitBorders(lowering: Lowering, pads: Pads, mode: string): boolean {
  const [x, y] = [lowering.input(0)!, lowering.output(0)]
  const { before, after } = pads
  const width = widthOf(x.dtype)
  const { limit, first, step } = borders[mode]
  const fits = x.dims.every((size, axis) => [before[axis], after[axis]].every((pad) => pad >= 0 && pad <= limit(size)))
  if (width === null || x.size === 0 || !fits || !emitInside(lowering, pads, width)) return false
  const to = stridesOf(y.dims)
  // a border spans what is written: the whole of the axes before it, the inside of those behind it
  return x.dims.every((size, axis) => {
    const base = before.reduce((offset, pad, k) => (k > axis ? offset + pad * to[k] : offset), 0)
    const border = (pad: number, end: number, out: number): boolean => {
      const dims = x.dims.map((d, k) => (k < axis ? y.dims[k] : k > axis ? d : pad))
      const along = (stride: number): number[] => to.map((own, k) => (k === axis ? stride * own : own))
      const place = (index: number): Ref => shifted(y.ref, width * (base + index * to[axis]))
      const source = place(end - out * first(size))
      const copy = {
        width,
        dims,
        source,
        strides: along(-out * step),
        target: place(end + out),
        targetStrides: along(out),
      }
      return copyElements(lowering, copy)
    }
    return border(before[axis], before[axis], -1) && border(after[axis], before[axis] + size - 1, 1)
  })
}

/** The input index that output position `at` (counted from the input's start) shows; -1: the constant. */
const sources: Readonly<Record<string, (at: number, size: number) => number>> = {
  constant: (at, size) => (at < 0 || at >= size ? -1 : at),
  edge: (at, size) => Math.min(Math.max(at, 0), size - 1),
  reflect(at, size) {
    if (size === 1) return 0
    const period = 2 * (size - 1)
    const within = ((at % period) + period) % period
    return within < size ? within : period - within
  },
  wrap: (at, size) => ((at % size) + size) % size,
}

export const references = {
  Pad: ([x, list, value, axes], attributes) => {
    const { dims } = x!
    const source = sources[attributes.mode as string] as (typeof sources)[string] | undefined
    if (source === undefined) {
      throw new GraphError({
        where: 'Pad.mode',
        expected: Object.keys(sources).join(', '),
        got: String(attributes.mode),
      })
    }
    const pads = padsOf(dims.length, integersOf(list!), axes ? integersOf(axes) : null)
    const result = dims.map((size, axis) => size + pads.before[axis] + pads.after[axis])
    const own = stridesOf(dims)
    const maps = result.map((size, axis) =>
      Array.from({ length: size }, (_, i) => source(i - pads.before[axis], dims[axis])),
    )
    const offsets = new Int32Array(sizeOf(result))
    const strides = stridesOf(result)
    walk(result, strides, (i) => {
      let offset = 0
      for (let axis = 0; axis < result.length && offset >= 0; axis++) {
        const at = maps[axis][Math.floor(i / strides[axis]) % result[axis]]
        offset = at < 0 ? -1 : offset + at * own[axis]
      }
      offsets[i] = offset
    })
    return [pick(x!, result, (i) => offsets[i], value ? cellsOf(value)[0] : undefined)]
  },
} satisfies Record<string, Reference>

export const samples = {
  Pad: (random): Sample[] => [
    { inputs: [floats(random, [2, 3]), longs(1, 0, 2, 1), new Tensor('float32', [1.5], [])] },
    { inputs: [floats(random, [2, 3, 4]), longs(0, -1, 1, 0, 1, -1)] },
    { inputs: [floats(random, [2, 5]), longs(2, 1), null, longs(-1)] },
    { inputs: [floats(random, [3, 4]), longs(1, 2, 1, 3)], attributes: { mode: 'reflect' } },
    { inputs: [floats(random, [3, 4]), longs(1, 2, 1, 3)], attributes: { mode: 'edge' } },
    { inputs: [floats(random, [3, 4]), longs(1, 2, 1, 3)], attributes: { mode: 'wrap' } },
    { inputs: [floats(random, [2, 4, 3]), longs(1, 3, 0, 0, 1, 2)], attributes: { mode: 'reflect' } },
    { inputs: [floats(random, [2, 3]), longs(5, 1, 0, 9)], attributes: { mode: 'wrap' } },
    { inputs: [longs(1, 2), longs(1, 1), longs(9)] },
    { inputs: [longs(1, 2), longs(1, 3)], attributes: { mode: 'edge' } },
  ],
} satisfies Record<string, Samples>
