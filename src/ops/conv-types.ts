// SPDX-License-Identifier: Apache-2.0
/**
 * Types of convolutions: the one rule behind Conv (channels first) and whittle.Conv with its quantised form (channels
 * last). Also the checks of bias, scales and residual that the whittle operators share.
 */
import { type Dim, equal, isKnown, mul } from '../ir/dim.ts'
import type { AttributeSpec, Attributes, OpContext, ValueInfo } from './define.ts'
import { complaint, printDims } from './infer.ts'
import type { Operand } from './lower.ts'
import { knownWindow, windowAttributes, windowOf } from './window.ts'

/** Attributes of a convolution as ONNX names them. */
export const convAttributes = {
  ...windowAttributes,
  group: { kind: 'int', default: 1 },
} as const satisfies Record<string, AttributeSpec>

/** True when the two may be equal. */
export function mayEqual(a: Dim, b: Dim): boolean {
  return equal(a, b) || !isKnown(a) || !isKnown(b)
}

/**
 * Spatial dims of the result and the number of output channels; dims are given channels first.
 * @throws GraphError naming the node when ranks, channels or groups do not fit
 */
export function inferConv(
  context: OpContext,
  x: readonly Dim[],
  w: readonly Dim[],
): { outC: Dim; out: readonly Dim[] } {
  if (x.length !== w.length || x.length < 3) {
    throw complaint(context, 'x and w of one rank >= 3', `${printDims(x)} and ${printDims(w)}`)
  }
  const group = context.attributes.group as number
  const [outC, depth, ...kernel] = w
  if (!mayEqual(x[1], mul(depth, group))) {
    throw complaint(context, `x with ${printDims([mul(depth, group)])} channels (group ${group})`, printDims(x))
  }
  if (isKnown(outC) && outC % group !== 0) {
    throw complaint(context, `output channels that divide into ${group} groups`, String(outC))
  }
  return { outC, out: windowOf(x.slice(2), kernel, context.attributes).out }
}

/** @throws GraphError naming the node when `info` is there and not a vector of `size` */
export function checkVector(context: OpContext, name: string, info: ValueInfo | null | undefined, size: Dim): void {
  if (!info || info.dims === null) return
  if (info.dims.length !== 1 || !mayEqual(info.dims[0], size)) {
    throw complaint(context, `${name} of dims ${printDims([size])}`, printDims(info.dims))
  }
}

/** @throws GraphError naming the node when `info` is there and does not have the dims of the result */
export function checkResidual(context: OpContext, info: ValueInfo | null | undefined, dims: readonly Dim[]): void {
  if (!info || info.dims === null) return
  if (info.dims.length !== dims.length || !info.dims.every((d, i) => mayEqual(d, dims[i]))) {
    throw complaint(context, `a residual of dims ${printDims(dims)}`, printDims(info.dims))
  }
}

/** The shape of a convolution over NHWC operands, weights [Cout, kh, kw, Cin / group]. */
export function channelsLastShape(x: Pick<Operand, 'dims'>, w: Pick<Operand, 'dims'>, attributes: Attributes) {
  const [images, inH, inW, inC] = x.dims
  const window = knownWindow([inH, inW], w.dims.slice(1, 3), attributes)
  return { images, inH, inW, inC, outC: w.dims[0], group: attributes.group as number, window }
}

/** Axes that bring N, spatial…, C to N, C, spatial…; and back. */
export function channelsFirst(rank: number): number[] {
  return [0, rank - 1, ...Array.from({ length: rank - 2 }, (_, i) => i + 1)]
}
export function channelsLast(rank: number): number[] {
  return [0, ...Array.from({ length: rank - 2 }, (_, i) => i + 2), 1]
}
