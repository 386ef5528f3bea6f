// SPDX-License-Identifier: Apache-2.0
/** Steps for elements and runs taken from, or put to, where indices say (kernels/move.ts). */
import { normalizeAxis, sizeOf } from '../tensor/shape.ts'
import { grainOf } from './grid.ts'
import { widthOf } from './lower-move.ts'
import type { Lowering, Operand, Ref } from './lower.ts'

/** Longest tuple the kernels take. */
const mostDepth = 4

/** Where elements come from and go to, and whether the indices say the former or the latter. */
interface Pick {
  readonly source: Ref
  readonly target: Ref
  readonly kind: 'gather' | 'scatter'
  /** Elements of the side that is not picked from or put to. */
  readonly size: number
}

/** One element for each index, along `axis` of `data`. @returns false where there is no kernel */
export function emitElements(
  lowering: Lowering,
  { dims, dtype }: Operand,
  indices: Operand,
  axis: number,
  { source, target, kind, size }: Pick,
): boolean {
  const width = widthOf(dtype)
  const along = normalizeAxis(axis, dims.length)
  const fits = indices.dims.length === dims.length && indices.dims.every((own, k) => k === along || own === dims[k])
  if (width === null || !fits || size !== indices.size || (indices.dtype !== 'int32' && indices.dtype !== 'int64')) {
    return false
  }
  if (indices.size === 0) return true
  const outer = sizeOf(dims.slice(0, along))
  const sizes = { axis: dims[along], count: indices.dims[along], inner: sizeOf(dims.slice(along + 1)), width }
  lowering.step({
    kernel: `${kind}_elements`,
    units: outer,
    grain: grainOf(indices.size / outer),
    args: { src: source, index: indices.ref, dst: target, ...sizes, indexBytes: indices.dtype === 'int32' ? 4 : 8 },
  })
  return true
}

/** One run for each tuple of indices, behind `batch` dims that both have. @returns false where there is no kernel */
export function emitTuples(
  lowering: Lowering,
  { dims, dtype }: Operand,
  indices: Operand,
  batch: number,
  { source, target, kind, size }: Pick,
): boolean {
  const width = widthOf(dtype)
  const depth = indices.dims.at(-1) ?? 0
  if (width === null || indices.dtype !== 'int64' || depth < 1 || depth > mostDepth) return false
  const count = indices.size / depth
  if (size !== count * sizeOf(dims.slice(batch + depth))) return false
  if (size === 0) return true
  const [d0, d1 = 1, d2 = 1, d3 = 1] = dims.slice(batch, batch + depth)
  const rowBytes = sizeOf(dims.slice(batch + depth)) * width
  const words = { depth, rowBytes, d0, d1, d2, d3 }
  lowering.step({
    kernel: `${kind}_tuples`,
    units: count,
    // of equal tuples the last one stays
    grain: kind === 'scatter' ? count : grainOf(rowBytes),
    args: {
      ...{ src: source, index: indices.ref, dst: target, ...words },
      perBatch: count / sizeOf(dims.slice(0, batch)),
      batchBytes: sizeOf(dims.slice(batch)) * width,
    },
  })
  return true
}
