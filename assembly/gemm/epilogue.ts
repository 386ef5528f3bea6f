// SPDX-License-Identifier: Apache-2.0
/**
 * What happens to finished rows of C, while they are in the first-level cache: the raw sums become
 *
 *     y = act(sum + bias[j] + residual[i][j]; p0, p1) * postScale + postShift
 *
 * where the sum of a quantised product is first turned into aScale[i] * wScale[j] * (acc - aZero[i] * wSum[j]), the
 * difference in exact int32; the sums of a product scaled block by block are float32 and take aScale[i] alone. One loop per activation serves every kernel of the family. No step but the activation is
 * fused, so all builds and hosts round alike.
 */
import {
  Activation,
  Clip,
  Gelu,
  GeluTanh,
  HardSigmoid,
  HardSwish,
  LeakyRelu,
  None,
  Relu,
  Sigmoid,
  Silu,
  Tanh,
} from '../simd/activation'
import { loadPart, storePart } from '../simd/lanes'
import { Epilogue, RowParams } from './views'

/**
 * Finishes `rows` rows of `cols` columns at `c`, `ldc` bytes apart. `params` is 0 for float32 sums, else the first
 * row's RowParams, `paramsStep` bytes from the next row's. `wScale`, `wSum`, `bias` and `residual` are at the first
 * column; without wScale the sums stay int32 and nothing but the zeros is taken off; bias and residual may be 0, and wSum is where the sums are float32 and scaled by columns already. Residual may not be C itself, which holds the sums by now.
 */
export function finish(
  epilogue: Epilogue,
  c: usize,
  ldc: usize,
  rows: u32,
  cols: u32,
  params: usize,
  paramsStep: usize,
  wScale: usize,
  wSum: usize,
  bias: usize,
  residual: usize,
): void {
  if (cols > 32 && (cols & 3) != 0 && !residual) {
    // The rest of a vector would keep all of them from the loops that ask nothing.
    const whole = cols & ~3
    const skip = <usize>whole << 2
    finishColumns(epilogue, c, ldc, rows, whole, params, paramsStep, wScale, wSum, bias, 0)
    cols -= whole
    c += skip
    if (wScale) wScale += skip
    if (wSum) wSum += skip
    if (bias) bias += skip
  }
  finishColumns(epilogue, c, ldc, rows, cols, params, paramsStep, wScale, wSum, bias, residual)
}

function finishColumns(
  epilogue: Epilogue,
  c: usize,
  ldc: usize,
  rows: u32,
  cols: u32,
  params: usize,
  paramsStep: usize,
  wScale: usize,
  wSum: usize,
  bias: usize,
  residual: usize,
): void {
  if (wSum && !wScale) {
    subtractZeros(c, ldc, rows, cols, params, paramsStep, wSum)
    return
  }
  if (cols < 4) {
    sumNarrow(c, ldc, rows, cols, params, paramsStep, wScale, wSum, bias, residual, <usize>epilogue.ldr << 2)
    params = 0
    wSum = 0
    bias = 0
    residual = 0
  }
  // The numbers are positions in `activations` of src/kernels/gemm.ts.
  switch (epilogue.activation) {
    case 1: shortRowsOf<Relu>(epilogue, c, ldc, rows, cols, params, paramsStep, wScale, wSum, bias, residual); return
    case 2: shortRowsOf<Clip>(epilogue, c, ldc, rows, cols, params, paramsStep, wScale, wSum, bias, residual); return
    case 3: shortRowsOf<LeakyRelu>(epilogue, c, ldc, rows, cols, params, paramsStep, wScale, wSum, bias, residual); return
    // gates of means of images: rows that take no time
    case 4: rowsOf<HardSigmoid>(epilogue, c, ldc, rows, cols, params, paramsStep, wScale, wSum, bias, residual); return
    case 5: shortRowsOf<HardSwish>(epilogue, c, ldc, rows, cols, params, paramsStep, wScale, wSum, bias, residual); return
    case 6: rowsOf<Sigmoid>(epilogue, c, ldc, rows, cols, params, paramsStep, wScale, wSum, bias, residual); return
    case 7: rowsOf<Silu>(epilogue, c, ldc, rows, cols, params, paramsStep, wScale, wSum, bias, residual); return
    case 8: rowsOf<Tanh>(epilogue, c, ldc, rows, cols, params, paramsStep, wScale, wSum, bias, residual); return
    case 9: rowsOf<Gelu>(epilogue, c, ldc, rows, cols, params, paramsStep, wScale, wSum, bias, residual); return
    case 10: rowsOf<GeluTanh>(epilogue, c, ldc, rows, cols, params, paramsStep, wScale, wSum, bias, residual); return
    default: shortRowsOf<None>(epilogue, c, ldc, rows, cols, params, paramsStep, wScale, wSum, bias, residual)
  }
}

/** The rows under an activation of a few instructions: the common forms have loops of their own, which ask nothing. */
function shortRowsOf<F extends Activation>(
  epilogue: Epilogue,
  c: usize,
  ldc: usize,
  rows: u32,
  cols: u32,
  params: usize,
  paramsStep: usize,
  wScale: usize,
  wSum: usize,
  bias: usize,
  residual: usize,
): void {
  if (!residual && (cols & 3) == 0) {
    if (!params) {
      wholeRows<F>(PLAIN, epilogue, c, ldc, rows, cols, 0, 0, 0, 0, bias)
      return
    }
    if (wSum) wholeRows<F>(BYTES, epilogue, c, ldc, rows, cols, params, paramsStep, wScale, wSum, bias)
    else wholeRows<F>(SCALED, epilogue, c, ldc, rows, cols, params, paramsStep, 0, 0, bias)
    return
  }
  rowsOf<F>(epilogue, c, ldc, rows, cols, params, paramsStep, wScale, wSum, bias, residual)
}

/** What sums are: float32, int32 of bytes, or float32 that take the scale of their row. */
const PLAIN: u32 = 0
const BYTES: u32 = 1
const SCALED: u32 = 2

/** Rows of whole vectors without a residual; `form` is known where this is inlined. */
// @ts-ignore: decorator
@inline
function wholeRows<F extends Activation>(
  form: u32,
  epilogue: Epilogue,
  c: usize,
  ldc: usize,
  rows: u32,
  cols: u32,
  params: usize,
  paramsStep: usize,
  wScale: usize,
  wSum: usize,
  bias: usize,
): void {
  const p0 = f32x4.splat(epilogue.p0)
  const p1 = f32x4.splat(epilogue.p1)
  const postScale = f32x4.splat(epilogue.postScale)
  const postShift = f32x4.splat(epilogue.postShift)
  const width = <usize>cols << 2
  for (; rows != 0; --rows) {
    let aScale = f32x4.splat(1)
    let aZero = i32x4.splat(0)
    if (form != PLAIN) {
      aScale = v128.load32_splat(params, offsetof<RowParams>('scale'))
      aZero = v128.load32_splat(params, offsetof<RowParams>('zero'))
      params += paramsStep
    }
    for (let j: usize = 0; j < width; j += 16) {
      let x = v128.load(c + j)
      if (form == BYTES) {
        x = f32x4.convert_i32x4_s(i32x4.sub(x, i32x4.mul(aZero, v128.load(wSum + j))))
        x = f32x4.mul(x, f32x4.mul(aScale, v128.load(wScale + j)))
      } else if (form == SCALED) {
        x = f32x4.mul(x, aScale)
      }
      if (bias) x = f32x4.add(x, v128.load(bias + j))
      v128.store(c + j, f32x4.add(f32x4.mul(changetype<F>(0).apply(x, p0, p1), postScale), postShift))
    }
    c += ldc
  }
}

/**
 * The rows under one activation. The last vector of a row may overlap the one before it: its sums are read before the
 * row is written.
 */
function rowsOf<F extends Activation>(
  epilogue: Epilogue,
  c: usize,
  ldc: usize,
  rows: u32,
  cols: u32,
  params: usize,
  paramsStep: usize,
  wScale: usize,
  wSum: usize,
  bias: usize,
  residual: usize,
): void {
  const p0 = f32x4.splat(epilogue.p0)
  const p1 = f32x4.splat(epilogue.p1)
  const postScale = f32x4.splat(epilogue.postScale)
  const postShift = f32x4.splat(epilogue.postShift)
  const ldr = <usize>epilogue.ldr << 2
  const last: usize = cols > 4 ? <usize>(cols - 4) << 2 : 0
  let aScale = f32x4.splat(1)
  let aZero = i32x4.splat(0)
  for (; rows != 0; --rows) {
    if (params) {
      aScale = v128.load32_splat(params, offsetof<RowParams>('scale'))
      aZero = v128.load32_splat(params, offsetof<RowParams>('zero'))
      params += paramsStep
    }
    const lastSum = cols < 4 ? loadPart(c, cols) : v128.load(c + last)
    for (let j: usize = 0; ; j = min(j + 16, last)) {
      let x = j < last ? v128.load(c + j) : lastSum
      if (wSum) {
        x = f32x4.convert_i32x4_s(i32x4.sub(x, i32x4.mul(aZero, v128.load(wSum + j))))
        x = f32x4.mul(x, f32x4.mul(aScale, v128.load(wScale + j)))
      } else if (params) {
        x = f32x4.mul(x, aScale)
      }
      if (bias) x = f32x4.add(x, v128.load(bias + j))
      if (residual) x = f32x4.add(x, v128.load(residual + j))
      x = f32x4.add(f32x4.mul(changetype<F>(0).apply(x, p0, p1), postScale), postShift)
      if (j == last) {
        if (cols < 4) storePart(c, x, cols)
        else v128.store(c + last, x)
        break
      }
      v128.store(c + j, x)
    }
    c += ldc
    if (residual) residual += ldr
  }
}

/** acc - aZero[i] * wSum[j] in place. */
function subtractZeros(c: usize, ldc: usize, rows: u32, cols: u32, params: usize, paramsStep: usize, wSum: usize): void {
  const end = <usize>cols << 2
  for (; rows != 0; --rows) {
    const zero = changetype<RowParams>(params).zero
    const zeros = i32x4.splat(zero)
    let j: usize = 0
    for (; j + 16 <= end; j += 16) {
      v128.store(c + j, i32x4.sub(v128.load(c + j), i32x4.mul(zeros, v128.load(wSum + j))))
    }
    for (; j < end; j += 4) store<i32>(c + j, load<i32>(c + j) - zero * load<i32>(wSum + j))
    c += ldc
    params += paramsStep
  }
}

/** Everything before the activation for rows of one to three columns, in the same order of operations. */
function sumNarrow(
  c: usize,
  ldc: usize,
  rows: u32,
  cols: u32,
  params: usize,
  paramsStep: usize,
  wScale: usize,
  wSum: usize,
  bias: usize,
  residual: usize,
  ldr: usize,
): void {
  const end = <usize>cols << 2
  for (; rows != 0; --rows) {
    for (let j: usize = 0; j < end; j += 4) {
      let x = load<f32>(c + j)
      if (wSum) {
        const row = changetype<RowParams>(params)
        x = <f32>(load<i32>(c + j) - row.zero * load<i32>(wSum + j)) * (row.scale * load<f32>(wScale + j))
      } else if (params) {
        x *= changetype<RowParams>(params).scale
      }
      if (bias) x += load<f32>(bias + j)
      if (residual) x += load<f32>(residual + j)
      store<f32>(c + j, x)
    }
    c += ldc
    if (params) params += paramsStep
    if (residual) residual += ldr
  }
}
