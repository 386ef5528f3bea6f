// SPDX-License-Identifier: Apache-2.0
/**
 * Gemm: alpha * A' * B' + beta * C, where A' and B' are A and B or their transposes and C broadcasts to the result.
 * Its steps compute alpha * (A' B' + (beta / alpha) C), so that C is a bias or a residual of the product.
 * https://onnx.ai/onnx/operators/onnx__Gemm.html
 */
import type { Dim } from '../ir/dim.ts'
import { type Attributes, type Reference, type Sample, type Samples, defineOps } from './define.ts'
import { broadcastOffsets } from './broadcast.ts'
import { mayEqual } from './conv-types.ts'
import { noEpilogue } from './epilogue.ts'
import { flatGrid } from './grid.ts'
import { broadcastOf, complaint, needed, printDims } from './infer.ts'
import { isFloat32 } from './lower-elementwise.ts'
import { emitGemm, packF32, packedWeight } from './lower-gemm.ts'
import { transposed } from './lower-layout.ts'
import type { Lowering, Ref } from './lower.ts'
import { isFloat } from './elements.ts'
import { exactOf, numbersOf, tensorOf } from './numeric.ts'
import { dotExact, dotNumbers } from './product.ts'
import { floats, integers } from './sample-tensors.ts'

/** Sizes of the product after transposing. */
function sizesOf<D extends Dim>(
  a: readonly D[],
  b: readonly D[],
  attributes: Attributes,
): { m: D; k: D; depth: D; n: D } {
  const turned = (dims: readonly D[], turn: unknown): readonly [D, D] =>
    turn === 1 ? [dims[1], dims[0]] : [dims[0], dims[1]]
  const [m, k] = turned(a, attributes.transA)
  const [depth, n] = turned(b, attributes.transB)
  return { m, k, depth, n }
}

/** C times `scale` as bias or residual of an m x n product; a C that is neither is spread out in scratch. */
function addend(
  lowering: Lowering,
  m: number,
  n: number,
  scale: number,
): { bias: Ref | null; residual: Ref | null; ldr: number } {
  const c = lowering.input(2)
  if (c === null || scale === 0) return { bias: null, residual: null, ldr: 0 }
  let ref = c.ref
  if (scale !== 1) {
    const scaled = lowering.scratch(c.size * 4)
    const { block, units } = flatGrid(c.size)
    const args = { x: ref, y: scaled, size: c.size, block, p0: scale, p1: 0 }
    lowering.step({ kernel: 'unary_affine_f32', units, args })
    ref = scaled
  }
  const [rows, cols] = [1, 1, ...c.dims].slice(-2)
  if (rows === 1 && cols === n) return { bias: ref, residual: null, ldr: 0 }
  if (rows === m && cols === n) return { bias: null, residual: ref, ldr: n }
  const spread = lowering.scratch(m * n * 4)
  const strides = { s0: 0, s1: 0, s2: 0, s3: 0, s4: rows === 1 ? 0 : cols, s5: cols === 1 ? 0 : 1 }
  const targets = { t0: 0, t1: 0, t2: 0, t3: 0, t4: n, t5: 1 }
  const dims = { d0: 1, d1: 1, d2: 1, d3: 1, d4: m, d5: n }
  lowering.step({ kernel: 'copy_4', units: m, args: { src: ref, dst: spread, ...dims, ...strides, ...targets } })
  return { bias: null, residual: spread, ldr: n }
}

export const ops = defineOps({
  Gemm: {
    inputs: [2, 3],
    attributes: {
      alpha: { kind: 'float', default: 1 },
      beta: { kind: 'float', default: 1 },
      transA: { kind: 'int', default: 0 },
      transB: { kind: 'int', default: 0 },
    },
    numerics: { relative: 1e-5, absolute: 1e-5 },
    infer([aInfo, bInfo, c], context) {
      const a = needed(context, aInfo, 'A')
      const b = needed(context, bInfo, 'B')
      if (a.dims === null || b.dims === null) return [{ dtype: a.dtype, dims: null }]
      if (a.dims.length !== 2 || b.dims.length !== 2) {
        throw complaint(context, 'matrices', `${printDims(a.dims)} and ${printDims(b.dims)}`)
      }
      const { m, k, depth, n } = sizesOf(a.dims, b.dims, context.attributes)
      if (!mayEqual(k, depth))
        throw complaint(context, 'equal inner dims', `${printDims(a.dims)} and ${printDims(b.dims)}`)
      if (c && c.dims !== null) broadcastOf(context, [c, { dtype: c.dtype, dims: [m, n] }])
      return [{ dtype: a.dtype, dims: [m, n] }]
    },
    lower(lowering, { attributes }) {
      const a = lowering.input(0)!
      const b = lowering.input(1)!
      const alpha = attributes.alpha as number
      if (!isFloat32(a, b, lowering.input(2)) || a.size === 0 || b.size === 0 || alpha === 0) return false
      const { m, k, n } = sizesOf(a.dims, b.dims, attributes)
      const strides = attributes.transB === 1 ? { colStride: k, depthStride: 1 } : { colStride: 1, depthStride: n }
      const packed = packedWeight(lowering, 1, packF32({ n, k, ...strides }))
      const rows = attributes.transA === 1 ? transposed(lowering, a.ref, 1, k, m) : a.ref
      const added = addend(lowering, m, n, (attributes.beta as number) / alpha)
      const epilogue = { ...noEpilogue, ...added, postScale: alpha }
      emitGemm(lowering, { a: rows, lda: k, b: packed, c: lowering.output(0).ref, ldc: n, m, n, k, epilogue })
      return true
    },
  },
})

export const references = {
  Gemm([a, b, c], attributes) {
    const { m, k, n } = sizesOf(a!.dims, b!.dims, attributes)
    const rows = attributes.transA === 1 ? { start: 0, row: 1, col: m } : { start: 0, row: k, col: 1 }
    const cols = attributes.transB === 1 ? { start: 0, row: 1, col: k } : { start: 0, row: n, col: 1 }
    const dims = [m, n]
    const at = c ? broadcastOffsets(c.dims, dims) : null
    const alpha = attributes.alpha as number
    const beta = attributes.beta as number
    if (isFloat(a!.type)) {
      const [x, y, z] = [numbersOf(a!), numbersOf(b!), c ? numbersOf(c) : null]
      const values = Float64Array.from({ length: m * n }, (_, i) => {
        const product = dotNumbers({ data: x, ...rows }, { data: y, ...cols }, Math.floor(i / n), i % n, k)
        return alpha * product + (z ? beta * z[at?.[i] ?? i] : 0)
      })
      return [tensorOf(a!.type, values, dims)]
    }
    // integers: alpha and beta are whole in any model that means something
    const [x, y, z] = [exactOf(a!), exactOf(b!), c ? exactOf(c) : null]
    const [wholeAlpha, wholeBeta] = [BigInt(Math.trunc(alpha)), BigInt(Math.trunc(beta))]
    const values = Array.from({ length: m * n }, (_, i) => {
      const product = dotExact({ data: x, ...rows }, { data: y, ...cols }, Math.floor(i / n), i % n, k)
      return wholeAlpha * product + (z ? wholeBeta * BigInt(z[at?.[i] ?? i]) : 0n)
    })
    return [tensorOf(a!.type, values, dims)]
  },
} satisfies Record<string, Reference>

export const samples = {
  Gemm: (random): Sample[] => [
    { inputs: [floats(random, [3, 4]), floats(random, [4, 5])] },
    {
      inputs: [floats(random, [4, 3]), floats(random, [5, 4]), floats(random, [5])],
      attributes: { transA: 1, transB: 1 },
    },
    {
      inputs: [floats(random, [7, 4]), floats(random, [4, 9]), floats(random, [7, 9])],
      attributes: { alpha: 0.5, beta: 2 },
    },
    { inputs: [floats(random, [3, 4]), floats(random, [4, 5]), floats(random, [3, 1])], attributes: { beta: 0.25 } },
    {
      inputs: [floats(random, [3, 4]), floats(random, [4, 5]), floats(random, [])],
      attributes: { transA: 0, alpha: -1 },
    },
    { inputs: [floats(random, [3, 4]), floats(random, [4, 5]), floats(random, [1, 5])], attributes: { beta: 0 } },
    { inputs: [floats(random, [1, 4]), floats(random, [6, 4]), floats(random, [1])], attributes: { transB: 1 } },
    { inputs: [integers(random, [2, 3], -5, 5), integers(random, [3, 2], -5, 5), integers(random, [2], -5, 5)] },
  ],
} satisfies Record<string, Samples>
