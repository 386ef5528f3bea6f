// SPDX-License-Identifier: Apache-2.0
/**
 * MatMul: numpy.matmul. The last two axes are matrices, the ones in front broadcast; a 1-D operand is a row or a
 * column that does not show in the result. https://onnx.ai/onnx/operators/onnx__MatMul.html
 */
import { broadcastDims, broadcastStrides, sizeOf } from '../tensor/shape.ts'
import { type OpContext, type Reference, type Samples, type ValueInfo, defineOps } from './define.ts'
import { collapse, offsetAt } from './broadcast.ts'
import { noEpilogue } from './epilogue.ts'
import { commonDtype, needed } from './infer.ts'
import { isFloat32, shifted } from './lower-elementwise.ts'
import { emitGemm, packF32, packedWeight } from './lower-gemm.ts'
import type { Lowering } from './lower.ts'
import { isFloat } from './elements.ts'
import { type Exact, exactOf, numbersOf, tensorOf } from './numeric.ts'
import { matMulDims, matMulShape } from './matmul-types.ts'
import { dotExact, dotNumbers, matrixProduct } from './product.ts'
import { floats, integers } from './sample-tensors.ts'

function inferMatMul(context: OpContext, aInfo: ValueInfo | null, bInfo: ValueInfo | null): ValueInfo[] {
  const a = needed(context, aInfo, 'A')
  const b = needed(context, bInfo, 'B')
  return [{ dtype: commonDtype(context, [a, b]), dims: matMulDims(context, a, b) }]
}

function lowerMatMul(lowering: Lowering): boolean {
  const left = lowering.input(0)!
  const right = lowering.input(1)!
  if (!isFloat32(left, right) || left.size === 0 || right.size === 0) return false
  const { a, b } = matMulShape(left.dims, right.dims, 1)
  const [m, k] = a.slice(-2)
  const n = b[b.length - 1]
  const aFront = a.slice(0, -2)
  const bFront = b.slice(0, -2)
  const front = broadcastDims(aFront, bFront)
  const packing = packF32({ n, k, colStride: 1, depthStride: n, batch: sizeOf(bFront), batchSrc: k * n })
  const packed = packedWeight(lowering, 1, packing)
  const axes = collapse(front, [broadcastStrides(aFront, front), broadcastStrides(bFront, front)])
  const last = axes[axes.length - 1]
  // rows of matrices that meet the same B follow each other: one tall product
  const tall = last.strides[1] === 0 && (last.strides[0] === 1 || last.size === 1)
  const outer = axes.slice(0, -1)
  const steps = sizeOf(outer.map((axis) => axis.size))
  for (let i = 0; i < steps; i++) {
    const [aAt, bAt] = [0, 1].map((operand) => offsetAt(outer, operand, i))
    emitGemm(lowering, {
      a: shifted(left.ref, aAt * m * k * 4),
      lda: k,
      batchA: tall ? 0 : last.strides[0] * m * k,
      b: shifted(packed, bAt * packing.batchBytes),
      batchBBytes: tall ? 0 : last.strides[1] * packing.batchBytes,
      c: shifted(lowering.output(0).ref, i * last.size * m * n * 4),
      ldc: n,
      batchC: tall ? 0 : m * n,
      batch: tall ? 1 : last.size,
      m: tall ? m * last.size : m,
      n,
      k,
      epilogue: noEpilogue,
    })
  }
  return true
}

export const ops = defineOps({
  MatMul: {
    inputs: [2, 2],
    numerics: { relative: 1e-5, absolute: 1e-5 },
    infer: ([a, b], context) => inferMatMul(context, a, b),
    lower: (lowering) => lowerMatMul(lowering),
  },
})

export const references = {
  MatMul([a, b]) {
    const { values, dims } = isFloat(a!.type)
      ? matrixProduct({ data: numbersOf(a!), dims: a!.dims }, { data: numbersOf(b!), dims: b!.dims }, dotNumbers)
      : matrixProduct<Exact>({ data: exactOf(a!), dims: a!.dims }, { data: exactOf(b!), dims: b!.dims }, dotExact)
    return [tensorOf(a!.type, values, dims)]
  },
} satisfies Record<string, Reference>

export const samples = {
  MatMul: (random) => [
    { inputs: [floats(random, [3, 4]), floats(random, [4, 5])] },
    { inputs: [floats(random, [2, 7, 9]), floats(random, [9, 11])] },
    { inputs: [floats(random, [2, 3, 6, 4]), floats(random, [2, 3, 4, 13])] },
    { inputs: [floats(random, [2, 1, 6, 4]), floats(random, [1, 3, 4, 5])] },
    { inputs: [floats(random, [3, 5, 4]), floats(random, [2, 1, 4, 5])] },
    { inputs: [floats(random, [4]), floats(random, [4])] },
    { inputs: [floats(random, [4]), floats(random, [3, 4, 2])] },
    { inputs: [floats(random, [2, 3, 4]), floats(random, [4])] },
    { inputs: [integers(random, [2, 3], -5, 5), integers(random, [3, 2], -5, 5)] },
  ],
} satisfies Record<string, Samples>
