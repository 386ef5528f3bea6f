// SPDX-License-Identifier: Apache-2.0
/** Types of whittle.Gemm and its quantised form: rows [..., K] times weights [N, K]. */
import { isKnown } from '../ir/dim.ts'
import { sizeOf } from '../tensor/shape.ts'
import type { Operand } from './lower.ts'
import type { OpContext, ValueInfo } from './define.ts'
import { checkResidual, checkVector, mayEqual } from './conv-types.ts'
import { epilogueOf } from './epilogue.ts'
import { complaint, needed, printDims } from './infer.ts'
import { blockSizes } from './lower-blocks.ts'

/** Output types. `vectors` are named inputs of dims [N]. @throws GraphError naming the node for shapes that don't fit */
export function inferRows(
  context: OpContext,
  xInfo: ValueInfo | null,
  wInfo: ValueInfo | null,
  vectors: readonly (readonly [string, ValueInfo | null | undefined])[],
  residual: ValueInfo | null | undefined,
): ValueInfo[] {
  const x = needed(context, xInfo, 'x')
  const w = needed(context, wInfo, 'w')
  epilogueOf(context.attributes)
  if (x.dims === null || w.dims === null) return [{ dtype: x.dtype, dims: null }]
  if (w.dims.length !== 2) throw complaint(context, 'w of dims [N, K]', printDims(w.dims))
  const [n, k] = w.dims
  if (x.dims.length === 0 || !mayEqual(x.dims[x.dims.length - 1], k)) {
    throw complaint(context, `x whose last dim is ${printDims([k])}`, printDims(x.dims))
  }
  const dims = [...x.dims.slice(0, -1), n]
  for (const [name, info] of vectors) checkVector(context, name, info, n)
  checkResidual(context, residual, dims)
  return [{ dtype: x.dtype, dims }]
}

/**
 * @param anyBlock whether blocks may be of any multiple of 16
 * @throws GraphError naming the node when `scale` is there and not of dims [N], or [N, ceil(K / block)] where block > 0
 */
export function checkScales(
  context: OpContext,
  scale: ValueInfo | null,
  w: ValueInfo | null,
  block: number,
  anyBlock: boolean,
): void {
  // a multiple that is negative has no scales of such dims
  if (block !== 0 && !(anyBlock ? block % 16 === 0 : blockSizes.includes(block)))
    throw complaint(context, `block of 0, ${anyBlock ? '16, ' : ''}32, 64 or 128`, String(block))
  if (block !== 0) checkBlocks(context, 'wScale', scale, w, block)
  else if (w?.dims?.length === 2) checkVector(context, 'wScale', scale, w.dims[0])
}

/** @throws GraphError naming the node when `info` is there and not of dims [N, ceil(K / block)] */
export function checkBlocks(
  context: OpContext,
  name: string,
  info: ValueInfo | null,
  w: ValueInfo | null,
  block: number,
): void {
  if (!info?.dims || w?.dims?.length !== 2) return
  const [n, k] = w.dims
  const want = [n, ...(isKnown(k) ? [Math.ceil(k / block)] : info.dims.slice(1, 2))]
  if (info.dims.length !== 2 || !want.every((dim, i) => mayEqual(dim, info.dims![i]))) {
    throw complaint(context, `${name} of dims ${printDims(want)} (blocks of ${block})`, printDims(info.dims))
  }
}

/** Sizes of the product. */
export function rowsOf(x: Operand, w: Operand): { m: number; n: number; k: number } {
  const [n, k] = w.dims
  return { m: sizeOf(x.dims.slice(0, -1)), n, k }
}
