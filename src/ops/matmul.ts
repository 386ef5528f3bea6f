// SPDX-License-Identifier: Apache-2.0
/**
 * MatMul: numpy.matmul. The last two axes are matrices, the ones in front broadcast; a 1-D operand is a row or a
 * column that does not show in the result. https://onnx.ai/onnx/operators/onnx__MatMul.html
 */
import type { Dim } from '../ir/dim.ts'
import { broadcastDims, broadcastStrides, sizeOf } from '../tensor/shape.ts'
import { type OpContext, type Reference, type Samples, type ValueInfo, defineOps } from './define.ts'
import { broadcastOffsets, collapse } from './broadcast.ts'
import { mayEqual } from './conv-types.ts'
import { noEpilogue } from './epilogue.ts'
import { broadcastOf, commonDtype, complaint, needed, printDims } from './infer.ts'
import { isFloat32, shifted } from './lower-elementwise.ts'
import { emitGemm, packF32, packedWeight } from './lower-gemm.ts'
import type { Lowering } from './lower.ts'
import { type Exact, exactOf, isFloat, numbersOf, tensorOf } from './numeric.ts'
import { type MatrixView, dotExact, dotNumbers } from './product.ts'
import { floats, integers } from './sample-tensors.ts'

/** Operand shapes with 1-D operands made matrices, and the dims of the result. */
interface MatMulShape<D extends Dim> {
  readonly a: readonly D[]
  readonly b: readonly D[]
  /** Result dims of the matrix axes, without those that a 1-D operand leaves out. */
  readonly tail: readonly D[]
}

function matMulShape<D extends Dim>(a: readonly D[], b: readonly D[], one: D): MatMulShape<D> {
  const rows = a.length === 1 ? [] : [a[a.length - 2]]
  const cols = b.length === 1 ? [] : [b[b.length - 1]]
  return { a: a.length === 1 ? [one, a[0]] : a, b: b.length === 1 ? [b[0], one] : b, tail: [...rows, ...cols] }
}

function inferMatMul(context: OpContext, aInfo: ValueInfo | null, bInfo: ValueInfo | null): ValueInfo[] {
  const a = needed(context, aInfo, 'A')
  const b = needed(context, bInfo, 'B')
  const dtype = commonDtype(context, [a, b])
  if (a.dims === null || b.dims === null) return [{ dtype, dims: null }]
  if (a.dims.length === 0 || b.dims.length === 0) throw complaint(context, 'operands of rank >= 1', 'a scalar')
  const shape = matMulShape<Dim>(a.dims, b.dims, 1)
  const [inner, depth] = [shape.a[shape.a.length - 1], shape.b[shape.b.length - 2]]
  if (!mayEqual(inner, depth)) {
    throw complaint(context, 'equal inner dims', `${printDims(a.dims)} times ${printDims(b.dims)}`)
  }
  const fronts = [shape.a, shape.b].map((dims) => ({ dtype, dims: dims.slice(0, -2) }))
  return [{ dtype, dims: [...broadcastOf(context, fronts)!, ...shape.tail] }]
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

/** Offset of an operand at the i-th place (row-major) of these axes. */
function offsetAt(axes: ReturnType<typeof collapse>, operand: number, i: number): number {
  let offset = 0
  for (const { size, strides } of [...axes].reverse()) {
    offset += (i % size) * strides[operand]
    i = Math.floor(i / size)
  }
  return offset
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
  MatMul([left, right]) {
    const { a, b, tail } = matMulShape(left!.dims, right!.dims, 1)
    const [m, k] = a.slice(-2)
    const n = b[b.length - 1]
    const aFront = a.slice(0, -2)
    const bFront = b.slice(0, -2)
    const front = broadcastDims(aFront, bFront)
    const aAt = broadcastOffsets(aFront, front)
    const bAt = broadcastOffsets(bFront, front)
    const batch = sizeOf(front)
    const product = isFloat(left!.type)
      ? productOf(numbersOf(left!), numbersOf(right!), dotNumbers)
      : productOf<Exact>(exactOf(left!), exactOf(right!), dotExact)
    return [tensorOf(left!.type, product, [...front, ...tail])]

    function productOf<T extends Exact>(x: ArrayLike<T>, y: ArrayLike<T>, dot: Dot<T>): Exact[] {
      const c = new Array<Exact>(batch * m * n)
      for (let i = 0; i < c.length; i++) {
        const at = Math.floor(i / (m * n))
        const rows = { data: x, start: (aAt?.[at] ?? at) * m * k, row: k, col: 1 }
        const cols = { data: y, start: (bAt?.[at] ?? at) * k * n, row: n, col: 1 }
        c[i] = dot(rows, cols, Math.floor(i / n) % m, i % n, k)
      }
      return c
    }
  },
} satisfies Record<string, Reference>

type Dot<T> = (a: MatrixView<T>, b: MatrixView<T>, i: number, j: number, k: number) => Exact

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
