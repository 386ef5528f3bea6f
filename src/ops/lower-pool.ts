// SPDX-License-Identifier: Apache-2.0
/** Pools over NHWC as steps. */
import { grainOf } from './grid.ts'
import type { Lowering, Ref } from './lower.ts'
import type { Window } from './window.ts'

export interface PoolCall {
  readonly kind: 'max' | 'average'
  readonly x: Ref
  readonly y: Ref
  readonly images: number
  readonly channels: number
  readonly inH: number
  readonly inW: number
  /** Two spatial axes. */
  readonly window: Window<number>
  /** Averages only: padding counts as zeros. */
  readonly includePad: boolean
}

/** Emits the pool; nothing for an empty result. */
export function emitPool(lowering: Lowering, call: PoolCall): void {
  const { kind, x, y, images, channels, inH, inW, window, includePad } = call
  const { kernel, strides, dilations, begin, end, out } = window
  const units = images * out[0]
  if (units * out[1] * channels === 0) return
  const args = {
    x,
    y,
    images,
    channels,
    inH,
    inW,
    outH: out[0],
    outW: out[1],
    kh: kernel[0],
    kw: kernel[1],
    strideH: strides[0],
    strideW: strides[1],
    padTop: begin[0],
    padLeft: begin[1],
    dilationH: dilations[0],
    dilationW: dilations[1],
  }
  const grain = grainOf(out[1] * channels * kernel[0] * kernel[1])
  if (kind === 'max') {
    lowering.step({ kernel: 'max_pool_f32', units, grain, args })
    return
  }
  const padding = { includePad: includePad ? 1 : 0, padBottom: end[0], padRight: end[1] }
  lowering.step({ kernel: 'average_pool_f32', units, grain, args: { ...args, ...padding } })
}
