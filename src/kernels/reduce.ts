// SPDX-License-Identifier: Apache-2.0
/** Reductions, softmax, normalisation and pooling over float32. */
import { kernels } from './row.ts'

/** y[o][i] = reduce over r of x[o][r][i]. A unit is one o when inner = 1, else one (o, run of `block` of inner). */
const reduceArgs = {
  x: 'ptr', y: 'ptr', outer: 'u32', reduce: 'u32', inner: 'u32', block: 'u32', finish: 'f32',
} as const
const reduce_ = { args: reduceArgs }

const poolArgs = {
  x: 'ptr', y: 'ptr', images: 'u32', channels: 'u32', inH: 'u32', inW: 'u32', outH: 'u32', outW: 'u32',
  kh: 'u32', kw: 'u32', strideH: 'u32', strideW: 'u32', padTop: 'i32', padLeft: 'i32', dilationH: 'u32', dilationW: 'u32',
} as const

export const reduce = kernels({
  /** The sum is divided by `finish`: 1, or `reduce` for the mean. The rows below do not read it unless they say so. */
  reduce_sum_f32: reduce_,
  reduce_max_f32: reduce_,
  reduce_min_f32: reduce_,
  reduce_prod_f32: reduce_,
  /** `finish` other than 0: the root of it, infinite where the sum is. */
  reduce_sum_square_f32: reduce_,
  reduce_l1_f32: reduce_,
  reduce_log_sum_exp_f32: reduce_,
  /** Rows of `cols`; a unit is one row. y = x is allowed. */
  softmax_f32: { args: { x: 'ptr', y: 'ptr', rows: 'u32', cols: 'u32' } },
  log_softmax_f32: { args: { x: 'ptr', y: 'ptr', rows: 'u32', cols: 'u32' } },
  /** y = (x - mean) / sqrt(var + epsilon) * scale + bias over rows of `cols`; scale and bias may be null. A unit is one row. y = x is allowed. Finite rows of any size come out right, the mean within roundings of float32. */
  layer_norm_f32: { args: { x: 'ptr', y: 'ptr', scale: 'ptr', bias: 'ptr', rows: 'u32', cols: 'u32', epsilon: 'f32' } },
  rms_norm_f32: { args: { x: 'ptr', y: 'ptr', scale: 'ptr', rows: 'u32', cols: 'u32', epsilon: 'f32' } },
  /** Rows normalised as layer_norm without affine, then scale/bias by (row % channels): instance and group normalisation over NCHW. groupSize rows share... a row is one (image, channel). */
  instance_norm_f32: { args: { x: 'ptr', y: 'ptr', scale: 'ptr', bias: 'ptr', rows: 'u32', cols: 'u32', channels: 'u32', epsilon: 'f32' } },
  /** NHWC. Padding never wins. A unit is one output row of one image. */
  max_pool_f32: { args: poolArgs },
  /** NHWC. includePad: divide by kh * kw (of the padded input), else by the taps inside. inHPad/inWPad: extent that counts as pad when included. */
  average_pool_f32: { args: { ...poolArgs, includePad: 'u32', padBottom: 'i32', padRight: 'i32' } },
})
