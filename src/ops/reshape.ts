// SPDX-License-Identifier: Apache-2.0
/**
 * Operators that keep the elements as they lie and give them other dims: Reshape, Flatten, Squeeze, Unsqueeze,
 * Dropout (inference). Their lowering is an alias; what is known of the elements stays known.
 */
import { GraphError } from '../base/errors.ts'
import * as dim from '../ir/dim.ts'
import type { Dim } from '../ir/dim.ts'
import { normalizeAxis, sizeOf } from '../tensor/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import {
  type OpContext,
  type OpDef,
  type Reference,
  type Sample,
  type Samples,
  type ValueInfo,
  defineOps,
} from './define.ts'
import { axesOf, axisOf, complaint, contentOf, integersFrom, needed, printDims, unknownDims, valueOf } from './infer.ts'
import { integersOf } from './elements.ts'
import { floats, longs } from './sample-tensors.ts'

/** The input under other dims. */
function relabelled(info: ValueInfo, dims: readonly Dim[] | null): ValueInfo {
  return valueOf(info.dtype, dims, contentOf(info))
}

function withDims(tensor: Tensor, dims: readonly number[]): Tensor {
  return new Tensor(tensor.type, tensor.data, dims)
}

const alias: NonNullable<OpDef['lower']> = (lowering) => {
  lowering.alias(0, 0)
  return true
}

/** The dims a Reshape asks for: 0 copies the input's dim (unless `allowZero`), one -1 is what is left over. */
function reshapedDims(dims: readonly Dim[], wanted: readonly Dim[], allowZero: boolean): Dim[] {
  const copied = wanted.map((d, axis) => {
    if (d !== 0 || allowZero) return d
    if (axis < dims.length) return dims[axis]
    throw new GraphError({
      where: 'Reshape',
      expected: `0 only on the first ${dims.length} axes`,
      got: printDims(wanted),
    })
  })
  const free = copied.indexOf(-1)
  if (free < 0) return copied
  const rest = dim.product(copied.filter((_, axis) => axis !== free))
  const total = dim.product(dims)
  copied[free] = rest === 0 ? 0 : dim.floorDiv(total, rest)
  return copied
}

function inferReshape(info: ValueInfo, shape: ValueInfo, context: OpContext): ValueInfo {
  const wanted = contentOf(shape)
  if (wanted === null) {
    const length = shape.dims?.[0]
    const known = length !== undefined && dim.isKnown(length)
    return { dtype: info.dtype, dims: known ? unknownDims(context, length) : null }
  }
  if (wanted.filter((d) => d === -1).length > 1 || wanted.some((d) => dim.isKnown(d) && d < -1)) {
    throw complaint(context, 'dims >= 0 and at most one -1', printDims(wanted))
  }
  const allowZero = context.attributes.allowzero === 1
  if (info.dims === null) {
    const open = wanted.some((d) => d === -1 || (d === 0 && !allowZero))
    const fresh = unknownDims(context, wanted.length)
    return { dtype: info.dtype, dims: open ? wanted.map((d, i) => (d === -1 || d === 0 ? fresh[i] : d)) : wanted }
  }
  const dims = reshapedDims(info.dims, wanted, allowZero)
  if (dim.areKnown(dims) && dim.areKnown(info.dims) && sizeOf(dims) !== sizeOf(info.dims)) {
    throw complaint(context, `a shape of ${sizeOf(info.dims)} elements, as ${printDims(info.dims)}`, printDims(wanted))
  }
  return relabelled(info, dims)
}

function inferSqueeze(info: ValueInfo, axes: ValueInfo | null | undefined, context: OpContext): ValueInfo {
  const { dtype, dims } = info
  const given = axes ? integersFrom(axes) : undefined
  if (dims === null || given === null) return { dtype, dims: null }
  if (given === undefined) {
    // which dims are 1 is known only when all are numbers
    return dim.areKnown(dims)
      ? relabelled(
          info,
          dims.filter((d) => d !== 1),
        )
      : { dtype, dims: null }
  }
  const dropped = axesOf(context, given, dims.length)
  for (const axis of dropped) {
    const size = dims[axis]
    if (dim.isKnown(size) && size !== 1) throw complaint(context, `a dim of 1 at axis ${axis}`, printDims(dims))
  }
  return relabelled(
    info,
    dims.filter((_, axis) => !dropped.includes(axis)),
  )
}

/** dims with 1s put in so that they stand at `axes` of the result. */
function unsqueezed<D>(dims: readonly D[], axes: readonly number[], one: D): D[] {
  const result: D[] = []
  let next = 0
  for (let axis = 0; axis < dims.length + axes.length; axis++) result.push(axes.includes(axis) ? one : dims[next++])
  return result
}

export const ops = defineOps({
  Dropout: {
    inputs: [1, 3],
    outputs: [1, 2],
    attributes: { seed: { kind: 'int' }, ratio: { kind: 'float', default: 0.5 } },
    infer([x], context) {
      const info = needed(context, x, 'data')
      return [info, { dtype: 'bool', dims: info.dims }]
    },
    lower: (lowering, context) => lowering.outputs === 1 && alias(lowering, context),
  },
  Flatten: {
    inputs: [1, 1],
    attributes: { axis: { kind: 'int', default: 1 } },
    infer([x], context) {
      const info = needed(context, x, 'input')
      const { dims } = info
      if (dims === null) return [{ dtype: info.dtype, dims: unknownDims(context, 2) }]
      const given = context.attributes.axis as number
      const axis = given === dims.length ? given : axisOf(context, given, dims.length)
      return [relabelled(info, [dim.product(dims.slice(0, axis)), dim.product(dims.slice(axis))])]
    },
    lower: alias,
  },
  Reshape: {
    inputs: [2, 2],
    attributes: { allowzero: { kind: 'int', default: 0 } },
    infer: ([x, shape], context) => [
      inferReshape(needed(context, x, 'data'), needed(context, shape, 'shape'), context),
    ],
    lower: alias,
  },
  Squeeze: {
    inputs: [1, 2],
    infer: ([x, axes], context) => [inferSqueeze(needed(context, x, 'data'), axes, context)],
    lower: alias,
  },
  Unsqueeze: {
    inputs: [2, 2],
    infer([x, axes], context) {
      const info = needed(context, x, 'data')
      const given = integersFrom(needed(context, axes, 'axes'))
      if (info.dims === null || given === null) return [{ dtype: info.dtype, dims: null }]
      const at = axesOf(context, given, info.dims.length + given.length)
      return [relabelled(info, unsqueezed<Dim>(info.dims, at, 1))]
    },
    lower: alias,
  },
})

export const references = {
  Dropout: ([x]) => [x!, new Tensor('bool', new Uint8Array(x!.size).fill(1), x!.dims)],
  Flatten: ([x], attributes) => {
    const { dims } = x!
    const given = attributes.axis as number
    const axis = given === dims.length ? given : normalizeAxis(given, dims.length)
    return [withDims(x!, [sizeOf(dims.slice(0, axis)), sizeOf(dims.slice(axis))])]
  },
  Reshape: ([x, shape], attributes) => [
    withDims(x!, reshapedDims(x!.dims, integersOf(shape!), attributes.allowzero === 1) as number[]),
  ],
  Squeeze: ([x, axes]) => {
    const dropped = axes && integersOf(axes).map((axis) => normalizeAxis(axis, x!.dims.length))
    return [
      withDims(
        x!,
        x!.dims.filter((size, axis) => (dropped ? !dropped.includes(axis) : size !== 1)),
      ),
    ]
  },
  Unsqueeze: ([x, axes]) => {
    const given = integersOf(axes!)
    const at = given.map((axis) => normalizeAxis(axis, x!.dims.length + given.length))
    return [withDims(x!, unsqueezed(x!.dims, at, 1))]
  },
} satisfies Record<string, Reference>

export const samples = {
  Dropout: (random) => [{ inputs: [floats(random, [2, 3])] }, { inputs: [floats(random, [4])], outputs: 2 }],
  Flatten: (random): Sample[] => [
    { inputs: [floats(random, [2, 3, 4])] },
    { inputs: [floats(random, [2, 3, 4])], attributes: { axis: 3 } },
    { inputs: [floats(random, [2, 3, 4])], attributes: { axis: -1 } },
    { inputs: [floats(random, [])], attributes: { axis: 0 } },
  ],
  Reshape: (random): Sample[] => [
    { inputs: [floats(random, [2, 3, 4]), longs(4, -1)] },
    { inputs: [floats(random, [2, 3, 4]), longs(0, 0, 2, 2)] },
    { inputs: [floats(random, [0, 3]), longs(3, 0)], attributes: { allowzero: 1 } },
    { inputs: [floats(random, [1]), new Tensor('int64', [], [0])] },
    { inputs: [longs(1, 2, 3, 4), longs(2, 2)] },
  ],
  Squeeze: (random) => [
    { inputs: [floats(random, [1, 3, 1])] },
    { inputs: [floats(random, [1, 3, 1]), longs(-1)] },
    { inputs: [longs(7), longs(0)] },
  ],
  Unsqueeze: (random) => [
    { inputs: [floats(random, [2, 3]), longs(0, -1)] },
    { inputs: [new Tensor('int64', [7], []), longs(0)] },
  ],
} satisfies Record<string, Samples>
