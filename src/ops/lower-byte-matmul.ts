// SPDX-License-Identifier: Apache-2.0
/**
 * Products of byte tensors as steps: exact int32 sums of (a - a zero)(b - b zero) with numpy's broadcasting, or float32
 * times scales. b is packed as int8: uint8 is shifted down by 128, and what a zero point of b then adds is taken off by the sums
 * of a's rows.
 */
import type { Dtype } from '../tensor/dtype.ts'
import { broadcastDims, broadcastStrides, sizeOf } from '../tensor/shape.ts'
import { collapse, offsetAt } from './broadcast.ts'
import { type EpilogueArgs, noEpilogue } from './epilogue.ts'
import { emitOuter, emitRowSums, stageRows, weightZeroOf } from './lower-bytes.ts'
import { shifted } from './lower-elementwise.ts'
import { byteRecipes, emitByteGemm, mostByteDepth, packS8, packedWeight } from './lower-gemm.ts'
import type { Lowering, Operand, Ref } from './lower.ts'
import { matMulShape } from './matmul-types.ts'

export interface ByteMatMul {
  readonly a: { readonly ref: Ref; readonly dtype: Dtype; readonly dims: readonly number[] }
  readonly aScale?: Ref
  readonly aZero: Ref | null
  /** Index of the input b. */
  readonly b: number
  readonly bZero: Operand | null | undefined
  /** b is [n, k] (2-D). */
  readonly transposed?: boolean
  /** Where the result goes. */
  readonly c: Ref
  /** float32: scales of b's columns, and what follows. Left out: int32. Only without zero points of b. */
  readonly float?: { readonly wScale: Ref; readonly epilogue: EpilogueArgs }
}

/** Rows and columns of the result. */
export function byteMatMulShape(a: readonly number[], b: readonly number[], transposed = false) {
  const whole = matMulShape(a, transposed ? [b[1], b[0]] : b, 1)
  const [m, k] = whole.a.slice(-2)
  return { ...whole, m, k, n: whole.b[whole.b.length - 1] }
}

/** Emits the product. @returns false where there are no kernels for it */
export function emitByteMatMul(lowering: Lowering, call: ByteMatMul): boolean {
  const right = lowering.input(call.b)!
  const { a, b, m, k, n } = byteMatMulShape(call.a.dims, right.dims, call.transposed)
  const bZero = weightZeroOf(lowering, right, call.bZero, n)
  if (
    bZero === undefined ||
    (call.float && (bZero !== null || sizeOf(b.slice(0, -2)) !== 1)) ||
    k > mostByteDepth ||
    k === 0
  )
    return false
  const [aFront, bFront] = [a, b].map((dims) => dims.slice(0, -2))
  const front = broadcastDims(aFront, bFront)
  const rows = sizeOf(aFront) * m
  if (rows * n * sizeOf(bFront) === 0) return true
  const recipe = byteRecipes[lowering.host.int8]
  const strides = call.transposed ? { colStride: k, depthStride: 1 } : { colStride: 1, depthStride: n }
  const flip = right.dtype === 'uint8' ? 128 : 0
  const packing = packS8({ n, k, ...strides, batch: sizeOf(bFront), batchSrc: k * n, flip }, recipe)
  const packed = packedWeight(lowering, call.b, packing)
  const staged = stageRows(lowering, call.a, rows, k, { scale: call.aScale, zero: call.aZero })
  const sums = bZero && emitRowSums(lowering, staged, rows, k)
  const axes = collapse(front, [broadcastStrides(aFront, front), broadcastStrides(bFront, front)])
  const last = axes[axes.length - 1]
  const tall = last.strides[1] === 0 && (last.strides[0] === 1 || last.size === 1)
  const outer = axes.slice(0, -1)
  const columns = Math.ceil(n / 8) * 32
  for (let i = 0; i < sizeOf(outer.map((axis) => axis.size)); i++) {
    const [aAt, bAt] = [0, 1].map((operand) => offsetAt(outer, operand, i))
    const c = shifted(call.c, i * last.size * m * n * 4)
    const height = tall ? m * last.size : m
    emitByteGemm(
      lowering,
      {
        a: shifted(staged.q, aAt * m * staged.ldq * recipe.bytes),
        lda: staged.ldq,
        batchA: tall ? 0 : last.strides[0] * m * staged.ldq,
        b: shifted(packed, bAt * packing.batchBytes),
        // 1 or 0: the last axis is dense in b, or b does not have it
        batchBBytes: tall ? 0 : last.strides[1] * packing.batchBytes,
        c,
        ldc: n,
        batchC: tall ? 0 : m * n,
        batch: tall ? 1 : last.size,
        m: height,
        n,
        k,
        epilogue: call.float?.epilogue ?? noEpilogue,
      },
      {
        aParams: staged.params,
        aParamsStride: 0,
        batchParams: 0,
        wScale: call.float?.wScale ?? null,
        wSum: shifted(packed, packing.sums + bAt * columns),
      },
      recipe,
    )
    for (let p = 0; bZero && p < (tall ? 1 : last.size); p++) {
      const row = (aAt + p * last.strides[0]) * m
      const shape = { rows: height, n, groups: 1 }
      emitOuter(lowering, shifted(c, p * m * n * 4), shape, shifted(sums!, row * 4), bZero)
    }
  }
  return true
}
