// SPDX-License-Identifier: Apache-2.0
/**
 * QuantizeLinear and DequantizeLinear: y = saturate(nearest(x / scale) + zero) and x = (y - zero) * scale, with one
 * scale for all, one per index of an axis, or one per block of `block_size` along it. Ties go to even. The division is
 * done in float32 unless `precision` or wider inputs ask for more.
 */
import {
  encodeNarrow,
  float4e2m1,
  float8e4m3fn,
  float8e4m3fnuz,
  float8e5m2,
  float8e5m2fnuz,
} from '../base/narrow-float.ts'
import * as dim from '../ir/dim.ts'
import { type Dtype, dtypeOfOnnx, dtypes } from '../tensor/dtype.ts'
import { normalizeAxis, sizeOf } from '../tensor/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import {
  type AttributeSpec,
  type Attributes,
  type OpContext,
  type OpDef,
  type Reference,
  type Sample,
  type Samples,
  type ValueInfo,
  defineOps,
} from './define.ts'
import { mayEqual } from './conv-types.ts'
import { axisOf, complaint, knownSize, needed, printDims } from './infer.ts'
import { type Channels, channelsOf, emitDequantize, emitQuantize, isByte, oneChannel } from './lower-bytes.ts'
import { isFloat32 } from './lower-elementwise.ts'
import type { Lowering, Operand } from './lower.ts'
import { isFloat } from './elements.ts'
import { numbersOf, saturate, tensorOf, tensorOfCells } from './numeric.ts'
import { floats, integers } from './sample-tensors.ts'

const attributes: Readonly<Record<string, AttributeSpec>> = {
  axis: { kind: 'int', default: 1 },
  block_size: { kind: 'int', default: 0 },
  output_dtype: { kind: 'int', default: 0 },
}

function dtypeGiven({ output_dtype: code }: Attributes): Dtype | undefined {
  return dtypeOfOnnx(code as number)
}

/**
 * Scales (and zero points, of the same dims) are one for all, one per index of the axis, or one per block along it.
 * @throws GraphError naming the node for others
 */
function checkScales(context: OpContext, inputs: readonly (ValueInfo | null)[]): void {
  const { axis, block_size: block } = context.attributes as { axis: number; block_size: number }
  const [dims, scales, zeros] = inputs.map((info) => info?.dims ?? null)
  if (block < 0) throw complaint(context, 'a block_size >= 0', String(block))
  const isOne = (list: readonly dim.Dim[]): boolean => list.length <= 1 && knownSize(list) === 1
  if (scales !== null && zeros && !(isOne(scales) && isOne(zeros))) {
    if (scales.length !== zeros.length || !scales.every((size, i) => mayEqual(size, zeros[i])))
      throw complaint(context, `zero points of dims ${printDims(scales)}`, printDims(zeros))
  }
  if (dims === null || scales === null || isOne(scales)) return
  const along = axisOf(context, axis, dims.length)
  const wanted = block === 0 ? [dims[along]] : dims.map((size, i) => (i === along ? dim.ceilDiv(size, block) : size))
  if (scales.length === wanted.length && scales.every((size, i) => mayEqual(size, wanted[i]))) return
  throw complaint(context, `scales of dims ${printDims(wanted)}`, printDims(scales))
}

const definitions = defineOps({
  DequantizeLinear: {
    inputs: [2, 3],
    attributes,
    infer([x, scale, zero], context) {
      const { dims } = needed(context, x, 'x')
      checkScales(context, [x, scale, zero ?? null])
      return [{ dtype: dtypeGiven(context.attributes) ?? needed(context, scale, 'x_scale').dtype, dims }]
    },
    lower: (lowering, context) => lowerDequantize(lowering, context.attributes),
  },
  QuantizeLinear: {
    inputs: [2, 3],
    attributes: { ...attributes, precision: { kind: 'int', default: 0 }, saturate: { kind: 'int', default: 1 } },
    infer([x, scale, zero], context) {
      const { dims } = needed(context, x, 'x')
      checkScales(context, [x, needed(context, scale, 'y_scale'), zero ?? null])
      return [{ dtype: zero?.dtype ?? dtypeGiven(context.attributes) ?? 'uint8', dims }]
    },
    lower: (lowering, context) => lowerQuantize(lowering, context.attributes),
  },
})

/** ONNX Runtime's own two are ONNX's before the axis of blocks; they take 16-bit integers and say nothing else. */
export const ops = {
  ...definitions,
  'com.microsoft.DequantizeLinear': definitions.DequantizeLinear,
  'com.microsoft.QuantizeLinear': definitions.QuantizeLinear,
} satisfies Record<string, OpDef>

/** How scales lie in a dense tensor, or null where they are blocks. */
function channelsFor(
  x: Operand,
  scale: Operand,
  zero: Operand | null,
  { axis, block_size: block }: Attributes,
): Channels | null {
  if (block !== 0 || scale.size === 0 || (zero && zero.size !== scale.size)) return null
  const perAxis = scale.dims.length === 1 && scale.size > 1
  return perAxis ? channelsOf(x.dims, normalizeAxis(axis as number, x.dims.length)) : oneChannel(x.size)
}

function lowerDequantize(lowering: Lowering, given: Attributes): boolean {
  const [x, scale, zero, y] = [lowering.input(0)!, lowering.input(1)!, lowering.input(2), lowering.output(0)]
  const channels = channelsFor(x, scale, zero, given)
  if (channels === null || !isFloat32(scale, y) || (zero && zero.dtype !== x.dtype)) return false
  return emitDequantize(lowering, [x.ref, y.ref], x.dtype, x.size, channels, scale.ref, zero?.ref ?? null)
}

function lowerQuantize(lowering: Lowering, given: Attributes): boolean {
  const [x, scale, zero, y] = [lowering.input(0)!, lowering.input(1)!, lowering.input(2), lowering.output(0)]
  const channels = channelsFor(x, scale, zero, given)
  if (channels === null || !isFloat32(x, scale) || !isByte(y) || given.precision === dtypes.float64.onnx) return false
  if (zero && zero.dtype !== y.dtype) return false
  emitQuantize(lowering, [x.ref, y.ref], x.size, channels, scale.ref, zero?.ref ?? null, y.dtype === 'int8')
  return true
}

/** Position of the scale (and zero) of element i of a tensor of shape `dims`. */
function parameterIndex(
  dims: readonly number[],
  scale: Tensor,
  { axis: given, block_size: block }: Attributes,
): (i: number) => number {
  if (scale.size === 1 && scale.dims.length <= 1) return () => 0
  const axis = normalizeAxis(given as number, dims.length)
  const inner = sizeOf(dims.slice(axis + 1))
  const size = dims[axis]
  if (block === 0) return (i) => Math.floor(i / inner) % size
  const blocks = scale.dims[axis]
  return (i) => {
    const row = Math.floor(i / inner)
    const at = Math.floor((row % size) / (block as number))
    return (Math.floor(row / size) * blocks + at) * inner + (i % inner)
  }
}

const narrowFormats = { float8e4m3fn, float8e4m3fnuz, float8e5m2, float8e5m2fnuz, float4e2m1 }

const own = {
  DequantizeLinear: ([x, scale, zero], given) => {
    const [values, scales, zeros] = [numbersOf(x!), numbersOf(scale!), zero ? numbersOf(zero) : null]
    const index = parameterIndex(x!.dims, scale!, given)
    const result = Array.from(values, (v, i) => (v - (zeros?.[index(i)] ?? 0)) * scales[index(i)])
    return [tensorOf(dtypeGiven(given) ?? scale!.type, result, x!.dims)]
  },
  QuantizeLinear: ([x, scale, zero], given) => {
    const dtype = zero?.type ?? dtypeGiven(given) ?? 'uint8'
    const [values, scales, zeros] = [numbersOf(x!), numbersOf(scale!), zero ? numbersOf(zero) : null]
    const index = parameterIndex(x!.dims, scale!, given)
    const precision = given.precision === 0 ? scale!.type : dtypeOfOnnx(given.precision as number)
    const round = precision === 'float64' || x!.type === 'float64' ? Number : Math.fround
    if (isFloat(dtype)) {
      const format = narrowFormats[dtype as keyof typeof narrowFormats]
      const cells = Uint8Array.from(values, (v, i) =>
        encodeNarrow(format, round(v / scales[index(i)]), given.saturate !== 0),
      )
      return [tensorOfCells(dtype, cells, x!.dims)]
    }
    const result = Array.from(values, (v, i) => {
      const nearest = saturate('int32', round(v / scales[index(i)]))
      return saturate(dtype, nearest + (zeros?.[index(i)] ?? 0))
    })
    return [tensorOf(dtype, result, x!.dims)]
  },
} satisfies Record<string, Reference>

export const references = {
  ...own,
  'com.microsoft.DequantizeLinear': own.DequantizeLinear,
  'com.microsoft.QuantizeLinear': own.QuantizeLinear,
} satisfies Record<string, Reference>

const cases = {
  DequantizeLinear: (random): Sample[] => [
    {
      inputs: [
        integers(random, [2, 3], 0, 255, 'uint8'),
        new Tensor('float32', [0.25], []),
        new Tensor('uint8', [100], []),
      ],
    },
    { inputs: [integers(random, [2, 3, 2], -128, 127, 'int8'), new Tensor('float32', [0.5, 1, 2])] },
    {
      inputs: [
        integers(random, [5001], -128, 127, 'int8'),
        floats(random, [], 0.01, 1),
        integers(random, [], -128, 127, 'int8'),
      ],
    },
    {
      inputs: [integers(random, [3, 70], -(2 ** 31), 2 ** 31 - 1), floats(random, [3], 0.01, 1)],
      attributes: { axis: 0 },
    },
    {
      inputs: [
        integers(random, [2, 3], 0, 255, 'uint8'),
        floats(random, [3], 0.01, 1),
        integers(random, [3], 0, 255, 'uint8'),
      ],
      attributes: { axis: -1 },
    },
    {
      inputs: [integers(random, [2, 4], -8, 7, 'int8'), new Tensor('float32', [1, 2, 3, 4], [2, 2])],
      attributes: { axis: 1, block_size: 2 },
    },
  ],
  QuantizeLinear: (random): Sample[] => [
    { inputs: [floats(random, [2, 3], -40, 40), new Tensor('float32', [0.25], []), new Tensor('uint8', [128], [])] },
    {
      inputs: [
        floats(random, [2, 3, 2], -40, 40),
        new Tensor('float32', [0.5, 0.25, 1]),
        new Tensor('int8', [0, 1, -1]),
      ],
    },
    { inputs: [new Tensor('float32', [0.5, 1.5, -2.5, 1e9, NaN]), new Tensor('float32', [1], [])] },
    {
      inputs: [floats(random, [5001], -40, 40), floats(random, [], 0.1, 1), integers(random, [], -128, 127, 'int8')],
    },
    { inputs: [floats(random, [3, 70], -9, 9), floats(random, [3], 0.01, 1)], attributes: { axis: 0 } },
  ],
} satisfies Record<string, Samples>

export const samples = {
  ...cases,
  'com.microsoft.DequantizeLinear': cases.DequantizeLinear,
  'com.microsoft.QuantizeLinear': cases.QuantizeLinear,
} satisfies Record<string, Samples>
