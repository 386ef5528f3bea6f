// SPDX-License-Identifier: Apache-2.0
/**
 * Steps of quantised graphs (kernels/quantized.ts): numbers to bytes and back by given scales, and byte tensors as the
 * left operand of the byte products. Scales and zero points are read from memory, so they may be computed.
 */
import { roundUp } from '../kernels/blocks.ts'
import { byteLengthOf, type Dtype } from '../tensor/dtype.ts'
import { sizeOf } from '../tensor/shape.ts'
import { bytesOf } from '../tensor/tensor.ts'
import { flatGrid, grainOf } from './grid.ts'
import { type ByteRecipe, byteRecipes } from './lower-gemm.ts'
import type { Lowering, Operand, Ref } from './lower.ts'
import { numbersOf } from './numeric.ts'
import { multiplier } from './quantize.ts'

/** Element types of a byte. */
export function isByte(operand: Operand | null | undefined): boolean {
  return operand?.dtype === 'int8' || operand?.dtype === 'uint8'
}

/** Whether it is left out, or the one zero point of a tensor of this type. */
export function isZeroOf(dtype: Dtype, zero: Operand | null | undefined): boolean {
  return !zero || (zero.dtype === dtype && zero.size === 1)
}

/** How scales vary over a dense tensor: one for all (channels 1), or one per index of an axis. */
export interface Channels {
  readonly channels: number
  /** Elements between two of them. */
  readonly inner: number
}

/** One scale for all of `size`. */
export function oneChannel(size: number): Channels {
  return { channels: 1, inner: Math.max(1, Math.min(size, 4096)) }
}

/** One scale for each index of axis `axis`. */
export function channelsOf(dims: readonly number[], axis: number): Channels {
  return { channels: dims[axis], inner: sizeOf(dims.slice(axis + 1)) }
}

/** y = x / scale to bytes. */
export function emitQuantize(
  lowering: Lowering,
  [x, y]: readonly [Ref, Ref],
  size: number,
  { channels, inner }: Channels,
  scale: Ref,
  zero: Ref | null,
  signed: boolean,
): void {
  if (size === 0) return
  const args = { x, y, size, inner, channels, scale, zero, signed: Number(signed) }
  lowering.step({ kernel: 'quantize_linear', args, units: Math.ceil(size / inner), grain: grainOf(inner) })
}

/** Types that dequantize_linear takes, by its `kind`. */
const kinds: readonly Dtype[] = ['int8', 'uint8', 'int32']

/** y = (x - zero) * scale. @returns false for types without a kernel */
export function emitDequantize(
  lowering: Lowering,
  [x, y]: readonly [Ref, Ref],
  dtype: Dtype,
  size: number,
  { channels, inner }: Channels,
  scale: Ref,
  zero: Ref | null,
): boolean {
  const kind = kinds.indexOf(dtype)
  if (kind < 0) return false
  if (size === 0) return true
  const args = { x, y, size, inner, channels, scale, zero, kind }
  lowering.step({ kernel: 'dequantize_linear', args, units: Math.ceil(size / inner), grain: grainOf(inner) })
  return true
}

/** Scale (float32) and zero point (uint8) of all of x, as DynamicQuantizeLinear has them, written to two places. */
export function emitRange(lowering: Lowering, x: Ref, size: number, scale: Ref, zero: Ref): void {
  const { block } = flatGrid(size)
  const parts = Math.ceil(size / block)
  const partial = lowering.scratch(Math.max(1, parts) * 8)
  lowering.step({ kernel: 'minmax_f32', units: parts, args: { x, partial, images: 1, size, block } })
  lowering.step({ kernel: 'quant_range', units: 1, args: { partial, parts, scale, zero } })
}

/** Rows of bytes as the byte products read them. */
export interface StagedRows {
  readonly q: Ref
  readonly ldq: number
  /** {scale, zero} of all rows. */
  readonly params: Ref
  /** `kind` of row_sums. */
  readonly kind: 0 | 1 | 2
}

/**
 * Brings rows x k bytes to what the host's product reads: nothing is done where they are that already. `padded`: rows
 * are as long as a multiple of a group of the packed weights.
 */
export function stageRows(
  lowering: Lowering,
  x: { readonly ref: Ref; readonly dtype: Dtype },
  rows: number,
  k: number,
  { scale = null, zero = null, padded = true }: { scale?: Ref | null; zero?: Ref | null; padded?: boolean },
): StagedRows {
  const { int8 } = lowering.host
  const recipe: ByteRecipe = byteRecipes[int8]
  const signed = Number(x.dtype === 'int8')
  const ldd = padded ? roundUp(k, recipe.group) : k
  const flips = int8 !== 'pairs' && (int8 === 's8') !== (signed === 1)
  const shift = flips ? (signed ? 128 : -128) : 0
  const params = lowering.scratch(8)
  lowering.step({ kernel: 'quant_params', units: 1, args: { scale, zero, params, signed, shift } })
  const kind = int8 === 'pairs' ? 2 : int8 === 's8' ? 1 : 0
  if (int8 !== 'pairs' && !flips && ldd === k) return { q: x.ref, ldq: k, params, kind }
  const q = lowering.scratch(rows * ldd * recipe.bytes)
  const flip = int8 === 'pairs' ? signed : flips ? 128 : 0
  const block = Math.max(1, Math.floor(4096 / Math.max(1, k)))
  const kernel = recipe.bytes === 2 ? 'stage_i16' : 'stage_u8'
  lowering.step({ kernel, units: Math.ceil(rows / block), args: { src: x.ref, dst: q, rows, k, ldd, block, flip } })
  return { q, ldq: ldd, params, kind }
}

/** sums[i] of each row, less the zero points. */
export function emitRowSums(lowering: Lowering, { q, ldq, params, kind }: StagedRows, rows: number, k: number): Ref {
  const sums = lowering.scratch(rows * 4)
  lowering.step({ kernel: 'row_sums', units: rows, grain: grainOf(k), args: { q, ldq, params, sums, k, kind } })
  return sums
}

/** Zero points of weights, as they are once the weights are int8 (xored with `flip`); null where all are 0. */
export interface WeightZero {
  readonly ref: Ref
  readonly step: 0 | 1
  readonly flip: 0 | 128
}

/** @returns undefined where there are neither one nor `n` of them */
export function weightZeroOf(
  lowering: Lowering,
  w: Operand,
  zero: Operand | null | undefined,
  n: number,
): WeightZero | null | undefined {
  const flip = w.dtype === 'uint8' ? 128 : 0
  if (zero && (zero.dtype !== w.dtype || !(zero.size === 1 || (zero.size === n && zero.dims.length === 1))))
    return undefined
  if (!zero) return flip === 0 ? null : { ref: lowering.table(new Uint8Array(16)), step: 0, flip }
  if (zero.tensor !== undefined && bytesOf(zero.tensor).every((byte) => byte === flip)) return null
  return { ref: zero.ref, step: zero.size === 1 ? 0 : 1, flip }
}

/** c[i][j] -= sums[i][group of j] * zero[j]. */
export function emitOuter(
  lowering: Lowering,
  c: Ref,
  shape: { readonly rows: number; readonly n: number; readonly groups: number },
  sums: Ref,
  { ref, step, flip }: WeightZero,
): void {
  const { rows, n, groups } = shape
  const args = { c, n, groups, sums, zero: ref, zeroStep: step, flip }
  lowering.step({ kernel: 'subtract_outer', units: rows, grain: grainOf(n), args })
}

/**
 * What int32 sums are multiplied with to be bytes of the result: x scale * w scale / y scale, float32 at every step as
 * ONNX Runtime has it. Undefined where one is computed, or they are of other shapes.
 */
export function multipliersOf(
  [x, w, y]: readonly [Operand, Operand, Operand],
  n: number,
): Float32Array<ArrayBuffer> | undefined {
  if (x.tensor === undefined || w.tensor === undefined || y.tensor === undefined) return undefined
  if ([x, w, y].some(({ dtype }) => dtype !== 'float32')) return undefined
  if (x.size !== 1 || y.size !== 1 || (w.size !== 1 && !(w.size === n && w.dims.length === 1))) return undefined
  const [xs, ws, ys] = [x.tensor, w.tensor, y.tensor].map((tensor) => numbersOf(tensor))
  return Float32Array.from(ws, (scale) => multiplier(xs[0], scale, ys[0]))
}

/** Bytes of rows of n int32 sums. */
export function emitRequantize(
  lowering: Lowering,
  [x, y]: readonly [Ref, Operand],
  rows: number,
  n: number,
  scale: Float32Array,
  zero: Operand | null,
  bias: Operand | null = null,
): void {
  if (rows * n === 0) return
  const block = Math.max(1, Math.floor(4096 / n))
  const args = {
    x,
    y: y.ref,
    rows,
    n,
    block,
    bias: bias?.ref ?? null,
    scale: lowering.table(scale),
    scaleStep: scale.length === 1 ? 0 : 1,
    zero: zero?.ref ?? null,
    signed: Number(y.dtype === 'int8'),
  }
  lowering.step({ kernel: 'requantize', units: Math.ceil(rows / block), args })
}

/** y[i] = table[x[i]] over bytes. */
export function emitLookup(lowering: Lowering, x: Ref, y: Ref, size: number, table: Uint8Array): void {
  const { block, units } = flatGrid(size)
  lowering.step({ kernel: 'lookup_u8', units, args: { src: x, dst: y, size, block, table: lowering.table(table) } })
}

/** A scratch buffer for a tensor of this type. */
export function scratchFor(lowering: Lowering, dtype: Dtype, size: number): Ref {
  return lowering.scratch(byteLengthOf(dtype, size))
}
