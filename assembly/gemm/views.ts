// SPDX-License-Identifier: Apache-2.0
/**
 * The groups of arguments that rows of src/kernels/gemm.ts share, as views into an argument block. A row is a run of
 * these groups in the order Product, Taps, Quant, Epilogue; a view's fields are the fields of its group in
 * src/kernels/gemm.ts, word for word, so that one function serves every row that has the group.
 */

/** matrixArgs and gridArgs: C = A * B in blocks. Every row of the family but dwconv_f32 begins with it. */
@unmanaged
@final
export class Product {
  a: usize
  lda: u32
  batchA: u32
  b: usize
  batchBBytes: u32
  c: usize
  ldc: u32
  batchC: u32
  batch: u32
  m: u32
  n: u32
  k: u32
  mb: u32
  nb: u32
}

/** convArgs. */
@unmanaged
@final
export class Taps {
  groups: u32
  inH: u32
  inW: u32
  outW: u32
  kh: u32
  kw: u32
  strideH: u32
  strideW: u32
  padTop: i32
  padLeft: i32
  dilationH: u32
  dilationW: u32
  channels: u32
  pixelStride: u32
  scratch: usize
  scratchBytes: u32
  ldp: u32
}

/** quantArgs. */
@unmanaged
@final
export class Quant {
  aParams: usize
  aParamsStride: u32
  batchParams: u32
  wScale: usize
  wSum: usize
}

/** scaledArgs. */
@unmanaged
export class Scaled {
  aParams: usize
  rowSums: usize
  wScale: usize
  wSum: usize
  wZeros: usize
  block: u32
  scratch: usize
  scratchBytes: u32
}

/** scaledArgs and shareArgs. */
@unmanaged
@final
export class Shared extends Scaled {
  wShares: usize
  wUnits: usize
}

/** One record of aParams: real value = (stored - zero) * scale. */
@unmanaged
@final
export class RowParams {
  scale: f32
  zero: i32
}

/** epilogueArgs. */
@unmanaged
@final
export class Epilogue {
  bias: usize
  residual: usize
  ldr: u32
  batchR: u32
  activation: u32
  p0: f32
  p1: f32
  postScale: f32
  postShift: f32
}
