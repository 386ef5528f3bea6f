// SPDX-License-Identifier: Apache-2.0
/**
 * Convolutions of byte tensors as steps, channels last: exact int32 sums of (x - x zero)(w - w zero). Ways as in
 * lower-conv.ts; depthwise ones are summed in float32, which holds their sums exactly.
 */
import { grainOf } from './grid.ts'
import {
  channelsOf,
  emitDequantize,
  emitOuter,
  emitRowSums,
  isZeroOf,
  oneChannel,
  stageRows,
  weightZeroOf,
} from './lower-bytes.ts'
import { type ConvShape, convMatrix, convWay, emitConv, gatherWords } from './lower-conv.ts'
import { shifted } from './lower-elementwise.ts'
import { byteRecipes, emitByteGemm, mostByteDepth, packS8, packedWeight } from './lower-gemm.ts'
import { noEpilogue } from './epilogue.ts'
import type { Lowering, Operand, Ref } from './lower.ts'

/** Taps of 9 by 8 bits that float32 sums exactly: 255 * 255 each, below 2^24. */
const mostTaps = 256

export interface ByteConv {
  readonly shape: ConvShape
  readonly x: Operand
  readonly xZero: Operand | null
  /** Index of the input w, [Cout, kh, kw, Cin / group]. */
  readonly w: number
  readonly wZero: Operand | null
  /** int32, dense NHWC. */
  readonly c: Ref
}

/** Emits the sums. @returns false where there are no kernels */
export function emitByteConv(lowering: Lowering, call: ByteConv): boolean {
  const { shape, x, xZero, c } = call
  const { images, inH, inW, inC, outC, group, window } = shape
  const w = lowering.input(call.w)!
  const wZero = weightZeroOf(lowering, w, call.wZero, outC)
  const { n, k } = convMatrix(shape)
  if (wZero === undefined || k > mostByteDepth || !isZeroOf(x.dtype, xZero)) return false
  const way = convWay(shape)
  if (way === 'depthwise' && k <= mostTaps) return emitDepthwise(lowering, call, w)
  const [outH, outW] = window.out
  const pixels = outH * outW
  if (images * pixels * outC === 0) return true
  const recipe = byteRecipes[lowering.host.int8]
  const flip = w.dtype === 'uint8' ? 128 : 0
  const packing = packS8({ ...convMatrix(shape), flip }, recipe)
  const b = packedWeight(lowering, call.w, packing)
  const rows = images * inH * inW
  const staged = stageRows(lowering, x, rows, inC, { zero: xZero?.ref ?? null, padded: way === 'gemm' })
  const parts = {
    aParams: staged.params,
    aParamsStride: 0,
    batchParams: 0,
    wScale: null,
    wSum: shifted(b, packing.sums),
  }
  if (way === 'gemm') {
    const [m, lda] = [images * pixels, staged.ldq]
    emitByteGemm(lowering, { a: staged.q, lda, b, c, ldc: outC, m, n, k, epilogue: noEpilogue }, parts, recipe)
    if (wZero) emitOuter(lowering, c, { rows: m, n, groups: 1 }, emitRowSums(lowering, staged, m, k), wZero)
    return true
  }
  const { units, args } = gatherWords(lowering, { shape, packing }, inC, recipe.bytes, packing.batchBytes)
  const words = { a: staged.q, b, c, ...parts, ...noEpilogue }
  lowering.step({ kernel: recipe.conv, units, args: { ...args, ...words } })
  if (!wZero) return true
  // sums of the windows: the same convolution with one output of ones a group
  const ones = packS8({ n: 1, k, colStride: k, depthStride: 1, batch: group, batchSrc: k }, recipe)
  const [sums, weights] = [lowering.scratch(images * pixels * group * 4), lowering.scratch(ones.layout.bytes)]
  for (const step of ones.layout.steps(lowering.table(new Uint8Array(group * k).fill(1)), weights)) lowering.step(step)
  const inner = gatherWords(
    lowering,
    { shape: { ...shape, outC: group }, packing: ones },
    inC,
    recipe.bytes,
    ones.batchBytes,
  )
  const own = { ...words, b: weights, c: sums, wSum: shifted(weights, ones.sums) }
  lowering.step({ kernel: recipe.conv, units: inner.units, args: { ...inner.args, ...own } })
  emitOuter(lowering, c, { rows: images * pixels, n: outC, groups: group }, sums, wZero)
  return true
}

function emitDepthwise(lowering: Lowering, { shape, x, xZero, wZero, c }: ByteConv, w: Operand): boolean {
  const { images, outC, window } = shape
  const cols = w.size / outC
  const size = images * window.out[0] * window.out[1] * outC
  if (size === 0) return true
  const ones = lowering.table(new Float32Array(outC).fill(1))
  const [image, rows, kernel, sums] = [x.size, w.size, w.size, size].map((count) => lowering.scratch(count * 4))
  emitDequantize(lowering, [x.ref, image], x.dtype, x.size, oneChannel(x.size), ones, xZero?.ref ?? null)
  const each = wZero && wZero.size > 1 ? channelsOf([outC, cols], 0) : oneChannel(w.size)
  emitDequantize(lowering, [w.ref, rows], w.dtype, w.size, each, ones, wZero?.ref ?? null)
  const units = Math.ceil(outC / 8)
  lowering.step({ kernel: 'transpose_4', units, args: { x: rows, y: kernel, batch: 1, rows: outC, cols } })
  emitConv(lowering, { shape, x: image, w: kernel, y: sums, epilogue: noEpilogue })
  const block = 4096
  const cast = { src: sums, dst: c, size, block, kind: 2 }
  lowering.step({ kernel: 'cast_from_f32', units: Math.ceil(size / block), grain: grainOf(block), args: cast })
  return true
}
