// SPDX-License-Identifier: Apache-2.0
/** Types of whittle.Gemm and its quantised form: rows [..., K] times weights [N, K]. */
import { isKnown } from '../ir/dim.ts'
import { sizeOf } from '../tensor/shape.ts'
import type { Operand } from './lower.ts'
import type { OpContext, ValueInfo } from './define.ts'
import { checkResidual, checkVector, mayEqual } from './conv-types.ts'
import { epilogueOf } from './epilogue.ts'
import { complaint, needed, printDims } from './infer.ts'
import { blockSizes } from './lower-gemm.ts'

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

/** @throws GraphError naming the node when `scale` is there and not of dims [N], or [N, ceil(K / block)] where block > 0 */
export function checkScales(context: OpContext, scale: ValueInfo | null, w: ValueInfo | null, block: number): void {
  if (block !== 0 && !blockSizes.includes(block)) throw complaint(context, 'block of 0, 32, 64 or 128', String(block))
  if (!scale?.dims || !w?.dims || w.dims.length !== 2) return
  const [n, k] = w.dims
  if (block === 0) checkVector(context, 'wScale', scale, n)
  else {
    const blocks = isKnown(k) ? Math.ceil(k / block) : null
    const fits = scale.dims.length === 2 && mayEqual(scale.dims[0], n)
    if (!fits || (blocks !== null && !mayEqual(scale.dims[1], blocks))) {
      throw complaint(
        context,
        `wScale of dims ${printDims([n])} and ${blocks ?? 'K / block'} blocks`,
        printDims(scale.dims),
      )
    }
  }
}

/** Sizes of the product. */
export function rowsOf(x: Operand, w: Operand): { m: number; n: number; k: number } {
  const [n, k] = w.dims
  return { m: sizeOf(x.dims.slice(0, -1)), n, k }
}
