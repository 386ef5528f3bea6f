// SPDX-License-Identifier: Apache-2.0
/**
 * softmax(scale * q k^T, changed) v as steps: for each image the scores of all heads, softmax, and the products with the
 * values. Operands are read where they lie; groups of query heads may share a head of keys and values.
 */
import { sizeOf, stridesOf } from '../tensor/shape.ts'
import { noEpilogue } from './epilogue.ts'
import { grainOf } from './grid.ts'
import { emitBinary, shifted } from './lower-elementwise.ts'
import { type GemmCall, type Packing, emitGemm, packF32 } from './lower-gemm.ts'
import type { Lowering, Operand, Ref } from './lower.ts'

/** Where the elements of an operand are: sizes and strides (elements) of batch, head, place in the sequence, element of the head. */
export interface Place {
  readonly ref: Ref
  readonly dims: readonly number[]
  readonly strides: readonly number[]
}

export interface AttentionCall {
  /** Elements of a head are dense. */
  readonly q: Place
  readonly k: Place
  readonly v: Place
  /** As q. */
  readonly y: Place
  readonly scale: number
  /** Emits what happens to the scores, dense [batch, heads, queries, keys], before the softmax. @returns false where it cannot */
  readonly before?: (scores: Place) => boolean
  /** The same behind it. */
  readonly after?: (weights: Place) => boolean
}

/** The panels of one image's heads, packed by this run. */
function packedHeads(lowering: Lowering, source: Ref, packing: Packing): Ref {
  const target = lowering.scratch(packing.layout.bytes)
  for (const step of packing.layout.steps(source, target)) lowering.step(step)
  return target
}

/** Emits it. @returns false where `before` or `after` does */
export function emitAttention(lowering: Lowering, { q, k, v, y, scale, before, after }: AttentionCall): boolean {
  const [batch, heads, queries, size] = q.dims
  const [keys, width] = [v.dims[2], v.dims[3]]
  const dims = [batch, heads, queries, keys]
  const scores = { ref: lowering.scratch(sizeOf(dims) * 4), dims, strides: stridesOf(dims) }
  for (let image = 0; image < batch; image++) {
    const packing = packF32({
      n: keys,
      k: size,
      colStride: k.strides[2],
      depthStride: k.strides[3],
      batch: k.dims[1],
      batchSrc: k.strides[1],
    })
    const epilogue = { ...noEpilogue, postScale: scale }
    emitHeads(lowering, image, [q, k, scores], packing, { n: keys, k: size, epilogue })
  }
  if (before && !before(scores)) return false
  const rows = batch * heads * queries
  const args = { x: scores.ref, y: scores.ref, rows, cols: keys }
  lowering.step({ kernel: 'softmax_f32', units: rows, grain: grainOf(keys), args })
  if (after && !after(scores)) return false
  for (let image = 0; image < batch; image++) {
    const packing = packF32({
      n: width,
      k: keys,
      colStride: v.strides[3],
      depthStride: v.strides[2],
      batch: v.dims[1],
      batchSrc: v.strides[1],
    })
    emitHeads(lowering, image, [scores, v, y], packing, { n: width, k: keys, epilogue: noEpilogue })
  }
  return true
}

/** Products of all heads of an image: c = a b, b packed here. */
function emitHeads(
  lowering: Lowering,
  image: number,
  [a, b, c]: readonly [Place, Place, Place],
  packing: Packing,
  shared: Pick<GemmCall, 'n' | 'k' | 'epilogue'>,
): void {
  const [heads, queries, groups] = [a.dims[1], a.dims[2], b.dims[1]]
  const at = ({ ref, strides }: Place, head: number): Ref => shifted(ref, (image * strides[0] + head * strides[1]) * 4)
  const packed = packedHeads(lowering, at(b, 0), packing)
  const each = heads / groups
  const rows = { m: queries, lda: a.strides[2], ldc: c.strides[2] }
  if (each === 1) {
    const heights = { batchA: a.strides[1], batchC: c.strides[1], batchBBytes: packing.batchBytes }
    emitGemm(lowering, { ...shared, ...rows, ...heights, a: at(a, 0), b: packed, c: at(c, 0), batch: heads })
    return
  }
  for (let group = 0; group < groups; group++) {
    const call = {
      ...shared,
      a: at(a, group * each),
      b: shifted(packed, group * packing.batchBytes),
      c: at(c, group * each),
    }
    if (queries === 1) {
      // the heads of a group are the rows of one product
      emitGemm(lowering, { ...call, m: each, lda: a.strides[1], ldc: c.strides[1] })
    } else {
      emitGemm(lowering, { ...call, ...rows, batch: each, batchA: a.strides[1], batchC: c.strides[1], batchBBytes: 0 })
    }
  }
}

/** scores += mask, which broadcasts to them. @returns false where there is no kernel */
export function addToScores(lowering: Lowering, { ref, dims }: Place, mask: Pick<Operand, 'ref' | 'dims'>): boolean {
  return emitBinary(lowering, 'binary_add_f32', { ref, dims }, mask, ref, dims)
}
