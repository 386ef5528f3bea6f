// SPDX-License-Identifier: Apache-2.0
/**
 * One unit of the family: a block of rows x cols of C. Row by row of tiles, all panels of the block are multiplied,
 * then the epilogue runs over those rows. The tallest tile that fits is taken; what it leaves goes to smaller ones, so
 * the shape of a block alone decides how it is summed.
 */
import { ceilDiv } from '../units'
import { finish } from './epilogue'
import { tile1x32, tile1x8, tile2x16 } from './flat-tile'
import { Mac } from './mac'
import { narrow4x8 } from './narrow-tile'
import { tile4x8, tile6x8 } from './tile'
import { Epilogue, Product, Quant, RowParams } from './views'

/** Where a block lies: rows [row, row + rows) of `image`, columns [col, col + cols) of `group`. */
// @ts-ignore: decorator
@inline
export function multiplyBlock<M extends Mac>(
  p: Product,
  quant: usize,
  epilogue: Epilogue,
  a: usize,
  lda: usize,
  image: u32,
  row: u32,
  rows: u32,
  group: u32,
  col: u32,
  cols: u32,
  column0: u32,
  narrow: bool,
): void {
  const mac = changetype<M>(0)
  const groups = mac.groups(p.k)
  const panel = <usize>groups * mac.step
  const first = <usize>(column0 + col)
  const c = p.c + ((<usize>image * p.batchC + <usize>row * p.ldc + first) << 2)
  const bias = epilogue.bias ? epilogue.bias + (first << 2) : 0
  const residual = epilogue.residual
    ? epilogue.residual + ((<usize>image * epilogue.batchR + <usize>row * epilogue.ldr + first) << 2)
    : 0
  let params: usize = 0
  let paramsStep: usize = 0
  let wScale: usize = 0
  let wSum: usize = 0
  if (quant) {
    const q = changetype<Quant>(quant)
    paramsStep = <usize>q.aParamsStride * offsetof<RowParams>()
    params = q.aParams + <usize>image * q.batchParams * offsetof<RowParams>() + <usize>row * paramsStep
    wScale = q.wScale ? q.wScale + ((<usize>group * p.n + col) << 2) : 0
    wSum = q.wSum + ((<usize>group * (ceilDiv(p.n, 8) << 3) + col) << 2)
  }
  const b = p.b + <usize>group * p.batchBBytes + <usize>(col >> 3) * panel
  multiplyRows<M>(
    epilogue, a, lda, rows, b, panel, groups, c, <usize>p.ldc << 2, cols,
    params, paramsStep, wScale, wSum, bias, residual, narrow,
  )
}

function multiplyRows<M extends Mac>(
  epilogue: Epilogue,
  a: usize,
  lda: usize,
  rows: u32,
  b: usize,
  panel: usize,
  groups: u32,
  c: usize,
  ldc: usize,
  cols: u32,
  params: usize,
  paramsStep: usize,
  wScale: usize,
  wSum: usize,
  bias: usize,
  residual: usize,
  narrow: bool,
): void {
  const ldr = <usize>epilogue.ldr << 2
  while (rows != 0) {
    const tallest: u32 = narrow ? 4 : changetype<M>(0).rows
    const taken: u32 = rows >= tallest ? tallest : rows >= 4 ? 4 : rows >= 2 ? 2 : 1
    if (narrow && taken == 4) multiplyNarrow(a, lda, b, panel, groups, c, ldc, cols)
    else if (changetype<M>(0).rows < 4 || taken < 4) multiplyFlat<M>(a, lda, taken, b, panel, groups, c, ldc, cols)
    else multiplyTall<M>(a, lda, taken, b, panel, groups, c, ldc, cols)
    finish(epilogue, c, ldc, taken, cols, params, paramsStep, wScale, wSum, bias, residual)
    rows -= taken
    a += lda * taken
    c += ldc * taken
    params += paramsStep * taken
    if (residual) residual += ldr * taken
  }
}

/** Four rows and narrow weights. */
export function multiplyNarrow(
  a: usize,
  lda: usize,
  b: usize,
  panel: usize,
  groups: u32,
  c: usize,
  ldc: usize,
  cols: u32,
): void {
  for (let j: u32 = 0; j < cols; j += 8) {
    narrow4x8(a, lda, b, groups, 0, groups, c + (<usize>j << 2), ldc, cols - j)
    b += panel
  }
}

/** Six or four rows, of what the step's registers allow. */
export function multiplyTall<M extends Mac>(
  a: usize,
  lda: usize,
  rows: u32,
  b: usize,
  panel: usize,
  groups: u32,
  c: usize,
  ldc: usize,
  cols: u32,
): void {
  const mac = changetype<M>(0)
  for (let j: u32 = 0; j < cols; j += 8) {
    const to = c + (<usize>j << 2)
    if (mac.rows == 6 && rows == 6) tile6x8<M>(a, lda, b, groups, to, ldc, cols - j)
    else tile4x8<M>(a, lda, b, groups, to, ldc, cols - j)
    b += panel
  }
}

/** One or two rows. */
export function multiplyFlat<M extends Mac>(
  a: usize,
  lda: usize,
  rows: u32,
  b: usize,
  panel: usize,
  groups: u32,
  c: usize,
  ldc: usize,
  cols: u32,
): void {
  let j: u32 = 0
  if (changetype<M>(0).rows >= 2 && rows == 2) {
    for (; cols - j >= 16; j += 16) {
      tile2x16<M>(a, lda, b, panel, groups, c + (<usize>j << 2), ldc)
      b += 2 * panel
    }
  } else {
    for (; cols - j >= 32; j += 32) {
      tile1x32<M>(a, b, panel, groups, c + (<usize>j << 2))
      b += 4 * panel
    }
  }
  for (; j < cols; j += 8) {
    tile1x8<M>(a, b, groups, c + (<usize>j << 2), cols - j)
    if (changetype<M>(0).rows >= 2 && rows == 2) tile1x8<M>(a + lda, b, groups, c + ldc + (<usize>j << 2), cols - j)
    b += panel
  }
}
