// SPDX-License-Identifier: Apache-2.0
/**
 * Sliding windows: what convolutions and pools share. From kernel, strides, dilations, pads, auto_pad and ceil_mode it
 * makes the number of output positions and the padding of each spatial axis, symbolically where dims are symbolic.
 * Rules: ONNX operators Conv, MaxPool and AveragePool; with ceil_mode a window that would start behind the input and
 * its leading padding does not count.
 */
import { GraphError } from '../base/errors.ts'
import { type Dim, add, ceilDiv, floorDiv, isKnown, max, min, mul, sub } from '../ir/dim.ts'
import type { AttributeSpec, Attributes } from './define.ts'

/** Attributes of every operator with windows. */
export const windowAttributes = {
  auto_pad: { kind: 'string', default: 'NOTSET' },
  dilations: { kind: 'ints' },
  kernel_shape: { kind: 'ints' },
  pads: { kind: 'ints' },
  strides: { kind: 'ints' },
} as const satisfies Record<string, AttributeSpec>

/** One entry per spatial axis everywhere. */
export interface Window<D = Dim> {
  readonly kernel: readonly D[]
  readonly strides: readonly number[]
  readonly dilations: readonly number[]
  /** Padding in front and behind; may be more behind than any window reads. */
  readonly begin: readonly D[]
  readonly end: readonly D[]
  readonly out: readonly D[]
}

/** Longest axis with its padding, and largest step: kernels count positions in 32 bits with a sign. */
const maxExtent = 2 ** 30

/** Most positions of a kernel beyond those of the input: padding is a border, and a window over nothing but it is no window. */
const maxOverhang = 2 ** 10

/** Extent of a kernel with its holes. */
export function extentOfKernel(kernel: Dim, dilation: number): Dim {
  return add(mul(sub(kernel, 1), dilation), 1)
}

/** Attribute `name` with one entry per axis. @throws GraphError when it has another number of entries or one below `least` */
export function axisValues(
  attributes: Attributes,
  name: string,
  count: number,
  fallback: number,
  least: number,
): readonly number[] {
  const values = attributes[name] as readonly number[] | undefined
  if (values === undefined || values.length === 0) return new Array<number>(count).fill(fallback)
  if (values.length !== count || values.some((v) => v < least || Math.abs(v) > maxExtent)) {
    const expected = `${count} integers from ${least} to ${maxExtent}`
    throw new GraphError({ where: name, expected, got: `[${values.join(', ')}]` })
  }
  return values
}

/**
 * The window over `spatial` dims with this `kernel`.
 * @throws GraphError when an attribute has the wrong length, auto_pad is unknown, or an output axis would be negative
 */
export function windowOf(spatial: readonly Dim[], kernel: readonly Dim[], attributes: Attributes): Window {
  const rank = spatial.length
  if (kernel.length !== rank) {
    throw new GraphError({ where: 'kernel', expected: `${rank} spatial axes`, got: String(kernel.length) })
  }
  const strides = axisValues(attributes, 'strides', rank, 1, 1)
  const dilations = axisValues(attributes, 'dilations', rank, 1, 1)
  const extents = kernel.map((k, i) => extentOfKernel(k, dilations[i]))
  const ceil = attributes.ceil_mode === 1
  const auto = (attributes.auto_pad ?? 'NOTSET') as string
  const padding = Object.hasOwn(autoPads, auto) ? autoPads[auto] : undefined
  if (padding === undefined) {
    throw new GraphError({ where: 'auto_pad', expected: `one of ${Object.keys(autoPads).join(' ')}`, got: auto })
  }
  const same = spatial.map((size, i) => padding(size, extents[i], strides[i]))
  const pads = axisValues(attributes, 'pads', 2 * rank, 0, Number.NEGATIVE_INFINITY)
  const begin = same.map((pad, i) => (auto === 'NOTSET' ? pads[i] : pad[0]))
  const end = same.map((pad, i) => (auto === 'NOTSET' ? pads[rank + i] : pad[1]))
  spatial.forEach((size, i) => checkExtents(i, size, kernel[i], [extents[i], begin[i], end[i]]))
  const out = spatial.map((size, i) => {
    const room = sub(add(size, add(begin[i], end[i])), extents[i])
    const count = ceil
      ? min(add(ceilDiv(room, strides[i]), 1), add(floorDiv(sub(add(size, begin[i]), 1), strides[i]), 1))
      : add(floorDiv(room, strides[i]), 1)
    if (typeof count === 'number' && count < 0) {
      throw new GraphError({
        where: `spatial axis ${i}`,
        expected: 'an input at least as long as the kernel',
        got: String(size),
      })
    }
    return count
  })
  return { kernel, strides, dilations, begin, end, out }
}

/** @throws GraphError when an axis, its padding or its kernel is longer than kernels can count or a window can be */
function checkExtents(axis: number, size: Dim, kernel: Dim, others: readonly Dim[]): void {
  const where = `spatial axis ${axis}`
  const wrong = [size, kernel, ...others].find((length) => isKnown(length) && !(Math.abs(length) <= maxExtent))
  if (wrong !== undefined) {
    throw new GraphError({ where, expected: `lengths of at most ${maxExtent}`, got: String(wrong) })
  }
  if (!isKnown(size) || !isKnown(kernel) || kernel <= size + maxOverhang) return
  throw new GraphError({ where, expected: `a kernel of at most ${size + maxOverhang}`, got: String(kernel) })
}

/** The same for concrete dims. */
export function knownWindow(
  spatial: readonly number[],
  kernel: readonly number[],
  attributes: Attributes,
): Window<number> {
  return windowOf(spatial, kernel, attributes) as Window<number>
}

type Padding = (size: Dim, extent: Dim, stride: number) => readonly [Dim, Dim]

/** Padding so that there are ceil(size / stride) windows. */
function sameTotal(size: Dim, extent: Dim, stride: number): Dim {
  return max(0, sub(add(mul(sub(ceilDiv(size, stride), 1), stride), extent), size))
}

const autoPads: Readonly<Record<string, Padding>> = {
  NOTSET: () => [0, 0],
  VALID: () => [0, 0],
  SAME_UPPER(size, extent, stride) {
    const total = sameTotal(size, extent, stride)
    return [floorDiv(total, 2), ceilDiv(total, 2)]
  },
  SAME_LOWER(size, extent, stride) {
    const total = sameTotal(size, extent, stride)
    return [ceilDiv(total, 2), floorDiv(total, 2)]
  },
}
