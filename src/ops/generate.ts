// SPDX-License-Identifier: Apache-2.0
/**
 * Operators that make tensors from little: ConstantOfShape, Range, EyeLike, OneHot. Where all that decides them is
 * known, small integer results are content.
 */
import { GraphError } from '../base/errors.ts'
import * as dim from '../ir/dim.ts'
import type { Dim } from '../ir/dim.ts'
import { maxContent } from '../ir/infer.ts'
import { type Dtype, dtypeOfOnnx } from '../tensor/dtype.ts'
import { normalizeAxis, sizeOf } from '../tensor/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import {
  type Attributes,
  type OpContext,
  type Reference,
  type Sample,
  type Samples,
  type ValueInfo,
  defineOps,
} from './define.ts'
import { axisOf, commonDtype, complaint, contentOf, knownSize, needed, unknownDims, valueOf } from './infer.ts'
import { emitComparison, emitSelect } from './lower-compare.ts'
import { shifted } from './lower-elementwise.ts'
import { copyBytes, copyElements, fill, widthOf } from './lower-move.ts'
import { emitElements } from './lower-pick.ts'
import { cellsOf, integersOf } from './elements.ts'
import { type Exact, exactOf, newCells, numbersOf, tensorOf, tensorOfCells } from './numeric.ts'
import { integers, longs } from './sample-tensors.ts'

/** The value ConstantOfShape repeats: one element, float32 0 by default. */
function valueTensor({ value }: Attributes): Tensor {
  return value instanceof Tensor ? value : new Tensor('float32', [0])
}

/** Most elements of a Range that lie ready in memory. */
const mostTable = 2 ** 17

/** Number of elements of a range, null where it is not known. */
function rangeLength(infos: readonly ValueInfo[]): Dim | null {
  const [start, limit, delta] = infos.map((info) => (info.tensor ? numbersOf(info.tensor)[0] : contentOf(info)?.[0]))
  if (start === undefined || limit === undefined || delta === undefined || !dim.isKnown(delta) || delta === 0)
    return null
  if (dim.isKnown(start) && dim.isKnown(limit)) return Math.max(Math.ceil((limit - start) / delta), 0)
  return delta > 0
    ? dim.max(dim.ceilDiv(dim.sub(limit, start), delta), 0)
    : dim.max(dim.ceilDiv(dim.sub(start, limit), -delta), 0)
}

function rangeContent(infos: readonly ValueInfo[], length: Dim | null): Dim[] | null {
  const [start, , delta] = infos.map((info) => contentOf(info)?.[0])
  if (start === undefined || delta === undefined || length === null || !dim.isKnown(length) || length > maxContent)
    return null
  return Array.from({ length }, (_, i) => dim.add(start, dim.mul(delta, i)))
}

function dtypeOf(context: OpContext, fallback: Dtype): Dtype {
  const code = context.attributes.dtype as number | undefined
  return code === undefined ? fallback : (dtypeOfOnnx(code) ?? fallback)
}

export const ops = defineOps({
  ConstantOfShape: {
    inputs: [1, 1],
    attributes: { value: { kind: 'tensor' } },
    infer([shape], context) {
      const info = needed(context, shape, 'input')
      const value = valueTensor(context.attributes)
      const dims = contentOf(info)
      if (dims === null) {
        const rank = info.dims?.[0]
        return [
          { dtype: value.type, dims: rank !== undefined && dim.isKnown(rank) ? unknownDims(context, rank) : null },
        ]
      }
      if (dims.some((d) => dim.isKnown(d) && d < 0))
        throw complaint(context, 'dims >= 0', dims.map(dim.print).join(', '))
      const size = knownSize(dims)
      const small = size !== null && size <= maxContent
      const element = contentOf({ dtype: value.type, dims: value.dims, tensor: value })?.[0]
      return [valueOf(value.type, dims, small && element !== undefined ? new Array<Dim>(size).fill(element) : null)]
    },
    lower(lowering, { attributes }) {
      const y = lowering.output(0)
      if (y.dtype !== 'float32' && y.dtype !== 'int32' && y.dtype !== 'uint32') return false
      const { data } = valueTensor(attributes)
      fill(lowering, y.ref, y.size, new Uint32Array((data as Float32Array).slice(0, 1).buffer)[0])
      return true
    },
  },
  EyeLike: {
    inputs: [1, 1],
    attributes: { dtype: { kind: 'int' }, k: { kind: 'int', default: 0 } },
    infer([x], context) {
      const { dtype, dims } = needed(context, x, 'input')
      return [{ dtype: dtypeOf(context, dtype), dims }]
    },
  },
  OneHot: {
    inputs: [3, 3],
    attributes: { axis: { kind: 'int', default: -1 } },
    infer([indices, depth, values], context) {
      const { dims } = needed(context, indices, 'indices')
      const { dtype } = needed(context, values, 'values')
      if (dims === null) return [{ dtype, dims }]
      const axis = axisOf(context, context.attributes.axis as number, dims.length + 1)
      const info = needed(context, depth, 'depth')
      const count = info.tensor ? Math.trunc(numbersOf(info.tensor)[0]) : contentOf(info)?.[0]
      const length = count ?? unknownDims(context, dims.length + 1)[axis]
      return [{ dtype, dims: [...dims.slice(0, axis), length, ...dims.slice(axis)] }]
    },
    lower(lowering, { attributes }) {
      const [indices, values, y] = [lowering.input(0)!, lowering.input(2)!, lowering.output(0)]
      const width = widthOf(values.dtype)
      const { dims, dtype } = indices
      if (width === null || values.size !== 2 || (dtype !== 'int32' && dtype !== 'int64')) return false
      const axis = normalizeAxis(attributes.axis as number, dims.length + 1)
      const length = y.dims[axis]
      if (y.size === 0) return true
      const [outer, inner] = [sizeOf(dims.slice(0, axis)), sizeOf(dims.slice(axis))]
      const [off, on] = [0, width].map((bytes) => ({ ...values, ref: shifted(values.ref, bytes), dims: [] }))
      const flags = [0, 1].map(() => ({ ...indices, dtype: 'bool' as const, ref: lowering.scratch(indices.size) }))
      const [inside, below] = flags
      const bound = (place: number) => {
        const bytes = dtype === 'int32' ? Int32Array.of(place) : BigInt64Array.of(BigInt(place))
        return { ...indices, ref: lowering.table(new Uint8Array(bytes.buffer)), dims: [] }
      }
      const hot = { ...values, ref: lowering.scratch(indices.size * width), dims }
      if (!emitComparison(lowering, 'GreaterOrEqual', [indices, bound(-length)], inside)) return false
      if (!emitComparison(lowering, 'Less', [indices, bound(length)], below)) return false
      if (!emitComparison(lowering, 'And', [inside, below], inside)) return false
      if (!emitSelect(lowering, inside, [on, off], hot)) return false
      // all cold; then each index puts its value, and one that is no place, clamped to one, a cold value
      const all = { width, dims: [y.size], source: off.ref, strides: [0], target: y.ref, targetStrides: [1] }
      if (!copyElements(lowering, all)) return false
      const places = { ...indices, dims: [outer, 1, inner] }
      const put = { source: hot.ref, target: y.ref, kind: 'scatter', size: indices.size } as const
      return emitElements(lowering, { ...y, dims: [outer, length, inner] }, places, 1, put)
    },
  },
  Range: {
    inputs: [3, 3],
    // of the function body ONNX gives for it
    attributes: { stash_type: { kind: 'int', default: 1 } },
    infer(infos, context) {
      const given = ['start', 'limit', 'delta'].map((name, i) => needed(context, infos[i], name))
      const length = rangeLength(given)
      const dims = length === null ? unknownDims(context, 1) : [length]
      return [valueOf(commonDtype(context, given), dims, rangeContent(given, length))]
    },
    // its length is known, and so is all of it: what is too long for content is a table
    lower(lowering) {
      const [y, start, delta] = [lowering.output(0), lowering.input(0)!.tensor, lowering.input(2)!.tensor]
      if (!start || !delta || y.size > mostTable) return false
      const [first, step] = [Number(start.data[0]), Number(delta.data[0])]
      const numbers = Array.from({ length: y.size }, (_, i) => first + i * step)
      if (!(y.dtype === 'float32' || y.dtype === 'int32') && y.dtype !== 'int64') return false
      const data =
        y.dtype === 'int64'
          ? BigInt64Array.from(numbers, BigInt)
          : y.dtype === 'int32'
            ? Int32Array.from(numbers)
            : Float32Array.from(numbers)
      copyBytes(lowering, lowering.table(new Uint8Array(data.buffer)), y.ref, data.byteLength)
      return true
    },
  },
})

export const references = {
  ConstantOfShape: ([shape], attributes) => {
    const value = valueTensor(attributes)
    const dims = integersOf(shape!)
    const cells = newCells(value.type, sizeOf(dims)) as number[] & ReturnType<typeof newCells>
    cells.fill(cellsOf(value)[0] as never)
    return [tensorOfCells(value.type, cells, dims)]
  },
  EyeLike: ([x], { dtype, k }) => {
    const [rows, cols] = x!.dims
    const values = Array.from({ length: rows * cols }, (_, i) => Number((i % cols) - Math.floor(i / cols) === k))
    return [tensorOf(dtype === undefined ? x!.type : dtypeOfOnnx(dtype as number)!, values, x!.dims)]
  },
  OneHot: ([indices, depth, values], attributes) => {
    const { dims } = indices!
    const given = attributes.axis as number
    const axis = given < 0 ? given + dims.length + 1 : given
    const length = Math.trunc(numbersOf(depth!)[0])
    const [off, on] = Array.from(exactOf(values!)) as [Exact, Exact]
    const inner = sizeOf(dims.slice(axis))
    const at = integersOf(indices!)
    const result = new Array<Exact>(at.length * length).fill(off)
    at.forEach((index, i) => {
      const hot = index < 0 ? index + length : index
      if (hot >= 0 && hot < length) result[(Math.floor(i / inner) * length + hot) * inner + (i % inner)] = on
    })
    return [tensorOf(values!.type, result, [...dims.slice(0, axis), length, ...dims.slice(axis)])]
  },
  Range: ([start, limit, delta]) => {
    const [first, last, step] = [start!, limit!, delta!].map((x) => numbersOf(x)[0])
    if (step === 0) throw new GraphError({ where: 'Range', expected: 'a delta other than 0', got: '0' })
    const length = Math.max(Math.ceil((last - first) / step), 0)
    return [
      tensorOf(
        start!.type,
        Array.from({ length }, (_, i) => first + i * step),
        [length],
      ),
    ]
  },
} satisfies Record<string, Reference>

export const samples = {
  ConstantOfShape: (): Sample[] => [
    { inputs: [longs(2, 3)] },
    { inputs: [longs(2, 3)], attributes: { value: new Tensor('int64', [7]) } },
    { inputs: [longs()], attributes: { value: new Tensor('float32', [1.5]) } },
    { inputs: [longs(0)], attributes: { value: new Tensor('int32', [-1]) } },
  ],
  EyeLike: (random): Sample[] => [
    { inputs: [integers(random, [3, 4], 0, 9)] },
    { inputs: [integers(random, [3, 4], 0, 9)], attributes: { k: -1, dtype: 1 } },
  ],
  OneHot: (random): Sample[] => [
    { inputs: [integers(random, [2, 3], -4, 5, 'int64'), longs(4), new Tensor('float32', [0, 1])] },
    { inputs: [integers(random, [2, 3], 0, 3), new Tensor('float32', [4], []), longs(5, 9)], attributes: { axis: 1 } },
    {
      inputs: [integers(random, [3, 2], -3, 3), longs(3), new Tensor('bool', [0, 1])],
      attributes: { axis: 0 },
    },
  ],
  Range: (): Sample[] => [
    { inputs: [new Tensor('int64', [2], []), new Tensor('int64', [11], []), new Tensor('int64', [4], [])] },
    { inputs: [new Tensor('int64', [5], []), new Tensor('int64', [0], []), new Tensor('int64', [-2], [])] },
    { inputs: [new Tensor('float32', [0], []), new Tensor('float32', [1], []), new Tensor('float32', [0.25], [])] },
    { inputs: [new Tensor('int64', [7], []), new Tensor('int64', [-4000], []), new Tensor('int64', [-2], [])] },
    { inputs: [new Tensor('float32', [0.1], []), new Tensor('float32', [70], []), new Tensor('float32', [0.05], [])] },
    { inputs: [new Tensor('int32', [5], []), new Tensor('int32', [5], []), new Tensor('int32', [1], [])] },
  ],
} satisfies Record<string, Samples>
